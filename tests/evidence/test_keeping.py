"""What of an argument may be kept: names, paths and known words; never a secret."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.limits.arguing import Variables, asked, limits, refusal
from trioproxy.api.arguments import Argument
from trioproxy.api.decoding import Json
from trioproxy.api.families import LIMITS, Places
from trioproxy.api.normal import LONGEST
from trioproxy.evidence.keeping import as_moving, kept, kept_name
from trioproxy.limits.sorts import NOT_KEPT, is_listable

SECRET = "hunter2-S3cr3t"
URL = f"https://user:{SECRET}@host.example/path?token={SECRET}#{SECRET}"

# A value as it is judged, and what is kept of it.
KEPT: list[tuple[str, str, str]] = [
    ("CREATE_BINDS", "/srv/app:ro", "/srv/app:ro"),
    ("CREATE_BINDS", "relative", NOT_KEPT),
    ("CREATE_BINDS", f"/{'a' * (LONGEST - 1)}", f"/{'a' * (LONGEST - 1)}"),
    ("CREATE_BINDS", f"/{'a' * LONGEST}", NOT_KEPT),
    ("CREATE_CAPS", "NET_ADMIN", "NET_ADMIN"),
    ("CREATE_CAPS", "HUNTER2", NOT_KEPT),
    ("CREATE_IMAGES", "nginx:1.27", "nginx:1.27"),
    ("CREATE_IMAGES", f"sha256:{'a' * 64}", NOT_KEPT),
    ("CREATE_IMAGES", "deadbeef", NOT_KEPT),
    ("CREATE_IMAGES", f"nginx@sha256:{'a' * 64}", f"nginx@sha256:{'a' * 64}"),
    ("PULL_IMAGES", "beef:latest", "beef:latest"),
    ("CREATE_IMAGES", "Not%20An%20Image", NOT_KEPT),
    ("CREATE_NAMESPACES", "pid:host", "pid:host"),
    ("CREATE_NAMESPACES", "pid:hunter2", NOT_KEPT),
    ("CREATE_PORTS", "127.0.0.1:8080", "127.0.0.1:8080"),
    ("CREATE_PORTS", "hunter2", NOT_KEPT),
    ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs", "VolumeCreate:DriverOpts.type=nfs"),
    ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=hunter2", "VolumeCreate:DriverOpts.type"),
    ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.device=%3A/x", "VolumeCreate:DriverOpts.device"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.kernel.sem=1%202", "ContainerCreate:HostConfig.Sysctls.kernel.sem=1%202"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.kernel.x=hunter2", "ContainerCreate:HostConfig.Sysctls.kernel.x"),
    ("CREATE_OPTIONS", "NetworkCreate:IPAM.Config.Subnet=10.0.0.0/8", "NetworkCreate:IPAM.Config.Subnet=10.0.0.0/8"),
    ("CREATE_OPTIONS", "NetworkCreate:Options.parent=eth0", "NetworkCreate:Options.parent=eth0"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.LogConfig.Config.syslog-address=tcp%3A//logs", "ContainerCreate:HostConfig.LogConfig.Config.syslog-address=tcp%3A//logs"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.LogConfig.Config.syslog-address=tcp%3A//hunter%3A2@logs", "ContainerCreate:HostConfig.LogConfig.Config.syslog-address"),
    ("CREATE_OPTIONS", "NetworkCreate:Options.hunter=2", "NetworkCreate:Options.hunter"),
    ("BUILD_OPTIONS", "ImageBuild:networkmode=host", "ImageBuild:networkmode=host"),
    ("BUILD_OPTIONS", "ImageBuild:networkmode=app_net", "ImageBuild:networkmode=app_net"),
    ("BUILD_OPTIONS", "ImageBuild:networkmode=container%3Ax", "ImageBuild:networkmode"),
    ("EXEC_COMMANDS", "/usr/bin/pg_dump", "/usr/bin/pg_dump"),
    ("EXEC_COMMANDS", "sh%20-c%20x", NOT_KEPT),
    ("EXEC_COMMANDS", "A%3D1", NOT_KEPT),
    ("EXEC_USERS", "1000%3A1000", "1000%3A1000"),
    ("EXEC_USERS", "a%20b", NOT_KEPT),
    ("EXEC_USERS", "a%3Ab%3Ac", NOT_KEPT),
    ("EXEC_USERS", f"{'a' * 65}", NOT_KEPT),
    ("EXEC_COMMANDS", "a" * 129, NOT_KEPT),
    ("CREATE_BINDS", "{base}/x:ro", "{base}/x:ro"),
    ("PULL_IMAGES", "src:-", "src:-"),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "value", "wanted"), KEPT)
def test_what_is_kept(variable: str, value: str, wanted: str) -> None:
    """A value that a list can hold and that is no secret is kept as it is judged."""
    assert kept(Argument(variable, value, "x")) == wanted


PLANTED: list[tuple[str, dict[str, Any] | None, str]] = [
    ("ContainerCreate", {
        "Env": [f"A={SECRET}"], "Labels": {"a": SECRET}, "Cmd": [SECRET], "Entrypoint": [SECRET],
        "Healthcheck": {"Test": ["CMD", SECRET]}, "Hostname": SECRET, "User": SECRET, "New": SECRET,
        "HostConfig": {
            "LogConfig": {"Type": "splunk", "Config": {"splunk-token": SECRET, "splunk-url": URL}},
            "Annotations": {"a": SECRET}, "StorageOpt": {"x": SECRET}, "Sysctls": {"kernel.x": SECRET},
            "CgroupParent": SECRET, "Unknown": {"a": [SECRET]}, "ExtraHosts": [f"a:{SECRET}"],
            "Mounts": [{"Type": "volume", "VolumeOptions": {"Labels": {"a": SECRET}, "DriverConfig": {
                "Name": "local", "Options": {"type": "cifs", "o": f"username=u,password={SECRET}", "device": f"//u:{SECRET}@h/s"}}}}],
            "DeviceRequests": [{"Driver": "x", "Options": {"a": SECRET}, "DeviceIDs": [SECRET]}],
            "DeviceCgroupRules": [SECRET], "Tmpfs": {"/x": SECRET},
        },
        "NetworkingConfig": {"EndpointsConfig": {"n": {"DriverOpts": {"a": SECRET}, "Aliases": [SECRET]}}},
    }, ""),
    ("VolumeCreate", {"Driver": "local", "DriverOpts": {"type": "cifs", "o": f"password={SECRET}", "device": URL, "x": SECRET}, "Labels": {"a": SECRET}}, ""),
    ("VolumeCreate", {"Driver": "rclone", "DriverOpts": {"pass": SECRET, "remote": SECRET}}, ""),
    ("NetworkCreate", {"Name": "n", "Driver": "x", "Options": {"a": SECRET}, "IPAM": {"Options": {"a": SECRET}, "Config": [{"Subnet": SECRET}]}}, ""),
    ("ContainerExec", {"Env": [f"PATH={SECRET}", f"LD_PRELOAD={SECRET}"], "Cmd": [f"curl -H 'Authorization: {SECRET}'"]}, ""),
    ("ImageCreate", None, f"fromSrc={URL}&message={SECRET}&changes=ENV%20A={SECRET}&new={SECRET}"),
    ("ImageCreate", None, f"fromSrc=host.example/x?{SECRET}"),
    ("ImageBuild", None, f"remote={URL}&buildargs=%7B%22A%22:%22{SECRET}%22%7D&labels={SECRET}&outputs={SECRET}&session={SECRET}&networkmode=container:{SECRET}&cgroupparent={SECRET}"),
    ("ImageCommit", {"Env": [SECRET]}, f"comment={SECRET}&changes=ENV%20A={SECRET}"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "body", "query"), PLANTED)
def test_secrets_are_neither_kept_nor_told(
    operation: str, body: Json, query: str
) -> None:
    """A secret planted in every place that holds one is in no kept value and no message."""
    assert SECRET in json.dumps(body) + query
    found = asked(operation, body, query)
    for one in found.arguments:
        assert SECRET.lower() not in kept(one).lower(), one
        assert SECRET.lower() not in one.shown.lower() + one.place.lower(), one


@pytest.mark.parametrize(("operation", "body", "query"), PLANTED)
def test_what_is_kept_lists_what_was_asked_for(
    operation: str, body: Json, query: str
) -> None:
    """A list of what was kept of a request allows it, where all of it was kept."""
    found = asked(operation, body, query)
    lists = dict[str, list[str]]()
    for one in found.arguments:
        if item := kept(one):
            lists.setdefault(one.variable, []).append(item)
    variables: Variables = {name: ",".join(items) for name, items in lists.items()}
    assert limits(variables).by_variable.keys() == lists.keys()
    refused = refusal(variables, operation, body, query)
    by = (refused.variable, refused.item) if refused else ("", "")
    assert not any(kept(o) for o in found.arguments if (o.variable, o.value) == by)


NAMES: list[tuple[list[str], list[str], str]] = [
    ([], [], NOT_KEPT),
    (["b:1", "a:1"], [], "a:1"),
    (["b:1", "a:1"], ["b:1"], "b:1"),
    (["c:1", "b:1", "a:1"], ["c:1", "b:1"], "b:1"),
    (["a@sha256:x", "b:1"], ["a@sha256:x"], "b:1"),
    (["a@sha256:x"], [], NOT_KEPT),
]


@pytest.mark.parametrize(("names", "known", "wanted"), NAMES)
def test_the_name_of_an_id(names: list[str], known: list[str], wanted: str) -> None:
    """An image by its id is kept by a name: one that was seen, else the first with a tag."""
    assert kept_name(names, known) == wanted


BELOW: list[tuple[str, str, str, str]] = [
    ("CREATE_BINDS", "/srv/a/x:ro", "/srv/a", "{base}/x:ro"),
    ("CREATE_BINDS", "/srv/a", "/srv/a", "{base}"),
    ("CREATE_BINDS", "/srv/ab", "/srv/a", "/srv/ab"),
    ("CREATE_BINDS", "/srv/b/srv/a", "/srv/a", "/srv/b/srv/a"),
    ("CREATE_BINDS", "/srv/a", "", "/srv/a"),
    ("CREATE_DEVICES", "/srv/a/x", "/srv/a", "/srv/a/x"),
]


@pytest.mark.parametrize(("variable", "item", "base", "wanted"), BELOW)
def test_a_path_below_the_base(
    variable: str, item: str, base: str, wanted: str
) -> None:
    """A bind of a project's folder is kept by where it lies in that."""
    assert as_moving(variable, item, Places(base)) == wanted


PLACES = Places("/home/me/app", "/home/me/app/tmp", "shop")


@pytest.mark.parametrize(
    ("variable", "item", "wanted"),
    [
        ("CREATE_BINDS", "/home/me/app/tmp/x:ro", "{tmp}/x:ro"),
        ("CREATE_BINDS", "/home/me/app/tmp", "{tmp}"),
        ("CREATE_BINDS", "/home/me/app/tmpx", "{base}/tmpx"),
        ("CREATE_BINDS", "/tmp/x", "/tmp/x"),
        ("CREATE_IMAGES", "shop-web:latest", "{project}-web:latest"),
        ("CREATE_TAGS", "shop_web:1", "{project}_web:1"),
        ("CREATE_IMAGES", "shop:latest", "shop:latest"),
        ("CREATE_IMAGES", "shopping:1", "shopping:1"),
        ("CREATE_IMAGES", "shop-x/web:latest", "shop-x/web:latest"),
        ("CREATE_IMAGES", "registry.example/shop-web:1", "registry.example/shop-web:1"),
        ("CREATE_OPTIONS", "Hostname=shop-web", "Hostname=shop-web"),
    ],
)
def test_what_moves(variable: str, item: str, wanted: str) -> None:
    """What lies in one of the folders, the inner one first, and what Compose named by its
    project, is kept by that; and means what it was."""
    assert as_moving(variable, item, PLACES) == wanted
    assert PLACES.meant(wanted) == item


PARTS = st.text(st.sampled_from("ab/:*{}%,=@ sha256"), max_size=12)


@given(variable=st.sampled_from(sorted(LIMITS)), value=PARTS)
def test_what_is_kept_stands_in_a_list(variable: str, value: str) -> None:
    """Whatever is kept is an item of its variable, as it was or without what it was set to."""
    item = kept(Argument(variable, value, "x"))
    assert item == NOT_KEPT or is_listable(variable, item)
    assert value.startswith(item)
    assert as_moving(variable, item, Places("/a")) in {
        item,
        item.replace("/a", "{base}", 1),
    }
