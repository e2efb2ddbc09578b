from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.limits.arguing import Variables, asked, create, limits, refusal
from trioproxy.api import fields
from trioproxy.api.decoding import Json
from trioproxy.api.families import FAMILIES, LIMITS, VARIABLES, Family
from trioproxy.api.fields import Field, Operation
from trioproxy.errors import ConfigError
from trioproxy.file import envfile
from trioproxy.limits.limit import open_families
from trioproxy.limits.sorts import why_root

A64 = "a" * 64
PROPAGATION = "ContainerCreate:HostConfig.Mounts.BindOptions.Propagation"

# Variable, its value, then what it allows and what it does not.
LISTED: list[tuple[str, str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("CREATE_PRIVILEGED", "1", [{"Privileged": True}, {}], []),
    ("CREATE_PRIVILEGED", "0", [{"Privileged": False}], [{"Privileged": True}]),
    ("CREATE_PRIVILEGED", "", [{}], [{"Privileged": True}]),
    ("CREATE_PRIVILEGED", "*", [{"Privileged": True}], []),
    ("CREATE_BINDS", "/srv/app", [{"Binds": ["/srv/app:/a"]}, {"Binds": ["/srv/app/:/a:ro"]}, {"Binds": ["/srv//x/../app:/a"]}],
     [{"Binds": ["/srv/app/x:/a"]}, {"Binds": ["/srv:/a"]}, {"Binds": ["/srv/app/..:/a"]}, {"Binds": ["/srv/app", "/:/a"]}, {"Binds": ["/srv/App:/a"]}]),
    ("CREATE_BINDS", "/srv/app:ro", [{"Binds": ["/srv/app:/a:ro"]}], [{"Binds": ["/srv/app:/a"]}, {"Binds": ["/srv/app:/a:ro,z"]}]),
    ("CREATE_BINDS", "/srv/app/*", [{"Binds": ["/srv/app/x:/a"]}, {"Binds": ["/srv/app/x/y.z:/a"]}],
     [{"Binds": ["/srv/app:/a"]}, {"Binds": ["/srv/app/../x:/a"]}, {"Binds": ["/srv/app/run/docker.sock:/a"]}, {"Binds": ["/srv/app/docker.sock:/a:ro"]}]),
    ("CREATE_BINDS", "/tmp/run-*", [{"Binds": ["/tmp/run-a_1-b:/a"]}],
     [{"Binds": ["/tmp/run-:/a"]}, {"Binds": ["/tmp/run-a/b:/a"]}, {"Binds": ["/tmp/run-a.b:/a"]}, {"Binds": ["/tmp/run-*:/a"]}]),
    ("CREATE_BINDS", "/a%2Ab", [{"Binds": ["/a*b:/a"]}], [{"Binds": ["/axb:/a"]}]),
    ("CREATE_BINDS", "/var/run/docker.sock", [{"Binds": ["/var/run/docker.sock:/s"]}], [{"Binds": ["/run/docker.sock:/s"]}]),
    ("CREATE_BINDS", "*", [{"Binds": ["/:/a", "/var/run/docker.sock:/b"]}], [{"Privileged": True}]),
    ("CREATE_CAPS", "NET_ADMIN,SYS_TIME", [{"CapAdd": ["net_admin", "CAP_SYS_TIME", "chown"]}], [{"CapAdd": ["SYS_ADMIN"]}, {"CapAdd": ["ALL"]}]),
    ("CREATE_DEVICES", "/dev/fuse,gpu", [{"Devices": [{"PathOnHost": "/dev/fuse"}]}, {"DeviceRequests": [{"Capabilities": [["gpu"]]}]}],
     [{"Devices": [{"PathOnHost": "/dev/sda"}]}, {"Devices": [{"PathOnHost": "dev/fuse"}]}, {"DeviceCgroupRules": ["a *:* rwm"]}, {"Devices": [{}]}]),
    ("CREATE_DEVICES", "/dev/dri/*,rule,driver:cdi", [{"Devices": [{"PathOnHost": "/dev/dri/card0"}]}, {"DeviceCgroupRules": ["c 1:1 r"]},
     {"DeviceRequests": [{"Driver": "cdi"}]}], [{"DeviceRequests": [{"Driver": "x"}]}]),
    ("CREATE_SECURITY", "seccomp:unconfined", [{"SecurityOpt": ["seccomp=unconfined"]}], [{"SecurityOpt": ["apparmor=unconfined"]}, {"MaskedPaths": []}]),
    ("CREATE_SECURITY", "label:level%3As0,paths:unmasked", [{"SecurityOpt": ["label=level:s0"], "MaskedPaths": []}], [{"ReadonlyPaths": []}]),
    ("CREATE_NAMESPACES", "net:host", [{"NetworkMode": "host"}], [{"PidMode": "host"}, {"NetworkMode": "container:a"}]),
    ("CREATE_DRIVERS", "log:syslog", [{"LogConfig": {"Type": "syslog"}}], [{"LogConfig": {"Type": "gelf"}}, {"VolumeDriver": "syslog"}]),
    ("CREATE_RUNTIMES", "runsc", [{"Runtime": "runsc"}, {"Runtime": ""}], [{"Runtime": "kata"}, {"Runtime": "runc"}]),
    ("CREATE_PORTS", "8080,127.0.0.1:9000-9010,random/udp", [
        {"PortBindings": {"1": [{"HostPort": "8080"}, {"HostIp": "10.0.0.1", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": "9001-9002"}]}},
        {"PortBindings": {"1/udp": [{}]}}],
     [{"PortBindings": {"1": [{"HostPort": "9001"}]}}, {"PortBindings": {"1": [{"HostIp": "127.0.0.1", "HostPort": "9009-9011"}]}},
      {"PortBindings": {"1/udp": [{"HostPort": "8080"}]}}, {"PortBindings": {"1": [{}]}}, {"PublishAllPorts": True}, {"PortBindings": {"1": [{"HostPort": "x"}]}}]),
    ("CREATE_PORTS", "[::1]:80,random", [{"PortBindings": {"1": [{"HostIp": "::1", "HostPort": "80"}]}}, {"PublishAllPorts": True}],
     [{"PortBindings": {"1": [{"HostIp": "::", "HostPort": "80"}]}}]),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.CgroupParent,ContainerCreate:HostConfig.New", [{"CgroupParent": "/x"}, {"New": 1}],
     [{"Newer": 1}, {"Cgroup": "x"}, {"Privileged": True}]),
    ("CREATE_OPTIONS", f"{PROPAGATION}=rslave", [{"Mounts": [{"Type": "tmpfs", "BindOptions": {"Propagation": "rslave"}}]}],
     [{"Mounts": [{"Type": "tmpfs", "BindOptions": {"Propagation": "rshared"}}]}]),
    *(("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{key}={value.replace(':', '%3A')}",
     [{"LogConfig": {"Type": "local", "Config": {key: value}}}], [{"LogConfig": {"Type": "local", "Config": {key: f"{value}1"}}}, {"LogConfig": {"Type": "local", "Config": {key: "tcp://127.0.0.1:1"}}}])
     for key, value in {"syslog-address": "tcp://logs:514", "fluentd-address": "logs:24224", "splunk-url": "https://logs:8088", "awslogs-endpoint": "https://logs"}.items()),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Annotations.a", [{"Annotations": {"a": "x=y"}}], [{"Annotations": {"ab": "x"}}]),
    ("CREATE_OPTIONS", "*", [{"CgroupParent": "/x", "New": 1}], [{"Privileged": True}, {"Binds": ["/:/a"]}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "allowed", "refused"),
    LISTED,
    ids=[f"{row[0]}={row[1]}"[:70] for row in LISTED],
)
def test_a_list_allows_what_it_lists(
    variable: str,
    value: str,
    allowed: list[dict[str, Any]],
    refused: list[dict[str, Any]],
) -> None:
    """What a list names passes in every form that means it, and nothing else does."""
    variables = {variable: value}
    for host in allowed:
        assert refusal(variables, "ContainerCreate", {"HostConfig": host}) is None, host
    for host in refused:
        assert refusal(variables, "ContainerCreate", {"HostConfig": host}), host


IMAGES: list[tuple[str, list[str], list[str]]] = [
    ("busybox", ["busybox", "docker.io/library/busybox:latest", "index.docker.io/busybox", "library/busybox"],
     ["busybox:1", f"busybox@sha256:{A64}", "ghcr.io/busybox", "library/x/busybox", "localhost/busybox", "Docker.io/library/busybox"]),
    ("x/busybox", ["x/busybox", "docker.io/x/busybox"], ["library/x/busybox"]),
    ("nginx:1.27", ["nginx:1.27"], ["nginx", "nginx:1.28", f"nginx:1.27@sha256:{A64}"]),
    ("nginx:1.*", ["nginx:1.27", "nginx:1.27-alpine"], ["nginx:2", "nginx:latest"]),
    ("nginx:*", ["nginx", "nginx:x", f"nginx@sha256:{A64}"], ["nginx2", "x/nginx"]),
    (f"nginx@sha256:{A64}", [f"nginx@sha256:{A64}"], ["nginx", f"nginx@sha256:{'b' * 64}", f"nginx:1@sha256:{A64}"]),
    ("nginx@*", [f"nginx@sha256:{A64}"], ["nginx", f"nginx:1@sha256:{A64}"]),
    (f"nginx:1,nginx@sha256:{A64}", [f"nginx:1@sha256:{A64}"], [f"nginx:2@sha256:{A64}", f"nginx:1@sha256:{'b' * 64}"]),
    (f"nginx:1@sha256:{A64}", [f"nginx:1@sha256:{A64}"], ["nginx:1", f"nginx@sha256:{A64}"]),
    (f"r.io:5/a:1,r.io:5/a@sha256:{A64}", [f"r.io:5/a:1@sha256:{A64}", f"r.io:5/a@sha256:{A64}"], [f"r.io:5/a:2@sha256:{A64}"]),
    ("ghcr.io/acme/*:*", ["ghcr.io/acme/a:1", "ghcr.io/acme/a/b"], ["ghcr.io/acme", "ghcr.io/acme2/a", "acme/a"]),
    ("acme*/app:*", ["acme1/app"], ["acme.evil.com/app", "acme.evil.com:5000/app", "acme/x/app"]),
    ("r.io:5/*:*", ["r.io:5/a", "r.io:5/a/b:1"], ["r.io/a", "r.io:50/a", "docker.io/a"]),
    ("localhost:5000/a:1", ["localhost:5000/a:1"], ["localhost:5000/a", "localhost/a:1"]),
    ("localhost/a,ghcr.io/b/*", ["localhost/a", "ghcr.io/b/c"], ["docker.io/localhost/a", "index.docker.io/ghcr.io/b/c"]),
    ("docker.io/localhost/a", ["docker.io/localhost/a"], ["localhost/a"]),
    ("index.docker.io", ["index.docker.io", "docker.io/library/index.docker.io"], ["docker.io", "index.docker.io/a"]),
    (f"sha256:{A64}", [f"sha256:{A64}"], [A64, "sha256"]),
    ("*", ["anything", A64, "cafe"], []),
    ("cafe", [], ["cafe", "c", "cafe:1"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "allowed", "refused"), IMAGES, ids=[r[0] for r in IMAGES]
)
def test_images(value: str, allowed: list[str], refused: list[str]) -> None:
    """Images are compared in their normal form, part by part."""
    for image in allowed:
        assert (
            refusal({"CREATE_IMAGES": value}, "ContainerCreate", {"Image": image})
            is None
        ), image
    for image in refused:
        assert refusal({"CREATE_IMAGES": value}, "ContainerCreate", {"Image": image}), (
            image
        )


@pytest.mark.parametrize("named", [{}, {"Image": ""}, {"Image": None}], ids=str)
def test_a_container_of_no_image_is_in_no_list_of_images(named: dict[str, Any]) -> None:
    """Docker makes one, with nothing in it, and whoever may write into it runs what he likes."""
    for value in ("app:1", "*:*"):
        refused = refusal({"CREATE_IMAGES": value}, "ContainerCreate", named)
        assert refused
        assert refused.message == (
            "ContainerCreate asks for no image, which CREATE_IMAGES does not list"
        )
    for variables in ({"CREATE_IMAGES": "*"}, {"CREATE_BINDS": ""}):
        assert refusal(variables, "ContainerCreate", named) is None


MESSAGES: list[tuple[Variables, str, Any, str, str]] = [
    ({"CREATE_BINDS": "/srv"}, "ContainerCreate", {"HostConfig": {"Binds": ["/srv:/a", "/etc:/b"]}}, "",
     "ContainerCreate asks for HostConfig.Binds[1]=/etc, which CREATE_BINDS does not list"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"HostConfig": {"Binds": ["/srv/* \u00e9:/b"]}}, "",
     "ContainerCreate asks for HostConfig.Binds[0]=/srv/%2A%20%C3%A9, which CREATE_BINDS does not list"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"HostConfig": {"CapAdd": ["*"]}}, "",
     "ContainerCreate asks for HostConfig.CapAdd[0]=%2A, which CREATE_CAPS does not list"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"hostconfig": {"privileged": True}}, "",
     "ContainerCreate asks for HostConfig.Privileged=true, which CREATE_PRIVILEGED does not list as 1 yet"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"HostConfig": {"PidMode": "x\n\u00e9"}}, "",
     "ContainerCreate asks for HostConfig.PidMode=x\\x0a\\xe9, which CREATE_NAMESPACES does not list"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"HostConfig": {"Runtime": "x" * 99}}, "",
     f"ContainerCreate asks for HostConfig.Runtime={'x' * 64}..., which CREATE_RUNTIMES does not list as {'x' * 99} yet"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"Frob": "secret"}, "",
     "ContainerCreate asks for Frob, which CREATE_OPTIONS does not list as ContainerCreate:Frob yet"),
    ({"CREATE_BINDS": ""}, "ContainerCreate", {"Privileged": True}, "",
     "ContainerCreate asks for Privileged outside of HostConfig, where Engines before 27 obey it: send it in HostConfig"),
    ({"PULL_IMAGES": ""}, "ImageCreate", None, "fromSrc=http://u:p@x/y?z",
     "ImageCreate asks for fromSrc=http://x/y, which PULL_IMAGES does not list as src:http%3A//x/y yet"),
    ({"BUILD_OPTIONS": ""}, "ImageBuild", None, "networkmode=host",
     "ImageBuild asks for networkmode=host, which BUILD_OPTIONS does not list as ImageBuild:networkmode=host yet"),
    ({"EXEC_USERS": "app"}, "ContainerExec", {"Cmd": ["a"]}, "",
     "ContainerExec asks for User=@default, which EXEC_USERS does not list"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "operation", "body", "query", "message"),
    MESSAGES,
    ids=[row[4][:60] for row in MESSAGES],
)
def test_a_refusal_names_field_value_and_variable(
    variables: Variables, operation: str, body: Json, query: str, message: str
) -> None:
    """A refusal says what was asked for and which variable would list it, safely."""
    found = refusal(variables, operation, body, query)
    assert found is not None
    assert found.message == message


FAMILY_CASES: list[tuple[Variables, str, Any, str, bool]] = [
    ({}, "ContainerCreate", {"HostConfig": {"Privileged": True}}, "", True),
    ({"EXEC_USERS": ""}, "ContainerCreate", {"HostConfig": {"Privileged": True}}, "", True),
    ({"CREATE_PORTS": "80"}, "ContainerCreate", {"HostConfig": {"Privileged": True}}, "", False),
    ({"CREATE_PORTS": "80"}, "ContainerCreate", {"Image": "any"}, "", True),
    ({"CREATE_PORTS": "80"}, "VolumeCreate", {"DriverOpts": {"o": "bind", "device": "/"}}, "", False),
    ({"CREATE_PORTS": "80"}, "ContainerExec", {"Privileged": True}, "", True),
    ({"CREATE_PORTS": "80"}, "ImageBuild", None, "t=x", False),
    ({"CREATE_PORTS": "80"}, "ImageBuild", None, "networkmode=host", True),
    ({"CREATE_TAGS": "x"}, "ImageBuild", None, "t=x", True),
    ({"BUILD_OPTIONS": ""}, "ImageBuild", None, "t=x", True),
    ({"EXEC_PRIVILEGED": "0"}, "ContainerExec", {"Cmd": ["sh"], "User": "root", "Env": ["PATH=/x"]}, "", True),
    ({"EXEC_COMMANDS": "sh"}, "ContainerExec", {"Cmd": ["sh"], "User": "root"}, "", True),
    ({"EXEC_COMMANDS": "sh"}, "ContainerExec", {"Cmd": ["/bin/sh"]}, "", False),
    ({"EXEC_COMMANDS": "sh"}, "ContainerExec", {"Cmd": ["sh"], "Env": ["PATH=/x"]}, "", False),
    ({"EXEC_COMMANDS": "sh", "EXEC_OPTIONS": "ContainerExec:Env.PATH"}, "ContainerExec", {"Cmd": ["sh"], "Env": ["PATH=/x"]}, "", True),
    ({"EXEC_COMMANDS": "*"}, "ContainerExec", {"Cmd": ["sh"], "Env": ["PATH=/x"]}, "", True),
    *(({"EXEC_COMMANDS": "sh"}, "ContainerExec", {"Cmd": ["sh"], "Env": [f"{name}=/x"]}, "", False)
      for name in ("BASH_ENV", "ENV", "BASH_FUNC_x%%", "PYTHONPATH", "NODE_OPTIONS", "LD_AUDIT", "GIT_SSH", "A", "")),
    ({"EXEC_COMMANDS": "sh", "EXEC_OPTIONS": "ContainerExec:Env.BASH_FUNC_x%25%25"}, "ContainerExec", {"Cmd": ["sh"], "Env": ["BASH_FUNC_x%%=() { y; }"]}, "", True),
    ({"PULL_IMAGES": "nginx:1"}, "ImageCreate", None, f"fromImage=nginx@sha256:{A64}&tag=1", False),
    ({"PULL_IMAGES": f"nginx@sha256:{A64}"}, "ImageCreate", None, f"fromImage=nginx@sha256:{A64}&tag=1", False),
    ({"PULL_IMAGES": f"nginx:1,nginx@sha256:{A64}"}, "ImageCreate", None, f"fromImage=nginx@sha256:{A64}&tag=1", True),
    ({"EXEC_USERS": "@default,1000%3A1000"}, "ContainerExec", {"Cmd": ["sh"]}, "", True),
    ({"EXEC_USERS": "@default,1000%3A1000"}, "ContainerExec", {"Cmd": ["sh"], "User": "1000:1000"}, "", True),
    ({"EXEC_USERS": "@default"}, "ContainerExec", {"Cmd": ["sh"], "User": "@default"}, "", False),
    ({"PULL_IMAGES": "src:http%3A//h/*"}, "ImageCreate", None, "fromSrc=http://h/x.tar", True),
    ({"PULL_IMAGES": "src:http%3A//h/*"}, "ImageCreate", None, "fromSrc=http://h/x/y.tar", False),
    ({"PULL_IMAGES": "nginx:*"}, "ImageCreate", None, "fromImage=nginx", True),
    ({"PULL_IMAGES": "nginx"}, "ImageCreate", None, "fromImage=nginx", False),
    ({"PULL_IMAGES": "src:-"}, "ImageCreate", None, "fromSrc=-&repo=x", True),
    ({"CREATE_CAPS": ""}, "ImageCreate", None, "fromSrc=-&repo=x", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "operation", "body", "query", "passes"),
    FAMILY_CASES,
    ids=[f"{n}-{row[0]}-{row[1]}"[:70] for n, row in enumerate(FAMILY_CASES)],
)
def test_a_family_is_limited_as_a_whole(
    variables: Variables, operation: str, body: Json, query: str, passes: bool
) -> None:
    """One variable closes its family, but not what counts only when it is set itself."""
    assert (refusal(variables, operation, body, query) is None) is passes


@pytest.mark.parametrize("variable", sorted(LIMITS))
def test_set_and_empty_allows_what_is_harmless(variable: str) -> None:
    """A variable that is set to nothing closes its family and lists nothing."""
    found = limits({variable: ""})
    assert found
    assert len(found.families) == 1
    (family,) = found.families
    for name in FAMILIES[family]:
        limit = found.limit_of(name)
        if VARIABLES[name].only_when_set and name != variable:
            assert limit is None
        else:
            assert limit is not None
            assert not limit.allows("anything")
            assert limit.value == ""


ERRORS = [
    ("CREATE_BINDS", "srv", "not an absolute path"),
    ("CREATE_BINDS", "./data", "not an absolute path"),
    ("CREATE_BINDS", "/srv/", "write /srv"),
    ("CREATE_BINDS", "/srv/:ro", "write /srv:ro"),
    ("CREATE_BINDS", "srv:ro", "write /srv:ro, from"),
    ("CREATE_BINDS", "/srv//a-*/", "write /srv/a-*"),
    ("CREATE_BINDS", "/srv/..//*:ro", "write /*:ro"),
    ("CREATE_BINDS", "/srv//{rand8}", "write /srv/{rand8}"),
    ("CREATE_BINDS", "/%C3%a9", "write %A9 for %a9"),
    ("CREATE_DEVICES", "/dev/fuse:rwm", "write /dev/fuse, which"),
    ("CREATE_BINDS", "/srv/../etc", "write /etc"),
    ("CREATE_BINDS", "/srv:rw", "no mode but :ro"),
    ("CREATE_BINDS", "/a*/b", "in front of the last segment"),
    ("CREATE_BINDS", "/a b", "write /a%20b"),
    ("CREATE_BINDS", "/%61", "write /a"),
    ("CREATE_BINDS", "/%zz", "a % without"),
    ("CREATE_BINDS", "/a,,/b", "an item that is empty"),
    ("CREATE_BINDS", "/a,*", "an item that is *"),
    ("CREATE_BINDS", "{base}/x", "set CREATE_BASE"),
    ("CREATE_BINDS", "{tmp}/x", "set CREATE_TMP=/a/folder"),
    ("CREATE_BINDS", "/srv/{project}/x", "set CREATE_PROJECT=shop"),
    ("CREATE_IMAGES", "{project}-web:latest", "set CREATE_PROJECT=shop"),
    ("CREATE_BINDS", "/srv/{tmp}/x", "write {base}/..., or its value"),
    ("CREATE_BINDS", "{tmp}x", "write {base}/..., or its value"),
    ("CREATE_BINDS", "{base}{tmp}/x", "write {base}/..., or its value"),
    ("CREATE_IMAGES", "{tmp}:1", "write {base}/..., or its value"),
    ("CREATE_OPTIONS", "Hostname={project}", "write {base}/..., or its value"),
    ("CREATE_CAPS", "{project}", "write {base}/..., or its value"),
    ("CREATE_BINDS", "@proxy", "stands for nothing"),
    ("CREATE_IMAGES", "@own", "write repository:tag, or @built"),
    ("CREATE_TAGS", "@built", "no image"),
    ("PULL_IMAGES", "@built", "no image"),
    ("CREATE_CAPS", "FROB", "no capability"),
    ("CREATE_CAPS", "sys_admin", "write SYS_ADMIN"),
    ("CREATE_CAPS", "CAP_SYS_ADMIN", "write SYS_ADMIN"),
    ("CREATE_PRIVILEGED", "true", "neither 1 nor 0"),
    ("EXEC_PRIVILEGED", "yes", "neither 1 nor 0"),
    ("CREATE_DEVICES", "fuse", "no device"),
    ("CREATE_DRIVERS", "syslog", "no driver"),
    ("CREATE_NAMESPACES", "host", "no namespace"),
    ("CREATE_SECURITY", "unconfined", "no option of security"),
    ("CREATE_IMAGES", "docker.io/library/nginx:1.27", "write nginx:1.27, as"),
    ("CREATE_IMAGES", "docker.io/acme/*:*", "write acme/*:*, as"),
    ("CREATE_IMAGES", "docker.io/library/*", "write *:latest, as"),
    ("CREATE_IMAGES", "docker.io/*:*", "write *:*, as"),
    ("CREATE_IMAGES", "docker.io/A/b", "in lower case"),
    ("CREATE_IMAGES", "Nginx", "no image"),
    ("CREATE_IMAGES", ":1", "no image"),
    ("CREATE_PORTS", "http", "no port"),
    ("CREATE_PORTS", "0", "no port"),
    ("CREATE_PORTS", "80-70", "no port"),
    ("CREATE_PORTS", "65536", "no port"),
    ("CREATE_PORTS", "65530-65536", "no port"),
    ("CREATE_PORTS", "0.0.0.0:80", "write 80"),
    ("CREATE_PORTS", "[0:0::1]:80", "write [::1]:80"),
    ("CREATE_PORTS", "80/tcp", "write 80"),
    ("CREATE_PORTS", "8080:80", "no port"),
    ("CREATE_BINDS", "/a/{date}-{date}-{date}-{uid}-{uid}", "more than 4 of {date} and {uid}"),
    ("CREATE_PORTS", "300.0.0.1:80", "no port"),
    ("CREATE_OPTIONS", "HostConfig.CgroupParent", "no field of an operation"),
    ("CREATE_OPTIONS", "ContainerExec:Frob", "no field of an operation"),
    ("EXEC_OPTIONS", "ContainerCreate:Frob", "with one of ContainerExec, ExecStart"),
    ("EXEC_OPTIONS", "ContainerExec:", "no field of an operation"),
    *(("CREATE_OPTIONS", one, f"write {one}.NAME") for one in ("ContainerCreate:HostConfig.LogConfig.Config", "ContainerCreate:HostConfig.StorageOpt", "ContainerCreate:HostConfig.Annotations", "NetworkCreate:Options")),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Privileged", "list its value in CREATE_PRIVILEGED"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Memory", "harmless at any value"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls", "HostConfig.Sysctls.NAME"),
    ("CREATE_OPTIONS", "ContainerCreate:HostConfig.*", "a * in a name"),
    ("BUILD_OPTIONS", "ImageBuild:t", "list its value in CREATE_TAGS"),
    ("EXEC_USERS", "1000:1000", "write 1000%3A1000"),
    ("EXEC_USERS", "@x", "no user"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "message"), ERRORS, ids=[f"{e[0]}={e[1]}" for e in ERRORS]
)
def test_a_value_that_can_mean_nothing_is_an_error(
    variable: str, value: str, message: str
) -> None:
    """An item that could never fit stops the start, and the error says what to write."""
    with pytest.raises(ConfigError) as caught:
        limits({variable: value})
    assert message in f"{caught.value} {caught.value.hint}"
    assert variable in str(caught.value)
    assert caught.value.hint


def test_the_fields_of_an_operation_are_gone_through_once_for_a_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not for each item: a creation has two hundred of them."""
    gone_through, through = list[str](), fields.rows

    def rows(operation: Operation) -> Iterator[tuple[str, Field]]:
        gone_through.append(operation.name)
        return through(operation)

    monkeypatch.setattr("trioproxy.limits.sorts.fields.rows", rows)
    limits({"CREATE_OPTIONS": ",".join(f"VolumeCreate:new{at}" for at in range(100))})
    assert len(gone_through) <= 1


@pytest.mark.parametrize("base", ["/root/app", "/etc", "/var", "/usr/src/app"])
def test_a_base_that_is_root_is_told_by_what_lies_in_it(base: str) -> None:
    """A project may be anywhere, as below `/root`; its items are root there as they would be
    if they were written out."""
    found = limits({"CREATE_BASE": base, "CREATE_BINDS": "{base},{base}/lib"})
    for item in ("{base}", "{base}/lib"):
        why = why_root("CREATE_BINDS", item, places=found.places)
        assert why == why_root("CREATE_BINDS", item.replace("{base}", base))
        assert why


@pytest.mark.parametrize("base", ["", "srv", "/srv/", "/a/../b", "/"])
def test_a_base_must_be_a_folder_of_a_project(base: str) -> None:
    """`{base}` needs a clean absolute folder, and one below the root of all."""
    with pytest.raises(ConfigError):
        limits({"CREATE_BASE": base, "CREATE_BINDS": "{base}/data"})


def test_base_stands_for_a_folder() -> None:
    """`{base}` is the folder of `CREATE_BASE`, which limits nothing by itself."""
    assert not limits({"CREATE_BASE": "/home/me/app"})
    variables = {
        "CREATE_BASE": "/home/me/app",
        "CREATE_BINDS": "{base},{base}/data/*:ro",
    }
    for bind, passes in [
        ("/home/me/app:/a", True),
        ("/home/me/app/data/x:/a:ro", True),
        ("/home/me/app/data/x:/a", False),
        ("/home/me/app2:/a", False),
    ]:
        found = refusal(variables, "ContainerCreate", {"HostConfig": {"Binds": [bind]}})
        assert (found is None) is passes, bind


def test_a_project_is_the_name_that_compose_gives() -> None:
    """`{project}` is the value of `CREATE_PROJECT`, a name and no path."""
    variables = {"CREATE_PROJECT": "shop", "CREATE_IMAGES": "{project}-web"}
    for image, passes in (
        ("shop-web", True),
        ("blog-web", False),
        ("project-web", False),
    ):
        assert (
            refusal(variables, "ContainerCreate", {"Image": image}) is None
        ) is passes
    for name in ("Shop", "/shop", "-shop", "a b", "{project}"):
        with pytest.raises(ConfigError, match="is no Compose project"):
            limits({**variables, "CREATE_PROJECT": name})


LINES: list[dict[str, str]] = [
    {"CREATE_BINDS": "/a,/b", "CREATE_IMAGES": "*", "CREATE_CAPS": ""},
    {"CREATE_BINDS": "{base}/a", "CREATE_BASE": "/srv"},
    {"CREATE_IMAGES": "{project}-web", "CREATE_PROJECT": "shop", "CREATE_TMP": "/tmp"},
    {"CREATE_BINDS": "@proxy", "PROXY_SOCKET": "/run/p.sock"},
]


@pytest.mark.parametrize("variables", LINES, ids=str)
def test_what_is_said_of_limits_is_all_that_they_follow_from(
    variables: dict[str, str],
) -> None:
    """Another value of any variable is another policy, and is told apart from it."""
    assert limits(variables).lines == {f"{k}={v}" for k, v in variables.items()}


def test_the_power_of_an_operation_is_limited_by_its_own_family() -> None:
    """A list of names that builds may write says nothing of what builds may do."""
    tags, builds = limits({"CREATE_TAGS": "app"}), limits({"BUILD_OPTIONS": ""})
    assert not tags.limits_power_of("ImageBuild")
    assert builds.limits_power_of("ImageBuild")
    assert tags.limits_power_of("ContainerCreate")
    assert not builds.limits_power_of("ContainerList")


CONDITIONED = {"": True, "*": True, "sh": False}


@pytest.mark.parametrize(("commands", "is_free"), CONDITIONED.items(), ids=CONDITIONED)
def test_what_is_limited_where_something_else_is(commands: str, is_free: bool) -> None:
    """A name in an exec's environment counts where commands are listed, for what tells as for what judges."""
    variables = {
        "EXEC_OPTIONS": "",
        **({"EXEC_COMMANDS": commands} if commands else {}),
    }
    name = "ContainerExec:Env.BASH_ENV"
    assert limits(variables).lists("EXEC_OPTIONS", name) is is_free
    body: Json = {"Cmd": ["sh"], "Env": ["BASH_ENV=/x"]}
    assert (refusal(variables, "ContainerExec", body) is None) is is_free
    assert limits({**variables, "EXEC_OPTIONS": name}).lists("EXEC_OPTIONS", name)


def test_what_no_version_knows_is_listed_by_nothing() -> None:
    """Evidence of a newer version may name a variable that this one does not have."""
    for variables in ({"CREATE_CAPS": ""}, {"CREATE_CAPS": "*"}, {}):
        assert not limits(variables).lists("CREATE_SYSCTLS", "x")


def test_what_was_looked_up_makes_no_other_limits() -> None:
    """Two files that say the same are equal, whatever one of them was asked meanwhile."""
    variables = {"CREATE_BINDS": "/srv/app,/data:ro"}
    one, other = limits(variables), limits(variables)
    assert one.lists_writable("/srv/app")
    assert not one.lists_writable("/data")
    assert one.lists_writable("/data", also_read=True)
    assert one.lists_writable("/srv", also_inside=True)
    assert not one.lists_writable("/srv")
    assert one == other
    assert one != limits({"CREATE_BINDS": "/srv/app"})


def test_open_families_are_named() -> None:
    """A family whose operations are granted, and of which nothing is set, is open."""
    opened = frozenset({"ContainerCreate", "ContainerExec", "ContainerList"})
    assert list(open_families(limits({}), opened)) == [Family.CREATE, Family.EXEC]
    assert list(open_families(limits({"CREATE_CAPS": ""}), opened)) == [Family.EXEC]


POWERS = "ALL BPF CHECKPOINT_RESTORE DAC_READ_SEARCH MAC_ADMIN MAC_OVERRIDE MKNOD PERFMON SYS_BOOT SYS_MODULE SYS_PTRACE SYS_RAWIO SYSLOG"  # fmt: skip
OTHER_CAPS = "CHOWN AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND IPC_LOCK IPC_OWNER LEASE LINUX_IMMUTABLE NET_BROADCAST SYS_NICE SYS_PACCT SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"  # fmt: skip
RUNTIMES = "runc crun io.containerd.runc.v2 amd habana io.containerd.runsc.v1 kata kata-runtime nvidia sysbox-runc youki"  # fmt: skip
DEVICES = "kvm net/tun null zero full random urandom dri/card0 snd video0 ttyACM0 serial/by-id i2c-1 gpiochip0 hidraw0 ttyS0 nvidia0 ppp rtc watchdog"  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "item", "is_root"),
    [
        ("CREATE_BINDS", "/", True),
        ("CREATE_BINDS", "/*", True),
        ("CREATE_BINDS", "/etc", True),
        ("CREATE_BINDS", "/etc:ro", True),
        ("CREATE_BINDS", "/etc/cron.d", True),
        ("CREATE_BINDS", "/var", True),
        ("CREATE_BINDS", "/var/*", True),
        ("CREATE_BINDS", "/run", True),
        ("CREATE_BINDS", "/home", True),
        ("CREATE_BINDS", "/proc/self/root", True),
        ("CREATE_BINDS", "/run/user/1000/podman/podman.sock", True),
        ("CREATE_BINDS", "/etc/localtime:ro", False),
        ("CREATE_BINDS", "/etc/localtime", True),
        ("CREATE_BINDS", "/et*", True),
        ("CREATE_BINDS", "/roo*:ro", True),
        ("CREATE_BINDS", "/v*", True),
        ("CREATE_BINDS", "/va*/*", True),
        ("CREATE_BINDS", "/var/lib/doc*", True),
        ("CREATE_BINDS", "/home/m*", True),
        ("CREATE_BINDS", "/home/me/.ss*", True),
        ("CREATE_BINDS", "/home/me/.bashrc", True),
        ("CREATE_BINDS", "/home/me/.docker/run", True),
        ("CREATE_BINDS", "/Users/me/.ssh:ro", True),
        ("CREATE_BINDS", "/var/home/me/.ssh", True),
        ("CREATE_BINDS", "/home/me/a*", False),
        ("CREATE_BINDS", "/etcetera", False),
        ("CREATE_BINDS", "/etc-*", False),
        ("CREATE_BINDS", "/run/dbus/system_bus_socket", True),
        ("CREATE_BINDS", "/var/run/dbus", True),
        ("CREATE_BINDS", "/var/run/systemd/private:ro", True),
        ("CREATE_BINDS", "/run/podman", True),
        ("CREATE_BINDS", "/run/libvirt/libvirt-sock", True),
        ("CREATE_BINDS", "/run/snapd.socket", True),
        ("CREATE_BINDS", "/var/snap/lxd/common/lxd/unix.socket", True),
        ("CREATE_BINDS", "/var/lib/cloud/scripts", True),
        ("CREATE_BINDS", "/run/udev", True),
        ("CREATE_BINDS", "/run/udev:ro", False),
        ("CREATE_BINDS", "/run/postgresql", False),
        ("CREATE_BINDS", "/var/lib/mysql", False),
        ("CREATE_BINDS", "/srv/app", False),
        ("CREATE_BINDS", "/srv/app/*:ro", False),
        ("CREATE_BINDS", "*", True),
        ("CREATE_PRIVILEGED", "1", True),
        ("CREATE_PRIVILEGED", "0", False),
        ("CREATE_CAPS", "SYS_ADMIN", True),
        ("CREATE_CAPS", "NET_ADMIN", False),
        ("CREATE_DEVICES", "/dev/sda", True),
        ("CREATE_DEVICES", "/dev/*", True),
        ("CREATE_DEVICES", "/dev/fuse", False),
        ("CREATE_DEVICES", "gpu", False),
        ("CREATE_DEVICES", "/dev/ttyUSB0", False),
        ("CREATE_DEVICES", "/dev/bus/usb", True),
        ("CREATE_DEVICES", "/dev/bus/usb/*", True),
        ("CREATE_DEVICES", "rule", True),
        ("CREATE_NAMESPACES", "pid:host", True),
        ("CREATE_NAMESPACES", "ipc:shareable", False),
        ("CREATE_DRIVERS", "volume:x", True),
        ("CREATE_DRIVERS", "log:syslog", False),
        ("CREATE_RUNTIMES", "io.containerd.x.v1", True),
        ("CREATE_RUNTIMES", "runsc", False),
        ("CREATE_SECURITY", "paths:writable", True),
        ("CREATE_SECURITY", "paths:*", True),
        ("CREATE_SECURITY", "paths:unmasked", False),
        ("CREATE_SECURITY", "writable-cgroups:t*", True),
        ("CREATE_SECURITY", "seccomp:unconfined", False),
        ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Annotations.x.device", True),
        ("CREATE_OPTIONS", "ContainerCreate:New.device=x", True),
        *(("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{one}", True) for one in (
            "path", "path=tcp%3A//x", "syslog-address", "syslog-address=unix%3A///run/x", "fluentd-address", "fluentd-address=tcp%3A//*",
            "syslog-address=tcp%3A//{rand4}%3A514", "syslog-address=tcp%3A//localhost%3A514", "fluentd-address=127.0.0.1%3A24224",
            "splunk-url", "splunk-url=http%3A//127.0.0.1%3A2375", "awslogs-endpoint", "awslogs-endpoint=http%3A//localhost", "awslogs-credentials-endpoint")),
        *(("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{one}", False) for one in (
            "syslog-address=tcp%3A//logs.example%3A514", "syslog-address=tcp+tls%3A//10.0.0.9", "fluentd-address=logs%3A24224", "splunk-url=https%3A//logs.example%3A8088",
            "awslogs-endpoint=https%3A//logs.eu-west-1.amazonaws.com")),
        *(("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{one}", False) for one in ("paths", "gelf-address", "syslog-format", "tag")),
        ("CREATE_OPTIONS", "NetworkCreate:New", True),
        ("CREATE_OPTIONS", "NetworkCreate:Options.parent=eth0", False),
        ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type", True),
        ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs*", True),
        ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.device", False),
        ("PULL_OPTIONS", "ImageCreate:new", True),
        *(("BUILD_OPTIONS", f"ImageBuild:networkmode{one}", True) for one in ("", "=host", "={rand4}", "=container%3Aa")),
        *(("BUILD_OPTIONS", f"ImageBuild:networkmode={one}", False) for one in ("ci", "hosts", "ci-{rand4}", "{rand8}", "{hex64}")),
        ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Annotations.x", True),
        ("CREATE_OPTIONS", "ContainerCreate:HostConfig.CgroupParent", False),
        ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Tmpfs", True),
        ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs", False),
        ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=ext4", True),
        ("CREATE_IMAGES", "*", False),
        ("CREATE_OPTIONS", "*", True),
        ("CREATE_OPTIONS", "NetworkCreate:IPAM.Config.Subnet", True),
        *(("CREATE_OPTIONS", f"NetworkCreate:IPAM.Config.Subnet={one}", True) for one in ("169.254.169.252/30", "168.63.0.0/16", "10.0.0.0/7", "1*.0.0.0/8", "*.*.*.*/30", "172.0.0.0/1", "172.*.*.*/*", "172.*.*.*/1*", "fd*%3A*%3A%3A/64", "fd00%3A*%3A%3A/64", "fd12%3A%3A/7")),
        *(("CREATE_OPTIONS", f"NetworkCreate:IPAM.Config.Subnet={one}", False) for one in ("10.0.0.0/8", "172.*.*.*/16", "192.168.7.0/24", "fd12%3A*%3A%3A/64", "fc00%3Af853%3Accd%3Ae793%3A%3A/64")),
        *(("CREATE_CAPS", one, True) for one in POWERS.split()),
        *(("CREATE_CAPS", one, False) for one in OTHER_CAPS.split()),
        *(("CREATE_RUNTIMES", one, False) for one in RUNTIMES.split()),
        *(("CREATE_DEVICES", f"/dev/{one}", False) for one in DEVICES.split()),
        *(("CREATE_OPTIONS", f"VolumeCreate:DriverOpts.type={one}", False) for one in ("nfs4", "cifs", "smb3", "tmpfs")),
    ],
    ids=str,
)  # fmt: skip
def test_root_equivalent_values(variable: str, item: str, is_root: bool) -> None:
    """What makes a client root on the host is told, and what does not is not."""
    assert bool(why_root(variable, item)) is is_root


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("/dev/bus/usb", "may be a disk of the host, as all that is plugged in"),
        ("/dev/bus/usb/001/*", "may be a disk of the host, as all that is plugged in"),
        ("/dev/bus", "may be the host's disks or memory"),
        ("rule", "may be the host's disks or memory"),
        ("/dev/ttyAMA*", "may be the host's console, or a keyboard of it"),
        ("/dev/hidraw*", "may be the host's console, or a keyboard of it"),
    ],
)
def test_why_a_device_is_root(device: str, why: str) -> None:
    """What is plugged in may be a disk; of all other devices it is told what they may be."""
    assert why_root("CREATE_DEVICES", device) == why


def test_what_random_stands_for() -> None:
    """The Engine's choice, and each port that Linux hands out by itself; none beside these."""
    ports = limits({"CREATE_PORTS": "random,65535"})
    for port in ("random", "32768", "60999", "32768-60999", "65535"):
        assert ports.lists("CREATE_PORTS", port)
    for port in ("32767", "61000", "32767-32768", "60999-61000", "65534", "32768/udp"):
        assert not ports.lists("CREATE_PORTS", port)


ITEMS = {
    "CREATE_BINDS": ["/srv", "/srv/*", "/data:ro", "*"],
    "CREATE_PRIVILEGED": ["0", "1", "*"],
    "CREATE_CAPS": ["NET_ADMIN", "SYS_TIME", "*"],
    "CREATE_NAMESPACES": ["net:host", "pid:host", "*"],
    "CREATE_IMAGES": ["nginx", "nginx:*", "*"],
    "CREATE_PORTS": ["80", "random", "*"],
}
BODIES: list[Any] = [
    {"Image": image, "HostConfig": host}
    for image in ("nginx", "evil")
    for host in (
        {},
        {"Binds": ["/srv:/a"]},
        {"Binds": ["/srv/x:/a"]},
        {"Binds": ["/data:/a:ro"]},
        {"Privileged": True},
        {"CapAdd": ["NET_ADMIN"]},
        {"NetworkMode": "host"},
        {"PublishAllPorts": True},
        {"CgroupParent": "/x"},
    )
]
SETS = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(items) for name, items in ITEMS.items()},
)


@given(SETS, st.sampled_from(sorted(ITEMS)), st.data())
def test_adding_a_limit_never_allows_more(
    variables: Variables, name: str, data: st.DataObject
) -> None:
    """A variable that was not set, set to whatever it is, takes away and gives nothing.

    But where its family is limited by others: there it lists what was closed.
    """
    if name in variables or (variables and not VARIABLES[name].only_when_set):
        return
    more = {**variables, name: data.draw(st.sampled_from(ITEMS[name]))}
    for body in BODIES:
        if refusal(more, "ContainerCreate", body) is None:
            assert refusal(variables, "ContainerCreate", body) is None


@given(SETS)
def test_a_longer_list_never_allows_less(variables: Variables) -> None:
    """What a list allows, it allows with more items as well."""
    longer = {k: v if v == "*" else f"{v},{ITEMS[k][1]}" for k, v in variables.items()}
    for body in BODIES:
        if refusal(variables, "ContainerCreate", body) is None:
            assert refusal(longer, "ContainerCreate", body) is None


@given(st.text(max_size=40))
def test_a_path_asked_for_is_listed_by_its_own_value(text: str) -> None:
    """The value of an argument, put on a list, allows that argument and stays one item."""
    if ":" in text or "\0" in text:
        return
    found = create({"Binds": [f"/{text}:/a"]}, Image="x")
    argument, _ = found.arguments
    assert (
        limits({"CREATE_BINDS": argument.value}).refuses("ContainerCreate", found)
        is None
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_name_of_an_environment_can_be_listed(name: str) -> None:
    """What an exec's environment is asked for by reads back from a file as itself alone."""
    given_name = name.replace("=", "")
    body: dict[str, Any] = {"Cmd": ["sh"], "Env": [f"{given_name}=x"]}
    (item,) = (
        one.value
        for one in asked("ContainerExec", body).arguments
        if one.variable == "EXEC_OPTIONS"
    )
    line = f"EXEC_COMMANDS=sh\nEXEC_OPTIONS={item}\n"
    variables = envfile.parse(line, name="a file")
    assert variables["EXEC_OPTIONS"] == item
    assert refusal(variables, "ContainerExec", body) is None
    body["Env"] = [f"{given_name}x=x"]
    assert refusal(variables, "ContainerExec", body)


def test_a_refused_environment_is_told_by_its_name() -> None:
    """A refusal of an exec's environment says which name would have to be listed, and no value."""
    body: Json = {"Cmd": ["sh"], "Env": ["BASH_ENV=/secret"]}
    found = refusal({"EXEC_COMMANDS": "sh"}, "ContainerExec", body)
    assert found is not None
    assert "Env[0]=BASH_ENV, which EXEC_OPTIONS does not list" in found.message
    assert "/secret" not in found.message
