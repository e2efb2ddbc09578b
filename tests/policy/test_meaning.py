"""What a file means: root or not, and by what."""

import pytest

from trioproxy.policy import samples
from trioproxy.policy.endpoints import OPERATIONS, UNLIMITABLE
from trioproxy.policy.meaning import Meaning, limits_power_of, meaning_of
from trioproxy.policy.permissions import parse_policy


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
    # Links planted in what may be written, below which another item lies.
    ({**CREATE, "CREATE_BINDS": "/srv/app/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BINDS": "/srv/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/app/data:ro"}, ["ContainerCreate: CREATE_BINDS=/srv/a*"]),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/b*,/srv/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/b/app/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app2/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app/run-*:ro"}, ["ContainerCreate: CREATE_BINDS=/srv/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base},{base}/data"}, ["ContainerCreate: CREATE_BINDS={base}"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "/home/me/app,{base}/data"}, ["ContainerCreate: CREATE_BINDS=/home/me/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}/data,/home/me/app"}, ["ContainerCreate: CREATE_BINDS=/home/me/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}:ro,{base}/data"}, []),
    # By another name of the folder.
    ({**CREATE, "CREATE_BINDS": "/var/run/app,/run/app/data:ro"}, ["ContainerCreate: CREATE_BINDS=/var/run/app"]),
    ({**CREATE, "CREATE_BINDS": "/run/app,/var/run/a*:ro,/var/run/app/x:ro"}, ["ContainerCreate: CREATE_BINDS=/run/app"]),
    ({**CREATE, "CREATE_BINDS": "/host_mnt/srv/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BASE": "/var/home/me/app", "CREATE_BINDS": "{base},/home/me/app/x:ro"}, ["ContainerCreate: CREATE_BINDS={base}"]),
    ({**CREATE, "CREATE_BINDS": "/var/run/app,/run/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/mnt/a/films,/mnt/b/films/new"}, []),
    ({"ALLOW_OPERATIONS": "VolumeCreate", "CREATE_BINDS": "/srv/app,/srv/app/x"}, ["VolumeCreate: CREATE_BINDS=/srv/app"]),
    # Doors that nothing limits, whatever their risk is without limits beside them.
    ({**CREATE, "ALLOW_OPERATIONS": "ContainerCreate,ImageLoad", "CREATE_BINDS": ""}, ["ImageLoad: loads images, may replace tags"]),
    ({"ALLOW_OPERATIONS": "SwarmInspect"}, ["SwarmInspect: shows the join tokens, by which anybody becomes a manager"]),
    ({"ALLOW_OPERATIONS": "Session", "BUILD_OPTIONS": ""}, ["Session: offers files and credentials to later builds"]),
    ({"ALLOW_OPERATIONS": "CheckpointDelete"}, ["CheckpointDelete: removes a folder, anywhere on the host"]),
    # Doors into what other containers were given.
    ({"ALLOW_OPERATIONS": "ContainerArchive"}, ["ContainerArchive: copies files out of any container, and of what the host shares with it"]),
    ({"ALLOW_ARCHIVE": "1"}, ["ContainerArchive: copies files out of any container, and of what the host shares with it"]),
    ({"ALLOW_OPERATIONS": "ContainerAttach", "CREATE_BINDS": ""}, ["ContainerAttach: reaches into any container, whatever it was given"]),
    ({"ALLOW_OPERATIONS": "LibpodArtifactAddLocal"}, ["LibpodArtifactAddLocal: reads any file of the host"]),
    ({**CREATE, "CREATE_NAMESPACES": "net:container"}, ["ContainerCreate: CREATE_NAMESPACES=net:container"]),
    ({**CREATE, "CREATE_NAMESPACES": "ipc:container,ipc:host"}, ["ContainerCreate: CREATE_NAMESPACES=ipc:container", "ContainerCreate: CREATE_NAMESPACES=ipc:host"]),
    # A value counts for those operations that can ask for it.
    ({"ALLOW_OPERATIONS": "NetworkCreate", "CREATE_PRIVILEGED": "1", "CREATE_BINDS": "/"}, []),
    ({"ALLOW_OPERATIONS": "ContainerCreate,NetworkConnect", "CREATE_NAMESPACES": "volumes:container"}, ["ContainerCreate: CREATE_NAMESPACES=volumes:container"]),
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


IMAGES = "replaces no image that others run"
CONDITIONS: list[tuple[dict[str, str], list[str]]] = [
    ({"ALLOW_OPERATIONS": "ContainerList,ImagePush"}, []),
    ({"ALLOW_OPERATIONS": "ImageTag"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageTag", "CREATE_TAGS": "*"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageTag", "CREATE_TAGS": "acme/app:*"}, []),
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": ""}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": "", "CREATE_TAGS": ""}, []),
    ({"ALLOW_OPERATIONS": "ImageCommit", "EXEC_USERS": ""}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "nginx:*"}, []),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "*"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "src:-"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "src:-", "CREATE_TAGS": "a"}, []),
    ({"ALLOW_OPERATIONS": "LibpodImageTag"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "LibpodVolumeImport"}, ["finds no volume that leads to the host"]),
    ({"NETWORKS": "1"}, []),
    ({"NETWORKS": "1", "POST": "1"}, ["sends nothing that this version does not know"]),
    ({"NETWORKS": "1", "POST": "1", "CREATE_CAPS": ""}, []),
    ({"ALLOW_OPERATIONS": "POST:/frob/{x}"}, ["sends nothing that this version does not know"]),
    ({"ALLOW_OPERATIONS": "GET:/frob/{x}"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "conditions"), CONDITIONS, ids=[str(c[0])[-60:] for c in CONDITIONS]
)
def test_what_must_be_true_is_told(
    variables: dict[str, str], conditions: list[str]
) -> None:
    """What another person's act would make of a file stands beside the answer."""
    found = meaning(**variables)
    assert list(found.conditions) == conditions
    assert not found.is_root


def test_a_create_is_told_of_with_what_lies_outside_of_its_limits() -> None:
    """Parents of binds, volumes and networks of others are named wherever they count."""
    found = meaning(**CREATE, CREATE_BINDS="/srv/app")
    assert found.answer == (
        "root on the host: no known way, for a client that runs nothing on the host"
        " itself, cannot write the parents of its binds and finds no volume or network"
        " of others that leads to the host"
    )
    assert "parents" not in meaning(**CREATE, CREATE_BINDS="").answer


@pytest.mark.parametrize("name", sorted(UNLIMITABLE))
def test_no_door_without_a_limit_is_passed_over(name: str) -> None:
    """Whatever stands open beside limits, and cannot be limited, is a way to root."""
    if any(True for e in OPERATIONS[name] for _ in samples.of_endpoint(e)):
        found = meaning(ALLOW_OPERATIONS=name, CREATE_BINDS="")
        assert [way.operation for way in found.ways] == [name]


def test_what_reaches_into_own_containers_alone_is_limited() -> None:
    """Beside limits and lists of objects, an attach has no more power than a create."""
    listed = {
        "ALLOW_OPERATIONS": "ContainerAttach,ContainerCreate,PutContainerArchive",
        "CREATE_BINDS": "",
        "ONLY_CONTAINERS": "@own",
        "ONLY_OWNER": "app",
    }
    policy, _ = parse_policy(listed)
    for operation in policy.opened_operations:
        assert limits_power_of(policy, operation)
    open_to_all = {name: listed[name] for name in ("ALLOW_OPERATIONS", "CREATE_BINDS")}
    assert not limits_power_of(parse_policy(open_to_all)[0], "ContainerAttach")
    without = {name: value for name, value in listed.items() if name != "CREATE_BINDS"}
    assert not limits_power_of(parse_policy(without)[0], "ContainerAttach")
    anybody, _ = parse_policy({**listed, "ONLY_CONTAINERS": "*"})
    assert not limits_power_of(anybody, "ContainerAttach")
