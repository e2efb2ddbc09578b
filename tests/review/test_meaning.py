"""What a file means: root or not, and by what."""

import pytest

from trioproxy.policy.permissions import parse_policy
from trioproxy.review.meaning import Meaning, meaning_of


def meaning(**variables: str) -> Meaning:
    policy, _ = parse_policy(variables)
    return meaning_of(policy)


CREATE = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerList"}
WAYS: list[tuple[dict[str, str], list[str]]] = [
    ({"CONTAINERS": "1"}, []),
    (CREATE, ["ContainerCreate: nothing limits what it asks for"]),
    ({**CREATE, "EXEC_USERS": ""}, ["ContainerCreate: nothing limits what it asks for"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app:ro,/srv/app/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app/*"}, ["ContainerCreate: CREATE_BINDS=/srv/app/*"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app/*:ro"}, []),
    ({**CREATE, "CREATE_BINDS": "/etc"}, ["ContainerCreate: CREATE_BINDS=/etc"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}"}, []),
    ({**CREATE, "CREATE_CAPS": "SYS_ADMIN"}, ["ContainerCreate: CREATE_CAPS=SYS_ADMIN"]),
    ({**CREATE, "CREATE_OPTIONS": "*"}, ["ContainerCreate: CREATE_OPTIONS=*"]),
    ({"ALLOW_OPERATIONS": "ContainerExec", "EXEC_PRIVILEGED": "0"}, ["ContainerExec: reaches into any container, whatever it was given"]),
    ({"ALLOW_OPERATIONS": "PluginEnable", "CREATE_CAPS": ""}, ["PluginEnable: starts a plugin with its privileges"]),
    ({"ALLOW_OPERATIONS": "ContainerList", "CREATE_PRIVILEGED": "1"}, []),
    ({"IMAGES": "1", "BUILD": "1", "POST": "1", "BUILD_OPTIONS": ""}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "ways"), WAYS, ids=[str(w[0])[-60:] for w in WAYS]
)
def test_ways_to_root(variables: dict[str, str], ways: list[str]) -> None:
    """Each known way is named with the operation and the value that gives it."""
    found = meaning(**variables)
    assert [str(way) for way in found.ways] == ways
    assert found.is_root is bool(ways)
    assert found.answer.startswith(
        "root on the host: yes, by " if ways else "root on the host: no known way"
    )


def test_a_limited_family_is_shown_whole() -> None:
    """What is not set in a limited family is shown as closed, and open families are not."""
    found = meaning(**CREATE, CREATE_BINDS="/srv/app")
    shown = {one.variable: (one.value, one.is_set) for one in found.limits}
    assert shown["CREATE_BINDS"] == ("/srv/app", True)
    assert shown["CREATE_PRIVILEGED"] == ("", False)
    assert "CREATE_IMAGES" not in shown
    assert not any(name.startswith("EXEC_") for name in shown)
