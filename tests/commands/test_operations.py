"""`trioproxy operations`: the table, whole or by section."""

import json

import pytest
from click.testing import CliRunner

from trioproxy.api.routes import ENDPOINTS
from trioproxy.commands.operations import command
from trioproxy.errors import ConfigError


def operations(*args: str) -> str:
    result = CliRunner().invoke(command, args, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_all() -> None:
    """Each endpoint is shown under its section, in lines of at most 80 columns."""
    lines = operations().splitlines()
    routes = [line for line in lines if line.startswith("  ") and line[2] != " "]
    assert [line.split() for line in routes] == [
        [one.operation, one.method, one.template] for one in ENDPOINTS
    ]
    assert max(map(len, lines)) <= 80


def test_one_section() -> None:
    """A section is chosen by its name in either case, with effect and risk."""
    assert operations("--section", "auth") == operations("--section", "AUTH")
    lines = operations("--section", "commit").splitlines()
    assert lines[:2] == ["COMMIT", "  ImageCommit              POST    /commit"]
    assert lines[2].endswith(" [writes, HOST-ROOT]")


def test_json() -> None:
    """A program gets each endpoint with all that is known of it."""
    data = json.loads(operations("--json"))
    assert len(data) == len(ENDPOINTS)
    (auth,) = [one for one in data if one["operation"] == "SystemAuth"]
    assert auth.pop("summary")
    assert auth == {
        "operation": "SystemAuth",
        "method": "POST",
        "template": "/auth",
        "section": "AUTH",
        "effect": "read",
        "stream": "none",
        "files": "-",
        "risk": "info-leak",
        "connects": True,
    }


@pytest.mark.parametrize(
    ("section", "hint"),
    [("volume", "did you mean VOLUMES?"), ("q", "one of ANY, AUTH, BUILD")],
)
def test_no_such_section(section: str, hint: str) -> None:
    """A section that does not exist is an error with a suggestion."""
    with pytest.raises(ConfigError) as caught:
        operations("--section", section)
    assert caught.value.hint.startswith(hint)
