"""What is said where no Engine is found: the cause, and what would work instead."""

import json
import re
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback import own_loopback
from tests.markdown import ROOT
from trioproxy.commands import engines
from trioproxy.commands.engines import USUAL
from trioproxy.commands.start import check_time_zone, check_upstream
from trioproxy.config import TcpAddress, UnixAddress, parse_address
from trioproxy.errors import ConfigError

NOWHERE = {"HOME": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder with a path short enough for sockets."""
    with TemporaryDirectory(prefix="trioproxy-") as folder:
        yield Path(folder)


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """The environment of a user whose home that is."""
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}


@pytest.fixture(autouse=True)
def no_engine_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the places of a user only, not at what this machine happens to run."""
    places = [one for one in engines.USUAL if one[0].startswith("{")]
    monkeypatch.setattr(engines, "USUAL", places)


class Listening:
    """A socket on which somebody listens."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(str(path))
        self.sock.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def make_context(home: Path, name: str, host: object) -> None:
    """Write a docker context, and make it the current one."""
    digest = sha256(name.encode()).hexdigest()
    folder = home / ".docker" / "contexts" / "meta" / digest
    folder.mkdir(parents=True)
    meta = {"Name": name, "Endpoints": {"docker": {"Host": host}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    config = {"currentContext": name}
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def failure(path: Path, environ: dict[str, str]) -> ConfigError:
    """Look for an Engine at a path that is no socket for us."""
    with pytest.raises(ConfigError) as caught:
        check_upstream(UnixAddress(path=str(path)), environ)
    return caught.value


def test_a_folder_is_named(home: Path) -> None:
    """Where Docker made a folder for a missing mount, that is what is said."""
    path = home / "docker.sock"
    path.mkdir()
    error = failure(path, NOWHERE)
    assert str(error) == (
        f"cannot reach the Docker Engine at unix://{path}: it is a folder:"
        " Docker makes one where the mounted path is missing"
    )
    assert error.hint.startswith("remove the folder if it is empty, and name")


def test_a_file_is_named(home: Path) -> None:
    """A regular file is told from an Engine that is down."""
    path = home / "docker.sock"
    path.write_text("")
    assert str(failure(path, NOWHERE)).endswith("it is a file, no socket")


def test_nothing_there_and_nothing_elsewhere(home: Path) -> None:
    """Where nothing else is found either, the hint says how to name a socket."""
    error = failure(home / "docker.sock", NOWHERE)
    assert "there is no such socket" in str(error)
    assert error.hint == (
        "name the socket with --upstream unix:///path or SOCKET_PATH=/path"
    )


@pytest.mark.parametrize(
    ("path", "what"),
    [
        pytest.param("run/docker.sock", "rootless Docker", id="rootless"),
        pytest.param("run/podman/podman.sock", "rootless Podman", id="podman"),
        pytest.param(".docker/desktop/docker.sock", "Docker Desktop", id="desktop"),
        pytest.param(".docker/run/docker.sock", "Docker Desktop", id="desktop-macos"),
        pytest.param(".colima/default/docker.sock", "Colima", id="colima"),
        pytest.param(".rd/docker.sock", "Rancher Desktop", id="rancher"),
        pytest.param(".orbstack/run/docker.sock", "OrbStack", id="orbstack"),
    ],
)
def test_another_socket_is_named(
    home: Path, environ: dict[str, str], path: str, what: str
) -> None:
    """A usual socket on which somebody listens is named, one where nobody does is not."""
    with Listening(home / path):
        error = failure(home / "docker.sock", environ)
        assert error.hint == (
            f"{what} answers at unix://{home}/{path}:"
            " name it with --upstream or SOCKET_PATH"
        )
    assert what not in failure(home / "docker.sock", environ).hint


@pytest.mark.parametrize("name", ["DOCKER_HOST", "CONTAINER_HOST"])
def test_what_the_user_set_is_named(
    home: Path, environ: dict[str, str], name: str
) -> None:
    """The address in `DOCKER_HOST` or `CONTAINER_HOST` comes before the usual ones."""
    with Listening(home / "mine.sock"), Listening(home / "run/docker.sock"):
        environ[name] = f"unix://{home}/mine.sock"
        assert failure(home / "docker.sock", environ).hint.startswith(
            f"{name} answers at unix://{home}/mine.sock"
        )


def test_the_docker_context_is_named(home: Path, environ: dict[str, str]) -> None:
    """The docker command's current context is named with its address."""
    make_context(home, "colima-x", f"unix://{home}/c.sock")
    with Listening(home / "c.sock"):
        assert failure(home / "docker.sock", environ).hint == (
            f"the docker context colima-x answers at unix://{home}/c.sock:"
            " name it with --upstream or SOCKET_PATH"
        )
        environ["DOCKER_CONTEXT"] = "default"
        assert "colima-x" not in failure(home / "docker.sock", environ).hint


def test_a_context_behind_ssh_needs_a_tunnel(
    home: Path, environ: dict[str, str]
) -> None:
    """A context on another host is named with the tunnel that makes a socket of it."""
    make_context(home, "far", "ssh://me@example.org:2222")
    assert failure(home / "docker.sock", environ).hint == (
        "the docker context far is ssh://me@example.org:2222: open a tunnel:"
        " ssh -nNT -p 2222 -L /tmp/engine.sock:/var/run/docker.sock me@example.org"
        " and name unix:///tmp/engine.sock"
    )


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_what_cannot_be_read_is_passed_over(text: bytes) -> None:
    """Whatever stands in the docker command's files, the hint is one line or none."""
    with TemporaryDirectory(prefix="trioproxy-") as folder:
        home = Path(folder)
        make_context(home, "x", ["no", {"address": 1}])
        environ = {"HOME": folder, "XDG_RUNTIME_DIR": "/nowhere"}
        tried = UnixAddress(path="/tried")
        assert engines.hint(tried, environ) == ""
        (home / ".docker" / "config.json").write_bytes(text)
        assert "\n" not in engines.hint(tried, environ)
        environ["DOCKER_HOST"] = text.decode("utf-8", "surrogateescape")
        assert "\n" not in engines.hint(tried, environ)


def test_the_page_lists_the_usual_sockets() -> None:
    """docs/engines.md has the sockets that a hint looks at, in that order."""
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+)` \| ([\w ]+) \|$", page, re.MULTILINE)
    places = {"run": "$XDG_RUNTIME_DIR", "home": "~"}
    assert rows == [(path.format(**places), what) for path, what in USUAL]


def test_an_engine_that_is_down_is_waited_for(
    home: Path, environ: dict[str, str]
) -> None:
    """A socket on which nobody listens is a warning, with what answers elsewhere."""
    path = home / "docker.sock"
    Listening(path).sock.close()
    address = UnixAddress(path=str(path))
    down = f"the Docker Engine at unix://{path} does not answer yet"
    assert check_upstream(address, environ) == down
    with Listening(home / "run/docker.sock"):
        assert check_upstream(address, environ) == (
            f"{down}; rootless Docker answers at unix://{home}/run/docker.sock:"
            " name it with --upstream or SOCKET_PATH"
        )


def test_a_tcp_engine_that_is_down_is_told() -> None:
    """An Engine behind TCP is asked at the start too, and one that is up is no news."""
    with socket.create_server((own_loopback(), 0)) as server:
        host, port = server.getsockname()
        address = TcpAddress(host=host, port=port)
        assert check_upstream(address, NOWHERE) == ""
    assert check_upstream(address, NOWHERE) == (
        f"the Docker Engine at tcp://{host}:{port} does not answer yet:"
        " Connection refused"
    )
    unknown = TcpAddress(host="no-such-host.invalid", port=2375)
    assert check_upstream(unknown, NOWHERE).startswith(
        "the Docker Engine at tcp://no-such-host.invalid:2375 does not answer yet: "
    )


@pytest.mark.parametrize(
    ("url", "command"),
    [
        pytest.param("ssh://h", "ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock h ", id="plain"),
        pytest.param("ssh://me@h:22", "ssh -nNT -p 22 -L /tmp/engine.sock:/var/run/docker.sock me@h ", id="port"),
        pytest.param("ssh://u@h/run/user/1000/podman/podman.sock", "-L /tmp/engine.sock:/run/user/1000/podman/podman.sock u@h ", id="podman"),
        pytest.param("ssh://-oProxyCommand=x/", "docker.sock USER@HOST ", id="option"),
        pytest.param("ssh://h;rm", "docker.sock USER@HOST ", id="shell"),
        pytest.param("ssh://-o@h", "docker.sock USER@HOST ", id="option-as-user"),
    ],
)  # fmt: skip
def test_ssh_is_answered_by_a_tunnel(url: str, command: str) -> None:
    """`ssh://` is refused with a command to paste, which holds no option of a stranger."""
    with pytest.raises(ConfigError) as caught:
        parse_address(url)
    assert command in caught.value.hint


@pytest.mark.parametrize("zone", ["", "UTC", "Etc/UTC", "Etc/GMT"])
def test_universal_time_is_silent(zone: str) -> None:
    """The zone of the incumbents' examples, which is that of our log, goes without words."""
    assert check_time_zone({"TZ": zone}) == ""


def test_another_time_zone_is_told() -> None:
    """A zone that the log does not follow is one line."""
    assert check_time_zone({"TZ": "Europe/Madrid"}) == (
        "TZ='Europe/Madrid' changes nothing: times in the log are UTC"
    )
