"""Files of ours that a client could bind and write."""

from pathlib import Path

import pytest

from trioproxy.commands.start import check_own_files
from trioproxy.errors import ConfigError
from trioproxy.policy.permissions import parse_policy


def check(binds: str, *paths: str) -> str:
    policy, _ = parse_policy(
        {"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": binds}
    )
    return check_own_files(policy, paths)


@pytest.mark.parametrize(
    ("binds", "path"),
    [
        ("/srv/app", "/srv/app/policy.env"),
        ("/srv/app", "/srv/app/deep/er/proxy.sock"),
        ("/srv/*", "/srv/app/policy.env"),
        ("/srv/app/policy.env", "/srv/app/policy.env"),
        ("/", "/srv/app/policy.env"),
    ],
)
def test_a_policy_that_clients_could_write(binds: str, path: str) -> None:
    """With a file of its own below a writable bind it refuses to start."""
    if Path("/.dockerenv").exists():
        assert f"{path} lies in a folder" in check(binds, "", path)
        return
    with pytest.raises(ConfigError, match="lies in a folder that CREATE_BINDS lets"):
        check(binds, "", path)


@pytest.mark.parametrize(
    ("binds", "path"),
    [
        ("/srv/app:ro", "/srv/app/policy.env"),
        ("/srv/app", "/srv/app2/policy.env"),
        ("/srv/app/data", "/srv/app/policy.env"),
        ("", "/srv/app/policy.env"),
        ("*", "/srv/app/policy.env"),
        ("/srv/app", ""),
    ],
)
def test_a_policy_that_they_could_not(binds: str, path: str) -> None:
    """Beside a bind, below a read-only one, or where anything is listed, it starts."""
    assert check(binds, path) == ""
