"""What an Engine gives by default: harmless where it is that Engine's, and nowhere else."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tests.limits.arguing import create, limits
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.matched import Request
from trioproxy.api.reading import Asked
from trioproxy.errors import Untold
from trioproxy.judge.naming import Judge
from trioproxy.judge.references import Reference, find
from trioproxy.limits.inspected import arguments_of
from trioproxy.limits.objects import NO_OBJECTS
from trioproxy.limits.things import ENGINE, Known, Thing, describe

STOCK: dict[str, Any] = {
    "DefaultRuntime": "runc",
    "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": "runc"}},
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"],
}
SANDBOX: dict[str, Any] = {
    **STOCK,
    "DefaultRuntime": "runsc",
    "Runtimes": {**STOCK["Runtimes"], "runsc": {"path": "/usr/bin/runsc"}},
    "SecurityOptions": ["name=seccomp,profile=/etc/docker/strict.json"],
}
NVIDIA: dict[str, Any] = {
    **STOCK,
    "DefaultRuntime": "gpus",
    "Runtimes": {"gpus": {"path": "/usr/bin/nvidia-container-runtime"}},
}
PODMAN: dict[str, Any] = {
    "DefaultRuntime": "crun",
    "Runtimes": {"crun": {"path": "/usr/bin/crun"}, "runc": {"path": "/usr/bin/runc"}},
    "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
    "BuildahVersion": "1.39.3",
}
ENGINES: dict[str, dict[str, Any]] = {
    "stock": STOCK,
    "sandbox": SANDBOX,
    "nvidia": NVIDIA,
    "podman": PODMAN,
}
FULL = "a1" * 32


def refused(
    info: Mapping[str, Any], variables: Mapping[str, str], asks: Mapping[str, Any]
) -> str:
    """Why a creation is refused, as the Engine's `/info` is; empty if it passes."""
    asked = created(asks)
    listed = limits({"CREATE_BINDS": "", **variables})
    named = find(Request.parse("POST", b"/containers/create"), asked, NO_OBJECTS)
    named = named._replace(
        references=tuple(
            one
            for one in named.candidates
            if one.argument and listed.goes_by_names(one.argument)
        ),
        known=MappingProxyType({ENGINE: describe(Kind.ENGINE, dict(info))}),
    )
    refusal = listed.refuses("ContainerCreate", asked, named.arguments)
    if refusal is None:
        judge = Judge(
            limits=listed,
            objects=NO_OBJECTS,
            operation="ContainerCreate",
            drops_nodes=False,
        )
        for one, thing in named.pairs():
            assert thing is not None
            if found := judge.refuses(one, thing, named.known):
                return found.message
        return ""
    return refusal.message


def created(asks: Mapping[str, Any]) -> Asked:
    """What a creation asks for; its environment stands beside the `HostConfig`."""
    host = {name: one for name, one in asks.items() if name != "Env"}
    return create(host, Env=asks.get("Env"))


GPU = "NVIDIA_VISIBLE_DEVICES=all"
DEFAULTS = [
    ({"Runtime": "runc"}, {"stock"}),
    ({"Runtime": "io.containerd.runc.v2"}, {"stock"}),
    ({"Runtime": "runsc"}, {"sandbox"}),
    ({"Runtime": "crun"}, {"podman"}),
    ({"Runtime": "gpus"}, {"nvidia"}),
    ({"Runtime": ""}, set(ENGINES)),
    ({"SecurityOpt": ["seccomp=builtin"]}, {"stock", "nvidia", "podman"}),
    ({"SecurityOpt": ["seccomp:builtin"]}, {"stock", "nvidia", "podman"}),
    ({"SecurityOpt": ["seccomp=unconfined"]}, set()),
    ({"Env": [GPU]}, {"stock", "sandbox", "podman"}),
    ({"Env": ["A=b", "NVIDIA_DRIVER_CAPABILITIES=all"]}, {"stock", "sandbox", "podman"}),
    ({"Env": ["NVIDIA_VISIBLE_DEVICES=x.com/y=z"]}, {"stock", "sandbox", "podman"}),
    ({"Env": ["NVIDIA_VISIBLE_DEVICES=void"]}, set(ENGINES)),
    ({"Env": ["NVIDIA_VISIBLE_DEVICES=none"]}, set(ENGINES)),
    ({"Env": ["NVIDIA_VISIBLE_DEVICES="]}, set(ENGINES)),
    ({"Env": ["MY_NVIDIA_X=1", "AMD_KEY=1"]}, set(ENGINES)),
    ({"Env": ["AMD_VISIBLE_DEVICES=0,1"]}, {"stock", "sandbox", "podman"}),
    ({"Env": ["HABANA_VISIBLE_DEVICES=all"], "Runtime": "runc"}, {"stock"}),
    ({"Env": [GPU], "Runtime": "runc"}, {"stock"}),
    ({"Env": ["A=b", "TOKEN"]}, {"stock", "sandbox", "nvidia"}),
    ({"Env": ["TOK*"]}, {"stock", "sandbox", "nvidia"}),
    ({"Env": ["TOKEN=", "A=*"]}, set(ENGINES)),
    ({"Env": [GPU], "Runtime": "gpus"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asks", "engines"), DEFAULTS, ids=[str(one[0]) for one in DEFAULTS]
)
def test_a_default_is_harmless_where_it_is_one(
    asks: dict[str, Any], engines: set[str]
) -> None:
    """Runtime, profile, names of devices and names without a value pass on the Engines that give nothing more by them."""
    passed = {name for name, info in ENGINES.items() if not refused(info, {}, asks)}
    assert passed == engines


LISTED = [
    ({"CREATE_RUNTIMES": "runc"}, {"Runtime": "runc"}),
    ({"CREATE_RUNTIMES": "*"}, {"Runtime": "runc"}),
    ({"CREATE_SECURITY": "seccomp:builtin"}, {"SecurityOpt": ["seccomp=builtin"]}),
    ({"CREATE_DEVICES": "gpu"}, {"Env": [GPU]}),
    ({"CREATE_DEVICES": "gpu", "CREATE_RUNTIMES": "gpus"}, {"Env": [GPU], "Runtime": "gpus"}),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "asks"), LISTED, ids=[str(one) for one in LISTED])  # fmt: skip
def test_what_is_listed_passes_and_is_not_asked_about(
    variables: dict[str, str], asks: dict[str, Any]
) -> None:
    """A value that a file lists is none of the Engine's business."""
    assert not any(refused(info, variables, asks) for info in ENGINES.values())
    listed = limits({"CREATE_BINDS": "", **variables})
    defaults = created(asks).of_defaults
    assert not any(map(listed.goes_by_names, defaults))


def test_a_listed_runtime_of_nvidia_makes_names_devices() -> None:
    """Whoever may ask for the runtime does not get its devices by that alone."""
    variables = {"CREATE_RUNTIMES": "gpus"}
    assert not refused(STOCK, variables, {"Runtime": "gpus"})
    assert refused(STOCK, variables, {"Runtime": "gpus", "Env": [GPU]}) == (
        "ContainerCreate asks for Env[0]=NVIDIA_VISIBLE_DEVICES,"
        " which CREATE_DEVICES does not list as gpu yet"
    )


@pytest.mark.parametrize("name", ["amd", "habana"])
def test_other_makers_give_devices_by_names_too(name: str) -> None:
    """Where their runtime is the default, or is named, it reads a name of theirs as NVIDIA's does its."""
    env = {"Env": [f"{name.upper()}_VISIBLE_DEVICES=all"]}
    path = f"/usr/bin/{name}-container-runtime"
    is_default = {**STOCK, "DefaultRuntime": "x", "Runtimes": {"x": {"path": path}}}
    assert "which CREATE_DEVICES does not list" in refused(is_default, {}, env)
    assert not refused(STOCK, {}, env)
    listed = {"CREATE_RUNTIMES": name}
    assert not refused(STOCK, listed, {"Runtime": name})
    assert refused(STOCK, listed, {"Runtime": name, **env})


def test_a_refusal_says_that_it_is_no_default() -> None:
    """Who asked for what is harmless elsewhere is told why it is not here."""
    assert refused(SANDBOX, {}, {"Runtime": "runc"}) == (
        "ContainerCreate asks for HostConfig.Runtime=runc, which CREATE_RUNTIMES"
        " does not list, and which is not this Engine's default"
    )


@pytest.mark.parametrize("info", [{}, {"DefaultRuntime": ""}, [], None], ids=str)
def test_an_engine_without_a_default_is_none(info: Any) -> None:  # noqa: ANN401  JSON
    """An answer that does not name the default runtime tells nothing."""
    with pytest.raises(Untold, match="description of itself is not complete"):
        describe(Kind.ENGINE, info)


def container(**host: Any) -> Thing:  # noqa: ANN401  JSON
    value: Json = {
        "Id": FULL,
        "Name": "/c",
        "Config": {},
        "HostConfig": host,
        "Image": "x",
    }
    return describe(Kind.CONTAINER, value)


LABEL = ["label=disable"]
INSIDE: list[tuple[dict[str, Any], dict[str, str], bool]] = [
    ({"Privileged": True, "SecurityOpt": LABEL}, {"CREATE_PRIVILEGED": "1"}, True),
    ({"Privileged": True, "SecurityOpt": LABEL}, {}, False),
    ({"PidMode": "host", "SecurityOpt": LABEL}, {"CREATE_NAMESPACES": "pid:host"}, True),
    ({"IpcMode": "host", "SecurityOpt": LABEL}, {"CREATE_NAMESPACES": "ipc:host"}, True),
    ({"SecurityOpt": LABEL}, {"CREATE_PRIVILEGED": "1"}, False),
    ({"Privileged": True, "SecurityOpt": [*LABEL, "seccomp=unconfined"]}, {"CREATE_PRIVILEGED": "1"}, False),
    ({"IpcMode": "shareable", "CgroupnsMode": "host"}, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "variables", "passes"), INSIDE, ids=[str(one[:2]) for one in INSIDE]
)
def test_what_the_engine_derives_is_told_with_its_cause(
    host: dict[str, Any], variables: dict[str, str], passes: bool
) -> None:
    """A container has no more than was listed, where the Engine added the rest itself."""
    listed = limits({"CREATE_BINDS": "", **variables})
    told = arguments_of(container(**host))
    assert passes is all(listed.lists(one.variable, one.value) for one in told)


RUNTIMES = [("runc", {"stock"}), ("runsc", {"sandbox"}), ("oci", {"podman", *ENGINES})]


@pytest.mark.parametrize(("runtime", "engines"), RUNTIMES, ids=[r[0] for r in RUNTIMES])
def test_the_default_runtime_is_left_out_of_what_a_container_has(
    runtime: str, engines: set[str]
) -> None:
    """Inspect shows a runtime of each container: it counts where it is not the default."""
    reached = Reference(Kind.CONTAINER, "c", "", reaches=True)
    thing = container(Runtime=runtime)
    passed = set[str]()
    for name, info in ENGINES.items():
        known: Known = {
            (Kind.CONTAINER, "c"): thing,
            ENGINE: describe(Kind.ENGINE, info),
        }
        judge = Judge(
            limits=limits({"CREATE_BINDS": ""}),
            objects=NO_OBJECTS,
            operation="ContainerStart",
            drops_nodes=False,
        )
        if judge._beyond_limits(reached, thing, known) is None:
            passed.add(name)
    assert passed == engines
