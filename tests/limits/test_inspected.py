"""What the Engine says of a container, read as if its creation asked for it now."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.deciding import Answer, decide
from tests.judge.test_naming import CONFINED, EXEC, container, world
from trioproxy.api.arguments import Given
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.fields import ARGUED
from trioproxy.api.reading import ask
from trioproxy.limits.inspected import arguments_of
from trioproxy.limits.things import Thing

CREATE = "POST /containers/create"


def reaching(host: object, **more: Any) -> Answer:  # noqa: ANN401  JSON
    """What becomes of an exec in a container of such a description."""
    variables = {**CONFINED, **more.pop("variables", {})}
    return decide(variables, EXEC, {}, world(container(HostConfig=host, **more)))


def has(answer: Answer) -> str:
    """What a container has that is not listed; empty: all is."""
    return answer.message.partition(", which has ")[2].partition(", and ")[0]


ASKED: dict[str, dict[str, Any]] = {
    "listed folder": {"Binds": ["/srv/app:/x"]},
    "folder": {"Binds": ["/etc:/x:ro"]},
    "mounted folder": {"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x"}]},
    "memory": {"Memory": 1},
    "capability": {"CapAdd": ["SYS_ADMIN"]},
    "privileged": {"Privileged": True},
    "not privileged": {"Privileged": False},
    "devices": {"Devices": [{"PathOnHost": "/dev/sda"}]},
    "host's network": {"NetworkMode": "host"},
    "host's processes": {"PidMode": "host"},
    "host's memory": {"IpcMode": "host"},
    "host's users": {"UsernsMode": "host"},
    "kernel": {"Sysctls": {"vm.x": "1"}},
    "parent": {"CgroupParent": "/x"},
    "profile": {"SecurityOpt": ["apparmor=unconfined"]},
    "port": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
    "unknown": {"New": {"a": 1}},
}
HOSTS = st.lists(st.sampled_from(sorted(ASKED)), max_size=2, unique=True)


@given(names=HOSTS)
def test_reaching_is_having(names: list[str]) -> None:
    """A container may be reached into that could be made, and by the same argument."""
    host = {"CapDrop": ["MKNOD"]}
    for name in names:
        host |= ASKED[name]
    made = decide(CONFINED, CREATE, {"Image": "x", "HostConfig": host}, world())
    reached = reaching(host)
    assert reached.allowed is made.allowed
    if not made.allowed:
        place = made.message.partition(" asks for ")[2].partition(", which")[0]
        assert (has(reached), reached.rule) == (place, made.rule)


BY_DEFAULT: list[dict[str, Any]] = [
    {"CgroupnsMode": "host"},
    {"LogConfig": {"Type": "syslog", "Config": {"a": "b"}}},
    {"IpcMode": "shareable"},
    {"IpcMode": "private", "NetworkMode": "bridge"},
    {"MaskedPaths": None, "ReadonlyPaths": None},
    {"PidMode": "private", "UTSMode": "private"},  # Podman's, of each container
]


@pytest.mark.parametrize("host", BY_DEFAULT, ids=map(str, BY_DEFAULT))
def test_what_nobody_asked_for(host: dict[str, Any]) -> None:
    """What the Engine writes into each description by itself is no argument."""
    assert reaching({"CapDrop": ["MKNOD"], **host}).allowed


def test_a_bind_as_podman_tells_of_it() -> None:
    """It says of each how it is mounted, in modes that Docker has not and no creation here may name:
    the folder counts, and whether it is read-only, and nobody who reaches into it gets a 400."""
    for told in ("rw,rprivate,nosuid,nodev,rbind", "ro,rprivate,rbind", "v"):
        is_volume = told == "v"
        bind = "v1:/x:rw,nosuid,rbind" if is_volume else f"/etc:/x:{told}"
        reached = reaching({"CapDrop": ["MKNOD"], "Binds": [bind]})
        place = "HostConfig.Binds[0]=/etc" + (":ro" if told.startswith("ro") else "")
        assert has(reached) == ("" if is_volume else place)


UNLABELLED = {"SecurityOpt": ["label=disable"], "CapDrop": ["MKNOD"]}
FREE = {"CREATE_NAMESPACES": "pid:host,ipc:host", "CREATE_PRIVILEGED": "1"}
LABELS: list[tuple[dict[str, Any], str]] = [
    ({}, "HostConfig.SecurityOpt[0]=label:disable"),
    ({"PidMode": "host"}, ""),
    ({"IpcMode": "host"}, ""),
    ({"Privileged": True}, ""),
    ({"Privileged": False}, "HostConfig.SecurityOpt[0]=label:disable"),
    ({"UTSMode": ""}, "HostConfig.SecurityOpt[0]=label:disable"),
]


@pytest.mark.parametrize(("host", "what"), LABELS, ids=[str(one[0]) for one in LABELS])
def test_what_the_engine_derives(host: dict[str, Any], what: str) -> None:
    """A privileged container, or one in the host's namespaces, has no label by that alone."""
    assert has(reaching({**UNLABELLED, **host}, variables=FREE)) == what
    other = {**UNLABELLED, **host, "SecurityOpt": ["seccomp=unconfined"]}
    assert has(reaching(other, variables=FREE)) == "HostConfig.SecurityOpt[0]=seccomp:unconfined"  # fmt: skip


BOUND = {"Type": "bind", "Source": "/srv/app", "Destination": "/x", "RW": True}
MOUNTS: list[tuple[object, str]] = [
    (None, ""),
    ([BOUND], ""),
    ([{**BOUND, "Source": "/etc"}], "HostConfig.Mounts[0].Source=/etc"),
    ([BOUND, {**BOUND, "Source": "/srv"}], "HostConfig.Mounts[1].Source=/srv"),
    ([{**BOUND, "Type": "tmpfs", "Source": "/etc"}], ""),
    ([{**BOUND, "Source": "/ro", "RW": False}], ""),
    ([{**BOUND, "Source": "/ro", "RW": True}], "HostConfig.Mounts[0].Source=/ro"),
    ([{"Type": "bind", "Source": "/ro"}], "HostConfig.Mounts[0].Source=/ro"),
]


@pytest.mark.parametrize(("mounts", "what"), MOUNTS, ids=[str(one) for one in MOUNTS])
def test_volumes_from_of_a_container(mounts: object, what: str) -> None:
    """What it has from another one stands among its mounts alone, and is read there."""
    variables = {"CREATE_NAMESPACES": "volumes:container", "CREATE_BINDS": "/srv/app,/ro:ro"}  # fmt: skip
    host = {"CapDrop": ["MKNOD"], "VolumesFrom": ["other:ro"]}
    answer = reaching(host, Mounts=mounts, variables=variables)
    assert (answer.allowed, has(answer)) == (not what, what)
    # Who has nothing from another one has its folders among `Binds` and `Mounts` of its own.
    alone = {"CapDrop": ["MKNOD"], "VolumesFrom": None}
    assert reaching(alone, Mounts=mounts, variables=variables).allowed
    own = [{"Type": "bind", "Source": "/root", "Target": "/y"}]
    answer = reaching({**host, "Mounts": own}, Mounts=mounts, variables=variables)
    assert has(answer) == "HostConfig.Mounts[0].Source=/root"
    assert not reaching(host, Mounts=None).allowed


@pytest.mark.parametrize("mounts", ["x", [7]], ids=str)
def test_mounts_of_another_kind(mounts: object) -> None:
    """A description that cannot be read says nothing, and lets nobody in."""
    host = {"CapDrop": ["MKNOD"], "VolumesFrom": ["other"]}
    free = {"CREATE_NAMESPACES": "volumes:container"}
    assert not reaching(host, Mounts=mounts, variables=free).allowed
    assert reaching(host, Mounts=[BOUND], variables=free).allowed


def test_its_image_and_environment_are_not_looked_at() -> None:
    """The image gives nothing on the host: no list of images keeps anybody out."""
    config = {
        "Labels": {"trioproxy.owner": "app"},
        "Env": ["NVIDIA_VISIBLE_DEVICES=all"],
    }
    mounted = {"Type": "image", "Source": "evil:1", "Target": "/x"}
    answer = reaching(
        {"CapDrop": ["MKNOD"], "Mounts": [mounted]},
        Config={**config, "Image": "evil"},
        variables={"CREATE_IMAGES": "app"},
    )
    assert answer.allowed


def test_only_containers_and_volumes_have_anything() -> None:
    """A network has nothing; a volume its driver and options."""
    described: dict[str, Json] = {"Driver": "nfs", "Options": {"o": "addr=x"}, "HostConfig": {"Privileged": True}}  # fmt: skip
    volume = Thing(Kind.VOLUME, "v", value=described)
    found = {(one.variable, one.value) for one in arguments_of(volume)}
    assert ("CREATE_DRIVERS", "volume:nfs") in found
    assert len(found) > 1
    assert not list(arguments_of(volume._replace(kind=Kind.NETWORK)))
    assert not list(arguments_of(volume._replace(value={"Driver": "local"})))
    bare = Thing(Kind.CONTAINER, "c", value={"HostConfig": {}})
    assert not list(arguments_of(bare))
    assert len(list(arguments_of(bare, with_nodes=True))) == 1


def test_podman_tells_twice_what_a_volume_was_made_with() -> None:
    """What stood in `o` has a name of its own there, which says no more; in a request it does."""
    options: Json = {"SIZE": "1m", "UID": "1", "type": "tmpfs", "o": "size=1m,uid=1"}
    volume = Thing(Kind.VOLUME, "v", value={"Driver": "local", "Options": options})
    assert not list(arguments_of(volume))
    request = Given(operation=ARGUED["VolumeCreate"], path="", body={"DriverOpts": options})  # fmt: skip
    asked = [one.place for one in ask(request).arguments]
    assert asked == ["DriverOpts.SIZE", "DriverOpts.UID"]
