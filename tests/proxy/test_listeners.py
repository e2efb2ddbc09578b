"""Listeners are bound with owner and mode, and never in somebody else's place."""

import os
import socket
import stat
from pathlib import Path

import pytest

from trioproxy.config import TcpAddress, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.proxy import listeners


def test_unix_socket_has_the_mode_asked_for(tmp_path: Path) -> None:
    """A Unix listener gets its mode and owner before it listens."""
    path = tmp_path / "s"
    address = UnixAddress(path=str(path), mode=0o640, uid=os.getuid(), gid=os.getgid())
    [sock] = listeners.bind(address)
    with sock:
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert listeners.name_of(sock) == f"unix://{path}"


def test_dead_socket_is_replaced(tmp_path: Path) -> None:
    """A socket that nobody answers on makes room."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    [sock] = listeners.bind(UnixAddress(path=path))
    sock.close()


def test_live_socket_is_left_alone(tmp_path: Path) -> None:
    """A socket that somebody answers on is an error, and stays."""
    path = str(tmp_path / "s")
    [sock] = listeners.bind(UnixAddress(path=path))
    with sock, pytest.raises(ConfigError, match="another program listens"):
        listeners.bind(UnixAddress(path=path))
    assert Path(path).exists()


def test_file_is_never_removed(tmp_path: Path) -> None:
    """A path that is no socket is an error, and stays."""
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        listeners.bind(UnixAddress(path=str(path)))
    assert path.read_text() == "precious"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A Unix listener in a folder that does not exist is one clear error."""
    with pytest.raises(ConfigError, match="No such file"):
        listeners.bind(UnixAddress(path=str(tmp_path / "no" / "s")))


def test_taken_port_is_an_error() -> None:
    """A port in use is an error that says so."""
    [sock] = listeners.bind(TcpAddress(host="127.0.0.1", port=0))
    with sock, pytest.raises(ConfigError, match="in use") as caught:
        listeners.bind(TcpAddress(host="127.0.0.1", port=sock.getsockname()[1]))
    assert "another port" in caught.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_tcp_listener_takes_ipv4_clients(host: str) -> None:
    """Loopback, a name and all interfaces alike take an IPv4 client."""
    sockets = listeners.bind(TcpAddress(host=host, port=0))
    try:
        client = socket.create_connection(
            ("127.0.0.1", sockets[0].getsockname()[1]), 10
        )
    except ConnectionRefusedError:
        # A name may mean IPv6 first.
        client = socket.create_connection(("::1", sockets[0].getsockname()[1]), 10)
    accepted, address = sockets[0].accept()
    with client, accepted:
        assert listeners.peer_of(accepted, address).rpartition(":")[0] in {
            "127.0.0.1",
            "[::1]",
        }
    for sock in sockets:
        sock.close()


def congestion_control(sock: socket.socket) -> bytes:
    """The kernel's name for it."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


@pytest.mark.parametrize("is_paced", [True, False])
def test_clients_are_not_paced(is_paced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default that paces is replaced on what is accepted; any other stays."""
    with socket.socket() as fresh:
        default = congestion_control(fresh)
    monkeypatch.setattr(listeners, "PACING", {default} if is_paced else set())
    [sock] = listeners.bind(TcpAddress(host="127.0.0.1", port=0))
    with sock, socket.create_connection(sock.getsockname(), 10) as client:
        accepted, _ = sock.accept()
        with accepted:
            expected = listeners.UNPACED if is_paced else default
            assert congestion_control(accepted) == expected
            assert congestion_control(client) == default


def test_kernel_without_the_choice_is_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no congestion control can be chosen, the listener works as it is."""
    monkeypatch.setattr(listeners, "UNPACED", b"no-such-control")
    with socket.socket() as fresh:
        monkeypatch.setattr(listeners, "PACING", {congestion_control(fresh)})
    [sock] = listeners.bind(TcpAddress(host="127.0.0.1", port=0))
    with sock, socket.create_connection(sock.getsockname(), 10):
        accepted, _ = sock.accept()
        accepted.close()


def test_unix_client_is_named_by_its_user(tmp_path: Path) -> None:
    """A client behind a Unix socket is named by the kernel's word for its user."""
    [sock] = listeners.bind(UnixAddress(path=str(tmp_path / "s")))
    with sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        accepted, address = sock.accept()
        with accepted:
            assert listeners.peer_of(accepted, address) == f"unix:uid={os.getuid()}"
