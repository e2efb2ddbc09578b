"""What a real Engine gives by default, and what it derives, is nobody's argument there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing, learn
from tests.engine import Engine, scratch_engine
from trioproxy.file import envfile

OWN = {
    "ALLOW_OPERATIONS": "ContainerAttach,ContainerCreate,ContainerDelete,ContainerExec,"
    "ContainerInspect,ContainerStart,ContainerWait,ExecInspect,ExecStart,ImageInspect,"
    "SystemPing,SystemPingHead",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "defaults-7f3k",
}
OPTIONS = {
    "--privileged": {"CREATE_PRIVILEGED": "1"},
    "--pid=host": {"CREATE_NAMESPACES": "pid:host"},
    "--ipc=host": {"CREATE_NAMESPACES": "ipc:host"},
}


@pytest.mark.engine
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_listed_works_on_an_own_container(engine: Engine, option: str) -> None:
    """A container that was made by a listed value can be attached to, started and entered."""
    with enforcing(engine, variables=OWN | OPTIONS[option]) as proxy:
        ran = engine.docker("run", "--rm", option, "busybox", "echo", "hi", host=proxy.url)  # fmt: skip
        assert ran.text == "hi"
        made = engine.docker("run", "-d", option, "busybox", "sleep", "60", host=proxy.url).text  # fmt: skip
        assert engine.docker("exec", made, "echo", "in", host=proxy.url).text == "in"
        engine.docker("rm", "-f", made, host=proxy.url)


@pytest.mark.engine
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_not_listed_stays_shut(engine: Engine, option: str) -> None:
    """Reaching into what somebody else made so is refused, and so is making it."""
    variables = OWN | {"CREATE_BINDS": "", "ONLY_CONTAINERS": "theirs"}
    theirs = engine.docker("run", "-d", "--name", "theirs", option, "busybox", "sleep", "60").text  # fmt: skip
    try:
        with enforcing(engine, variables=variables) as proxy:
            ran = engine.docker("exec", "theirs", "true", host=proxy.url, check=False)
            made = engine.docker("create", option, "busybox", host=proxy.url, check=False)  # fmt: skip
    finally:
        engine.docker("rm", "-f", theirs)
    assert "which has HostConfig." in ran.errors, ran
    assert "does not list" in made.errors, made


@pytest.mark.engine
@pytest.mark.parametrize("option", OPTIONS)
def test_it_is_learned(engine: Engine, option: str, tmp_path: Path) -> None:
    """A client that asks for it gets a file by which it works, and no more than that."""
    file = tmp_path / "app.env"
    command = ("docker", "run", "--rm", option, "busybox", "echo", "hi")
    done = learn(engine, file, *command)
    assert done.returncode == 0, done.stderr.decode()
    variables = envfile.parse(file.read_text(), name=str(file))
    listed = {k: v for k, v in variables.items() if v and k.startswith("CREATE_")}
    assert listed.pop("CREATE_IMAGES")
    assert listed == OPTIONS[option]
    with enforcing(engine, "--env-file", str(file)) as proxy:
        assert engine.docker(*command[1:], host=proxy.url).text == "hi"


STRICT = '{"defaultAction": "SCMP_ACT_ALLOW"}'


@pytest.fixture(scope="module")
def strict(
    may_start_engines: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """An Engine whose default runtime and seccomp profile are its own."""
    profile = tmp_path_factory.mktemp("seccomp") / "strict.json"
    profile.write_text(STRICT)
    path = shutil.which("runc") or "runc"
    settings = {
        "default-runtime": "strict",
        "default-ipc-mode": "shareable",
        "default-cgroupns-mode": "host",
        "runtimes": {"strict": {"path": path}, "nvidia": {"path": path}},
        "seccomp-profile": str(profile),
    }
    with scratch_engine(settings) as engine:
        yield engine


LEAVES = {
    "--runtime=runc": "CREATE_RUNTIMES",
    "--runtime=io.containerd.runc.v2": "CREATE_RUNTIMES",
    "--security-opt=seccomp=builtin": "CREATE_SECURITY",
}


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("option", LEAVES)
def test_a_stricter_default_is_not_left(strict: Engine, engine: Engine, option: str) -> None:  # fmt: skip
    """What is the default on one Engine is refused on another, and passes if it is listed."""
    command = ("run", "--rm", option, "busybox", "echo", "hi")
    with enforcing(engine, variables=OWN | {"CREATE_BINDS": ""}) as proxy:
        assert engine.docker(*command, host=proxy.url).text == "hi"
    with enforcing(strict, variables=OWN | {"CREATE_BINDS": ""}) as proxy:
        ran = strict.docker(*command, host=proxy.url, check=False)
    assert f"which {LEAVES[option]} does not list" in ran.errors, ran
    assert "not this Engine's default" in ran.errors, ran
    item = option.rpartition("=")[2].replace("builtin", "seccomp:builtin")
    with enforcing(strict, variables=OWN | {LEAVES[option]: item}) as proxy:
        assert strict.docker(*command, host=proxy.url).text == "hi"


@pytest.mark.engine
def test_an_engines_own_defaults_are_no_arguments(strict: Engine, tmp_path: Path) -> None:  # fmt: skip
    """A container that asked for nothing can be reached into, whatever its Engine gave it."""
    command = ("run", "--rm", "--runtime=strict", "busybox", "echo", "hi")
    with enforcing(strict, variables=OWN | {"CREATE_BINDS": ""}) as proxy:
        assert strict.docker(*command, host=proxy.url).text == "hi"
        made = strict.docker("run", "-d", "busybox", "sleep", "60", host=proxy.url).text
        assert strict.docker("exec", made, "echo", "in", host=proxy.url).text == "in"
        strict.docker("rm", "-f", made, host=proxy.url)
    file = tmp_path / "app.env"
    done = learn(strict, file, "docker", *command)
    assert done.returncode == 0, done.stderr.decode()
    variables = envfile.parse(file.read_text(), name=str(file))
    assert not variables.get("CREATE_RUNTIMES"), file.read_text()


@pytest.mark.engine
def test_what_leaves_a_default_is_learned(strict: Engine, tmp_path: Path) -> None:
    """A runtime that is not this Engine's default stands in the file, as a value."""
    file = tmp_path / "app.env"
    command = ("docker", "run", "--rm", "--runtime=runc", "busybox", "echo", "hi")
    done = learn(strict, file, *command)
    assert done.returncode == 0, done.stderr.decode()
    variables = envfile.parse(file.read_text(), name=str(file))
    assert variables["CREATE_RUNTIMES"] == "runc"
    with enforcing(strict, "--env-file", str(file)) as proxy:
        assert strict.docker(*command[1:], host=proxy.url).text == "hi"


@pytest.mark.engine
def test_names_that_a_runtime_reads_are_devices(strict: Engine) -> None:
    """With a runtime of NVIDIA's in use, its names in an environment are asked for."""
    command = ("run", "--rm", "-e", "NVIDIA_VISIBLE_DEVICES=all")
    echo = ("busybox", "echo", "hi")
    listed = {"CREATE_RUNTIMES": "nvidia"}
    with enforcing(strict, variables=OWN | listed) as proxy:
        assert strict.docker(*command, *echo, host=proxy.url).text == "hi"
        ran = strict.docker(*command, "--runtime=nvidia", *echo, host=proxy.url, check=False)  # fmt: skip
        assert "Env[0]=NVIDIA_VISIBLE_DEVICES, which CREATE_DEVICES does" in ran.errors
    with enforcing(strict, variables=OWN | listed | {"CREATE_DEVICES": "gpu"}) as proxy:
        ran = strict.docker(*command, "--runtime=nvidia", *echo, host=proxy.url)
        assert ran.text == "hi"
