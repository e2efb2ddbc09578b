"""The image: what is in it, and how it runs as people run it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine import Engine, ScratchEngine, scratch_engine
from tests.image.conftest import BASE, await_health, build, inspect

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SOCKET = "/var/run/docker.sock"
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
QUICK_HEALTH = "--health-interval=1s"
PACKAGES = "/opt/trioproxy/lib/python3*/site-packages"
MEGABYTE = 1_000_000
LIMIT = 25 * MEGABYTE


def serve(
    engine: Engine, image: str, network: str, *options: str, mount: str = SOCKET
) -> str:
    """Start a proxy as `proxy` on a network, and wait until it is healthy."""
    name = engine.docker(
        "run", "-d", f"--network={network}", "--network-alias=proxy", QUICK_HEALTH,
        f"--volume={mount}:{mount}", *HARDENED, *options, image,
    ).text  # fmt: skip
    await_health(engine, name, "healthy")
    return name


def ask(engine: Engine, client: str, network: str, *command: str) -> str:
    """Run the docker command in a container on that network, by way of the proxy."""
    return engine.docker(
        "run", "--rm", f"--network={network}", "-e", "DOCKER_HOST=tcp://proxy:2375",
        client, "docker", *command,
    ).text  # fmt: skip


def test_layers_are_small(
    scratch: ScratchEngine, image: str, figure: Callable[[str], None]
) -> None:
    """Our layers on top of the base are at most 25 MB."""
    ours = inspect(scratch, image)["Size"] - inspect(scratch, BASE)["Size"]
    figure(f"image: {ours / MEGABYTE:.1f} MB on top of the base")
    assert ours <= LIMIT


def test_nothing_in_it_installs_anything(scratch: ScratchEngine, image: str) -> None:
    """No pip, no compiler, no tests of others: what runs, and no more."""
    script = (
        "! python -m pip --version && ! python3 -m pip --version && ! command -v gcc cc"
        f" && ! ls -d {PACKAGES}/trio/_tests && ls {PACKAGES}"
    )
    ran = scratch.docker("run", "--rm", "--entrypoint=sh", image, "-ec", script)
    assert "trioproxy" in ran.text


def test_settings_grant_nothing(scratch: ScratchEngine, image: str) -> None:
    """The image sets no policy variable: the defaults are the program's."""
    config = inspect(scratch, image)["Config"]
    names = [one.partition("=")[0] for one in config["Env"]]
    assert sorted(names) == ["BIND_CONFIG", "LOG_TO", "PATH"]
    assert config["Entrypoint"] == ["trioproxy"]
    assert config["Cmd"] == ["enforce"]
    assert config["ExposedPorts"] == {"2375/tcp": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "trioproxy", "health"]
    assert config["Healthcheck"]["StartInterval"] == 1_000_000_000
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_build_is_reproducible(scratch: ScratchEngine, image: str) -> None:
    """Two builds of one commit have the same layers, bit for bit."""
    again = build(scratch, "again", "--no-cache")
    layers = inspect(scratch, image)["RootFS"]["Layers"]
    assert inspect(scratch, again)["RootFS"]["Layers"] == layers


def test_pip_of_the_base(scratch: ScratchEngine, base_with_pip: str) -> None:
    """Nothing of a base's pip works in the image, and that is as reproducible, and small."""
    first = build(scratch, "without-pip", base=base_with_pip)
    script = """
        for python in python python3 /usr/bin/python3; do
            ! $python -m pip --version && ! $python -m ensurepip --version \
            && ! $python /usr/share/python-wheels/pip-*.whl/pip --version || exit
        done
        ! command -v pip pip3
    """
    scratch.docker("run", "--rm", "--entrypoint=sh", first, "-xc", script)
    again = build(scratch, "again", "--no-cache", base=base_with_pip)
    layers = inspect(scratch, first)["RootFS"]["Layers"]
    assert inspect(scratch, again)["RootFS"]["Layers"] == layers
    ours = inspect(scratch, first)["Size"] - inspect(scratch, base_with_pip)["Size"]
    assert ours <= LIMIT


def test_bill_of_materials(scratch: ScratchEngine, image: str) -> None:
    """The SBOM in the image lists what is installed, each with the hashes locked."""
    command = ("cat", "/opt/trioproxy/sbom.cdx.json")
    entry = ("--entrypoint", command[0])
    ran = scratch.docker("run", "--rm", *entry, image, *command[1:])
    bill = json.loads(ran.output)
    locked = Path("requirements.lock").read_text()
    assert bill["bomFormat"] == "CycloneDX"
    assert len(bill["components"]) == locked.count("==")
    for one in bill["components"]:
        assert f"{one['name']}=={one['version']} " in locked
        for entry_ in one["externalReferences"][0]["hashes"]:
            assert entry_["content"] in locked


def test_sections_start_a_container(
    scratch: ScratchEngine, image: str, client: str, network: str
) -> None:
    """`-e CONTAINERS=1 -e POST=1` is enough to create, start and remove a container."""
    serve(scratch, image, network, "-e", "CONTAINERS=1", "-e", "POST=1")
    command = ("run", "--rm", "--network=none", "busybox", "echo", "hi")
    assert ask(scratch, client, network, *command) == "hi"


def test_metrics_are_read_by_name(
    scratch: ScratchEngine, image: str, network: str
) -> None:
    """The image has what METRICS needs, and who is on the network reads them by the name of the container."""
    serve(scratch, image, network, "-e", "METRICS=tcp://:9375")
    read = ("wget", "-qO-", "http://proxy:9375/metrics")
    told = scratch.docker("run", "--rm", f"--network={network}", "busybox", *read).text
    assert "trioproxy_engine_up 1.0" in told
    assert "process_resident_memory_bytes" in told


def test_operations_alone_start_the_proxy(
    scratch: ScratchEngine, image: str, client: str, network: str
) -> None:
    """`-e ALLOW_OPERATIONS=ContainerList` alone serves that, and nothing else."""
    serve(scratch, image, network, "-e", "ALLOW_OPERATIONS=ContainerList")
    assert "CONTAINER ID" in ask(scratch, client, network, "ps")
    with pytest.raises(
        AssertionError, match=r"is not allowed: add .* ALLOW_OPERATIONS"
    ):
        ask(scratch, client, network, "images")


def test_health_check_follows_listen(
    scratch: ScratchEngine, image: str, network: str
) -> None:
    """With `LISTEN` the image's health check asks there, and the container is healthy."""
    name = serve(scratch, image, network, "-e", "LISTEN=tcp://:1234")
    asked = scratch.docker("exec", name, "trioproxy", "health").text
    assert asked.startswith("tcp://:1234: the Engine answers; policy ")


def test_health_check_cannot_see_options(
    scratch: ScratchEngine, image: str, network: str
) -> None:
    """A listener that only `--listen` names must be named to `trioproxy health` too."""
    name = scratch.docker(
        "run", "-d", f"--network={network}", f"--volume={SOCKET}:{SOCKET}", image,
        "enforce", "--listen", "tcp://:1234",
    ).text  # fmt: skip
    script = "until trioproxy health tcp://:1234; do :; done; trioproxy health"
    asked = scratch.docker("exec", name, "sh", "-c", script, check=False)
    assert "tcp://:1234: the Engine answers" in asked.text
    assert asked.status == 1
    assert "tcp://:2375: the proxy does not answer" in asked.text


def test_any_user_may_run_it(
    scratch: ScratchEngine,
    image: str,
    client: str,
    network: str,
    figure: Callable[[str], None],
) -> None:
    """Uid 65534 with the socket's group serves as root without capabilities does."""
    group = f"--group-add={scratch.socket.stat().st_gid}"
    options = ("--user=65534:65534", group, "-e", "CONTAINERS=1")
    name = serve(scratch, image, network, *options)
    assert "CONTAINER ID" in ask(scratch, client, network, "ps")
    status = scratch.docker("exec", name, "cat", "/proc/1/status").text
    fields = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 0
    kilobytes = int(fields["VmRSS"].split()[0])
    figure(f"image: {kilobytes / 1024:.0f} MiB resident in the container")
    assert kilobytes <= 60 * 1024


def test_socket_of_another_group_says_what_to_do(
    scratch: ScratchEngine, image: str
) -> None:
    """A user who may not open the socket reads whose it is, and the start stops."""
    mount = f"--volume={SOCKET}:{SOCKET}"
    ran = scratch.docker("run", "--rm", mount, "--user=65534", image, check=False)
    assert ran.status == 2
    assert f"{scratch.socket.stat().st_gid}" in ran.errors
    assert "Traceback" not in ran.errors


def test_engine_restart_is_survived(
    scratch: ScratchEngine, image: str, client: str, network: str
) -> None:
    """With the socket's folder mounted, the proxy serves the Engine that came back."""
    with scratch_engine() as restarted:
        folder = str(restarted.socket.parent)
        options = ("-e", f"SOCKET_PATH={restarted.socket}", "-e", "CONTAINERS=1")
        name = serve(scratch, image, network, *options, mount=folder)
        assert "CONTAINER ID" in ask(scratch, client, network, "ps")
        restarted.stop()
        await_health(scratch, name, "unhealthy")
        restarted.start()
        assert "CONTAINER ID" in ask(scratch, client, network, "ps")


def test_stop_is_prompt(scratch: ScratchEngine, image: str, network: str) -> None:
    """`docker stop` ends the proxy well, long before it would be killed."""
    name = serve(scratch, image, network)
    scratch.docker("stop", "--time=600", name)
    assert inspect(scratch, name)["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("options", "command", "expected"),
    [
        pytest.param(
            ("-v", "/dev/null:/usr/local/etc/haproxy/haproxy.cfg"), (), "no effect",
            id="haproxy-config",
        ),
        pytest.param((), ("haproxy",), "no effect", id="haproxy-command"),
        pytest.param(("-e", "CONTAINERS=yes"), (), "CONTAINERS", id="bad-value"),
        pytest.param(("-e", "CREATE_MOUNTS=/srv"), (), "CREATE_MOUNTS", id="unknown"),
    ],
)  # fmt: skip
def test_what_it_cannot_honour_stops_it(
    scratch: ScratchEngine,
    image: str,
    options: tuple[str, ...],
    command: tuple[str, ...],
    expected: str,
) -> None:
    """With what was meant for HAProxy, or is not understood, it refuses to start: status 2."""
    ran = scratch.docker("run", "--rm", *options, image, *command, check=False)
    assert ran.status == 2
    assert expected in ran.errors
