"""What an item of a list stands for."""

import pytest

from tests.review.given import file
from trioproxy.limits.grant import Grant
from trioproxy.review.readings import reading

READINGS = [
    ("CREATE_BINDS=/srv/a/*", [("/*", "all that lies below")]),
    ("CREATE_BINDS=/t/job.*{8}", [("*{8}", "exactly 8 letters, digits, _ or -")]),
    ("CREATE_BINDS=/t/{rand8}", [("{rand8}", "exactly 8 letters, digits or _")]),
    ("CREATE_BINDS=/t/{num}", [("{num}", "any digits")]),
    ("CREATE_BINDS={base}/src:ro", [("{base}", "/home/ci"), (":ro", "to be read, and not written")]),
    ("CREATE_BINDS={tmp}/x-{num}", [("{num}", "any digits"), ("{tmp}", "/scratch")]),
    ("CREATE_IMAGES={project}-web:latest", [("{project}", "what CREATE_PROJECT names")]),
    ("CREATE_IMAGES=app:ro", []),
    ("CREATE_IMAGES=app:*", [("*", "any letters, digits, _ or -")]),
    ("CREATE_IMAGES=@built", [("@built", "what was built or committed through this policy since the proxy began, by its id; BuildKit tells none")]),
    ("CREATE_CAPS=NET_ADMIN", []),
    ("CREATE_CAPS=*", []),
    ("CREATE_PORTS=random", [("random", "any of 32768 to 60999, or what the Engine chooses")]),
    ("CREATE_PORTS=8080", []),
    ("CREATE_BINDS=/srv/random", []),
    ("EXEC_COMMANDS=*", []),
    ("EXEC_COMMANDS=echo", [("echo", "with any arguments")]),
    ("EXEC_USERS=@default", [("@default", "the container's own user, root where nothing else is said")]),
    ("ONLY_CONTAINERS=@own", [("@own", "what was made through a file with ONLY_OWNER=ci-7f3k")]),
    ("ONLY_CONTAINERS=@project:shop", [("@project:shop", "what Compose made for this project")]),
    ("ONLY_VOLUMES=@label:a=b", [("@label:a=b", "what has this label")]),
    ("ONLY_VOLUMES=web-*", [("*", "any letters, digits, _ or -")]),
    ("ONLY_NETWORKS=bridge", []),
]  # fmt: skip


@pytest.mark.parametrize(("line", "parts"), READINGS, ids=str)
def test_readings(line: str, parts: list[tuple[str, str]]) -> None:
    """Each part of an item that stands for more than itself is explained, and no other."""
    places = "CREATE_BASE=/home/ci\nCREATE_TMP=/scratch\nCREATE_CAPS=\n"
    policy = file(
        f"{places}ONLY_OWNER=ci-7f3k\nONLY_VOLUMES=@own\nALLOW_OPERATIONS=\n"
    ).policy
    assert list(reading(Grant.parse(line), policy)) == parts
