"""What `trioproxy health` makes of whoever answers at the proxy's place."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.running import run
from trioproxy.commands import dialing, health
from trioproxy.config import TcpAddress, UnixAddress

HEAD = b"HTTP/1.1 200 OK\r\nServer: trioproxy\r\n\r\n"


@contextmanager
def answering(
    path: Path, *pieces: bytes, again: bytes = b"", pause: float = 0.01
) -> Iterator[UnixAddress]:
    """Somebody who says this, and then `again` and again until nobody listens."""

    def serve() -> None:
        with listener, listener.accept()[0] as one:
            one.recv(4096)
            try:
                for piece in pieces:
                    one.sendall(piece)
                while again and not over.wait(pause):
                    one.sendall(again)
            except OSError:  # nobody listens any more
                return

    over, listener = threading.Event(), socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield UnixAddress(path=str(path))
    finally:
        over.set()
        thread.join()


def test_an_answer_without_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is that of the whole answer: who says a byte now and then is not waited for."""
    monkeypatch.setattr(health, "DEADLINE", 0.2)
    with answering(tmp_path / "p.sock", HEAD, again=b" ") as address:
        told = health.ask_proxy(address, "health")
    assert not told["up"]
    assert told["detail"] == "the proxy does not answer: timed out"


def test_an_answer_that_never_pauses(tmp_path: Path) -> None:
    """Nor is it waited for who always has a byte more, however soon that comes."""
    with answering(tmp_path / "p.sock", HEAD, again=b" ", pause=0.0) as address:
        with pytest.raises(TimeoutError):
            dialing.answer_of(address, b"?", 0.01)


@pytest.mark.parametrize("policies", [b"3", b"[]", b'{"app": 3}', b'{"app": "newer"}'])
def test_what_is_said_of_policies_is_none_of_ours(
    tmp_path: Path, policies: bytes
) -> None:
    """Words that no proxy of ours would say are left out, and what is known is told."""
    body = b'{"engine": "up", "policy": "0badcafe", "policies": %b}' % policies
    with answering(tmp_path / "p.sock", HEAD, body) as address:
        told = health.ask_proxy(address, "health")
    assert (told["up"], told["policy"], told["stale"]) == (True, "0badcafe", False)
    assert "policies" not in told


@pytest.mark.parametrize(
    ("probe", "detail"),
    [("live", "the proxy answers"), ("ready", "the Engine answers")],
)
def test_what_was_asked_is_answered(tmp_path: Path, probe: str, detail: str) -> None:
    """Who asks whether the proxy lives is told nothing of the Engine."""
    with answering(tmp_path / "p.sock", HEAD, b"{}") as address:
        told = health.ask_proxy(address, probe)
    assert (told["up"], told["detail"]) == (True, detail)


def test_who_is_no_proxy_of_ours(tmp_path: Path) -> None:
    """Another server at that place is told apart, whatever it answers."""
    with answering(tmp_path / "p.sock", b"HTTP/1.1 200 OK\r\n\r\n") as address:
        told = health.ask_proxy(address, "health")
    assert (told["up"], told["detail"]) == (False, "this is no trioproxy")


def test_a_listener_that_only_the_proxy_has() -> None:
    """A socket that was handed over is found by nobody else, and the URL has to be given."""
    for done in (
        run("health", variables={"LISTEN": "fd://app"}),
        run("health", "fd://app"),
    ):
        assert done.status == 2
        assert "fd://app is a socket of whoever starts the proxy" in done.err


@pytest.mark.parametrize("behind", ["policy=app.env", "uids=1000", "mode=0666+uids=1"])
def test_a_listener_as_the_proxy_has_it(behind: str, tmp_path: Path) -> None:
    """Copied from `--listen` it was a bad address: `there is no parameter 'policy'`."""
    done = run("health", f"unix://{tmp_path}/p.sock?{behind}")
    assert (done.status, "the proxy does not answer" in done.out) == (1, True)


def test_a_host_that_is_no_name() -> None:
    """A slip in a host's name is a proxy that does not answer, and no crash."""
    told = health.ask_proxy(TcpAddress(host="a..b", port=2375), "health")
    assert told["detail"].startswith("the proxy does not answer: ")
