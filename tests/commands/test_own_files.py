"""What is ours, and what a client could bind and write of it."""

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import trioproxy
from tests.patience import PATIENCE
from trioproxy.commands import ours
from trioproxy.commands.closing import Closing
from trioproxy.commands.ours import OurKind, Ours, check_listeners, check_own
from trioproxy.config import UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence
from trioproxy.file.permissions import parse_policy
from trioproxy.hostpath import Mount, is_in_container, read_mounts
from trioproxy.judge.rules import Policy
from trioproxy.learning.proposal import Proposal
from trioproxy.learning.store import Store, Written
from trioproxy.learning.wish import Wish
from trioproxy.limits.sorts import why_root

MESSAGE = "lies in a folder that CREATE_BINDS lets clients write"


def policy_of(binds: str, **variables: str) -> Policy:
    grant = {"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": binds}
    policy, _ = parse_policy({**grant, **variables})
    return policy


def check(binds: str, *paths: str, kind: OurKind = OurKind.FILE) -> str:
    return check_own(policy_of(binds), [Ours(path=path, kind=kind) for path in paths])


@pytest.mark.parametrize(
    ("binds", "path"),
    [
        ("/srv/app", "/srv/app/policy.env"),
        ("/srv/app", "/srv/app/deep/er/proxy.sock"),
        ("/srv/*", "/srv/app/policy.env"),
        ("/srv/a*", "/srv/app/policy.env"),
        ("/srv/app/policy.env", "/srv/app/policy.env"),
        ("/", "/srv/app/policy.env"),
        ("/var/run/app", "/run/app/proxy.sock"),
        ("/run/app", "/var/run/app/proxy.sock"),
        ("/var/ru*", "/run/app/proxy.sock"),
        ("/host_mnt/srv", "/srv/app/policy.env"),
        ("/private", "/tmp/app/policy.env"),
        ("/srv/job-{rand6}", "/srv/job-ab12cd/policy.env"),
        ("/srv/{num}", "/srv/17/deep/er/proxy.sock"),
        ("/srv/{uuid}", "/srv/8c7d1b1e-1111-4222-8333-123456789abc/policy.env"),
        ("/srv/{date}", "/srv/20261127/policy.env"),
        ("/var/run/{hex8}", "/run/ab12cd34/proxy.sock"),
    ],
)
def test_a_policy_that_clients_could_write(binds: str, path: str) -> None:
    """With a file of its own below a writable bind, by any name, it refuses to start."""
    with pytest.raises(ConfigError, match=MESSAGE):
        check(binds, path)


def test_two_files_that_are_written_alike() -> None:
    """What `{base}` means in one of them is not what it means in the other."""
    for base in ("/srv/app", "/srv/other"):
        policy = policy_of("{base}/data", CREATE_BASE=base)
        for other in ("/srv/app", "/srv/other"):
            own = [Ours(path=f"{other}/data/policy.env")]
            try:
                check_own(policy, own)
            except ConfigError:
                assert base == other
            else:
                assert base != other


@pytest.mark.parametrize(
    ("binds", "path"),
    [
        ("/srv/app:ro", "/srv/app/policy.env"),
        ("/srv/app", "/srv/app2/policy.env"),
        ("/srv/app/data", "/srv/app/policy.env"),
        ("/srv/{rand7},/srv/{num},/srv/{hex6}:ro", "/srv/ab12cd/policy.env"),
        ("", "/srv/app/policy.env"),
        ("*", "/srv/app/policy.env"),
    ],
)
def test_a_policy_that_they_could_not(binds: str, path: str) -> None:
    """Beside a bind, below a read-only one, or where anything is listed, it starts."""
    assert check(binds, path) == ""


def test_the_engines_socket() -> None:
    """Its folder may not be written; itself it may be listed, which is told as root."""
    socket = "/srv/docker/docker.sock"
    with pytest.raises(ConfigError, match="the Engine's socket"):
        check("/srv/docker", socket, kind=OurKind.ENGINE)
    assert check(socket, socket, kind=OurKind.ENGINE) == ""
    assert check("/srv/docker/*", socket, kind=OurKind.ENGINE) == ""


@pytest.mark.parametrize(
    ("binds", "socket"),
    [
        ("/srv/docker:ro", "/srv/docker/docker.sock"),
        ("/srv/*:ro", "/srv/docker/docker.sock"),
        ("/srv/docker/engine", "/srv/docker/engine"),
        ("/srv/docker/*:ro", "/srv/docker/engine"),
    ],
)
def test_an_engine_that_is_reached_by_reading(binds: str, socket: str) -> None:
    """A bind that is read-only, or a socket of an unusual name, is told as no root: it refuses, and advises no `:ro`."""
    assert not any(why_root("CREATE_BINDS", item) for item in binds.split(","))
    with pytest.raises(ConfigError, match="lets clients read, and so") as refused:
        check(binds, socket, kind=OurKind.ENGINE)
    assert ":ro" not in refused.value.hint


@pytest.mark.parametrize("binds", ["/:ro", "/run:ro", "/run/docker.sock:ro"])
def test_an_engine_that_is_reached_by_what_is_told(binds: str) -> None:
    """Where what reaches the Engine is told as root, it starts, as a monitor of the host needs."""
    assert why_root("CREATE_BINDS", binds)
    assert check(binds, "/run/docker.sock", kind=OurKind.ENGINE) == ""


def test_the_engines_socket_is_no_listener(tmp_path: Path) -> None:
    """Where `@proxy` would stand for the Engine's own socket, by a link too, nothing starts."""
    socket, link = tmp_path / "docker.sock", tmp_path / "link.sock"
    link.symlink_to(socket)
    own = [Ours(path=str(socket), kind=OurKind.ENGINE)]
    for path in (socket, link):
        with pytest.raises(ConfigError, match="own socket, and no listener"):
            check_own(policy_of("@proxy", PROXY_SOCKET=str(path)), own)
    assert check_own(policy_of("@proxy", PROXY_SOCKET=str(tmp_path / "p")), own) == ""


@pytest.mark.parametrize(
    ("binds", "is_told"),
    [
        ("/run/tp:ro", True),
        ("/run/tp/other.sock:ro", True),
        ("@proxy", True),
        ("/run/tp/own.sock:ro", False),
        ("/srv/app", False),
    ],
)
def test_a_listener_of_another_policy(binds: str, is_told: bool) -> None:
    """Who may connect there has that policy, by `@proxy` or to read, and is told of at the start; of its own nothing is."""
    own = [
        Ours(path=f"/run/tp/{name}.sock", kind=OurKind.LISTENER, client=name)
        for name in ("own", "other")
    ]
    own.insert(0, Ours(path="/run/tp/metrics.sock", kind=OurKind.LISTENER))
    policy = policy_of(binds, PROXY_SOCKET="/run/tp/other.sock")
    said = check_listeners(policy, own, "own", None)
    assert ("/run/tp/other.sock, a listener of another policy" in said) is is_told
    assert not check_listeners(policy, own[:2], "own", None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_links(project: Path, tmp_path: Path) -> None:
    """A link that leads into a bind, one that lies in it, and one on the way refuse."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "inside.env").touch()
    (outside / "real.env").touch()
    (outside / "in.env").symlink_to(project / "inside.env")
    (project / "out.env").symlink_to(outside / "real.env")
    (outside / "twice.env").symlink_to(project / "out.env")
    for path in (outside / "in.env", project / "out.env", outside / "twice.env"):
        with pytest.raises(ConfigError, match=MESSAGE):
            check(str(project), str(path))
    assert check(str(project), str(outside / "real.env")) == ""


@pytest.mark.parametrize("end", ["", "/data", "/*", "/d*"])
def test_a_bind_that_is_a_link(project: Path, tmp_path: Path, end: str) -> None:
    """A listed folder is where its links lead, too."""
    (tmp_path / "link").symlink_to(project)
    own = f"{project}/data/app.env" if end else f"{project}/app.env"
    with pytest.raises(ConfigError, match=MESSAGE):
        check(f"{tmp_path}/link{end}", own)


def test_a_link_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listed path that this user may not look at stops nothing."""

    def refuse(path: str) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(os.path, "realpath", refuse)
    assert check("/proc/1/root", "/srv/app/app.env") == ""


@pytest.mark.parametrize(
    "below", ["", "/lib", "/lib/python3.11/site-packages/trio", "/l*"]
)
def test_the_program_is_ours(
    project: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """A virtual environment in, or above, a writable bind is told, with pipx."""
    monkeypatch.setattr(sys, "prefix", f"{project}/.venv")
    policy = policy_of(f"{project}/.venv{below}")
    with pytest.raises(ConfigError, match="which trioproxy runs from") as caught:
        check_own(policy, ours.program())
    assert "pipx" in caught.value.hint


def test_all_that_is_loaded_is_ours() -> None:
    """The interpreter, the package and the folders of its modules are all compared."""
    found = {one.path for one in ours.program()}
    package = trioproxy.__path__[0]
    site = sysconfig.get_path("purelib")
    assert {sys.prefix, sys.executable, package, site} <= found


# --- In a container -------------------------------------------------------------------

TABLE = """\
1 0 0:50 / / rw - overlay overlay rw,lowerdir=/x,upperdir=/var/lib/docker/overlay2/a/diff,workdir=/w
2 1 8:1 /srv/my\\040app /policies ro - ext4 /dev/sda1 rw
3 1 0:21 /app /run/app rw - tmpfs tmpfs rw
4 1 8:2 /me/app /home/app rw - ext4 /dev/sdb1 rw
5 1 0:60 /@home/me/x /data rw - btrfs /dev/sdc rw
6 1 0:70 / /fuse rw - overlay overlay rw
7 1 8:1 /srv/mon\u00a0app /mine rw - ext4 /dev/sda1 rw
8 1 8:1 /srv/a\u2028b\r\fc /odd rw - ext4 /dev/sda1 rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> tuple[Mount, ...]:
    (tmp_path / "mountinfo").write_bytes(TABLE.encode())
    return read_mounts(tmp_path / "mountinfo")


@pytest.mark.parametrize(
    ("binds", "path"),
    [
        ("/srv/my%20app", "/policies/app.env"),
        ("/srv/*", "/policies/app.env"),
        ("/srv/mon%C2%A0app", "/mine/app.env"),
        ("/srv/a%E2%80%A8b%0D%0Cc", "/odd/app.env"),
        ("/run/app", "/run/app/proxy.sock"),
        ("/var/run/app", "/run/app/proxy.sock"),
        ("/home/me/x", "/data/app.env"),
        ("/var/lib/docker/*", "/usr/lib/python3/trio"),
    ],
)
def test_translated(mounts: tuple[Mount, ...], binds: str, path: str) -> None:
    """In a container a path is where its mount comes from, and a writable one refuses."""
    with pytest.raises(ConfigError, match=MESSAGE) as caught:
        check_own(policy_of(binds), [Ours(path=path)], mounts)
    assert "mount it from a folder of the host" in caught.value.hint


@pytest.mark.parametrize(
    ("binds", "path", "warns"),
    [
        ("/policies", "/policies/app.env", False),
        ("/srv/my%20app:ro", "/policies/app.env", False),
        ("/etc/app", "/etc/app/app.env", False),
        ("/home/me/app", "/home/app/app.env", True),
        ("/data/me/app", "/home/app/app.env", True),
        ("/data/you/app", "/home/app/app.env", False),
        ("/fuse/x", "/fuse/x/app.env", True),
    ],
)
def test_not_translated(
    mounts: tuple[Mount, ...], binds: str, path: str, warns: bool
) -> None:
    """Where the host may have a file in a bind is warned about, and nowhere else."""
    warning = check_own(policy_of(binds), [Ours(path=path)], mounts)
    assert warning.endswith("if the host has it there too") is warns


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_marks_of_containers(tmp_path: Path, mark: str) -> None:
    """Docker's mark and Podman's say that paths are others than the host's."""
    assert not is_in_container(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / mark).touch()
    assert is_in_container(tmp_path)


# --- The advice, followed -------------------------------------------------------------


@pytest.fixture
def environment(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(project)
    return dict(os.environ)


def start(
    program: list[str], file: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Start `enforce` where no Engine is: past all checks of the file it says so."""
    command = [*program, "enforce", file, "--upstream", "unix:///nonexistent/x.sock"]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.fixture
def file(project: Path) -> Path:
    """A learned file in the folder of its client, which the client may write."""
    file = project / "app.env"
    file.write_text(
        "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS={base}\n"
        f"CREATE_BASE={project}\n"
    )
    file.with_suffix(".jsonl").touch()
    return file


OURS = [sys.executable, "-m", "trioproxy"]


def place_in(told: str) -> Path:
    """The folder that a hint names for a file."""
    return Path(told.partition("hint: keep it in ")[2].partition(",")[0])


def moved(file: Path, folder: Path) -> Path:
    """The file with its evidence in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in (file.with_suffix(".jsonl"), file):
        one.rename(folder / one.name)
    return folder / file.name


def test_a_file_is_moved_as_advised(
    file: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is advised for a file in a bind makes it start."""
    monkeypatch.chdir("/")
    refused = start(OURS, str(file), environment)
    assert refused.returncode == 2
    assert MESSAGE in refused.stderr
    at = moved(file, place_in(refused.stderr))
    assert "cannot reach the Docker Engine" in start(OURS, str(at), environment).stderr


def test_learning_says_it(
    file: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The closing lines of learn name a place in which the file starts."""
    assert environment["HOME"]
    Closing(store=Store(file, Wish(name="app", file=str(file)))).show(
        Written(evidence=Evidence(), others=Evidence(), damage="", proposal=Proposal())
    )
    told = capsys.readouterr().err
    assert f"will not start so: {file} {MESSAGE}" in told
    at = moved(file, place_in(told))
    policy, _ = parse_policy(
        dict([one.split("=", 1) for one in at.read_text().splitlines()])
    )
    assert check_own(policy, [Ours(path=str(at)), *ours.program()]) == ""


def test_learning_says_it_of_the_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that lists, read-only, where the Engine's socket was is not called ready."""
    file = tmp_path / "app.env"
    file.write_text("CREATE_BINDS=/srv/eng:ro\nALLOW_OPERATIONS=ContainerCreate\n")
    nothing = Written(
        evidence=Evidence(), others=Evidence(), damage="", proposal=Proposal()
    )
    store = Store(file, Wish(name="app", file=str(file)))
    Closing(store=store, engine=UnixAddress(path="/srv/eng/docker.sock")).show(nothing)
    told = capsys.readouterr().err
    assert "will not start so: the Engine's socket /srv/eng/docker.sock lies" in told
    Closing(store=store, engine=UnixAddress(path="/srv/docker.sock")).show(nothing)
    assert "will not start so" not in capsys.readouterr().err


def test_the_last_word_of_learn_can_be_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command names the file as a shell reads it."""
    file = tmp_path / "my app's.env"
    Closing(store=Store(file, Wish(name="app", file=str(file)))).show(
        Written(evidence=Evidence(), others=Evidence(), damage="", proposal=Proposal())
    )
    command = " ".join(capsys.readouterr().err.split()).rpartition("--env-file ")[2]
    assert shlex.split(command) == [str(file)]


def test_a_program_is_installed_as_advised(
    file: Path, project: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """From a virtual environment in a bind it refuses with pipx, and from one elsewhere starts."""
    inside = _environment(project / ".venv")
    outside = _environment(tmp_path / "pipx")
    at = moved(file, tmp_path)
    refused = start(inside, str(at), environment)
    assert "which trioproxy runs from, lies in a folder" in refused.stderr
    assert "hint: install it outside of these folders, as with pipx" in refused.stderr
    started = start(outside, str(at), environment)
    assert "cannot reach the Docker Engine" in started.stderr


def _environment(folder: Path) -> list[str]:
    """Make a virtual environment that has what this one has."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = sysconfig.get_path("purelib", vars={"base": str(folder)})
    tree = str(Path(trioproxy.__path__[0]).parent)
    paths = f"{sysconfig.get_path('purelib')}\n{tree}\n"
    Path(site, "ours.pth").write_text(paths)
    # -P: not from the current folder, as the installed command does.
    return [f"{folder}/bin/python", "-P", "-m", "trioproxy"]
