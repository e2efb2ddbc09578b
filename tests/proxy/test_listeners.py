"""Listeners are bound with owner and mode, and never in somebody else's place."""

import errno
import os
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from ipaddress import ip_network
from pathlib import Path
from typing import cast

import pytest

from trioproxy.config import Entry, TcpAddress, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.judge.outcome import name_of_client
from trioproxy.proxy import listeners


def bound(address: UnixAddress | TcpAddress) -> list[socket.socket]:
    """The sockets of a bound address."""
    return [one.sock for one in listeners.bind(address)]


def test_unix_socket_has_the_mode_asked_for(tmp_path: Path) -> None:
    """A Unix listener gets its mode and owner before it listens."""
    path = tmp_path / "s"
    address = UnixAddress(path=str(path), mode=0o640, uid=os.getuid(), gid=os.getgid())
    [sock] = bound(address)
    with sock:
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert listeners.name_of(sock) == f"unix://{path}"


def test_a_socket_without_a_file_is_called_as_systemd_writes_it() -> None:
    """With an @ in the place of its zero byte, and not as Python writes bytes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(b"\0tp-%d" % os.getpid())
        assert listeners.name_of(sock) == f"unix://@tp-{os.getpid()}"


def test_socket_that_cannot_have_its_owner_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that fails at gid= leaves nothing for clients to find: they would wait there."""

    def chown(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    path = tmp_path / "s"
    with pytest.raises(ConfigError, match="not permitted") as caught:
        bound(UnixAddress(path=str(path), gid=1))
    assert caught.value.hint == "this user may not give a file to that uid= or gid="
    assert not path.exists()


SWAP = """
import os, stat, sys
path, victim = sys.argv[1:]
print("ready", flush=True)
while True:
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.symlink(victim, path + ".link")
            os.rename(path + ".link", path)
    except OSError:
        pass
"""
"""What another user may do who may write the folder: replace each new socket by a link."""


def test_link_in_place_of_the_socket_is_never_followed(tmp_path: Path) -> None:
    """However fast a link takes the socket's place, what it leads to keeps its mode."""
    path, victim = tmp_path / "s", tmp_path / "victim"
    victim.touch(mode=0o600)
    address = UnixAddress(path=str(path), mode=0o666, uid=os.getuid(), gid=os.getgid())
    outcomes = set[str]()
    command = [sys.executable, "-c", SWAP, str(path), str(victim)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for _ in range(400):
            try:
                [sock] = bound(address)
                sock.close()
            except ConfigError as error:
                outcomes.add(str(error).rpartition(": ")[2])
            path.unlink(missing_ok=True)
        other.kill()
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    assert outcomes <= {
        "somebody replaced the new socket",
        "Address already in use",
        "No such file or directory",
        "the path exists and is no socket",
    }


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0o000])
def test_socket_file_is_made_with_its_mode(tmp_path: Path, mode: int) -> None:
    """The mode is right whatever the umask is, which stays as it was."""
    path = tmp_path / "s"
    before = os.umask(0o027)
    try:
        [sock] = bound(UnixAddress(path=str(path), mode=mode))
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    sock.close()
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_socket_is_given_away(tmp_path: Path) -> None:
    """The socket gets the owner that the address names: with root's rights any other."""
    path = tmp_path / "s"
    uid, gid = (65534, 9) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    [sock] = bound(UnixAddress(path=str(path), mode=0o640, uid=uid, gid=gid))
    sock.close()
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (
        uid,
        gid,
        0o640,
    )


def test_dead_socket_is_replaced(tmp_path: Path) -> None:
    """A socket that nobody answers on makes room."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    [sock] = bound(UnixAddress(path=path))
    sock.close()


def test_a_socket_that_has_long_been_dead_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has bound it would listen by now: behind a crash of a proxy with a hundred listeners the next one was ready 5 s later."""
    path, waits = tmp_path / "s", list[float]()
    monkeypatch.setattr("trioproxy.proxy.listeners.time.sleep", waits.append)
    for age in (60, 0):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        at = time.time() - age
        os.utime(path, (at, at))
        [sock] = bound(UnixAddress(path=str(path)))
        sock.close()
        assert len(waits) == (age == 0)
        path.unlink()


def test_live_socket_is_left_alone(tmp_path: Path) -> None:
    """A socket that somebody answers on is an error, and stays."""
    path = str(tmp_path / "s")
    [sock] = bound(UnixAddress(path=path))
    with sock, pytest.raises(ConfigError, match="another program listens"):
        listeners.bind(UnixAddress(path=path))
    assert Path(path).exists()


def test_of_two_that_start_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a socket that is not listened on yet nor one in the place of a dead one is removed."""
    path, others = tmp_path / "s", list[socket.socket]()
    with ExitStack() as stack:

        def another(_: float) -> bytes:
            path.unlink(missing_ok=True)
            others.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            others[-1].bind(str(path))
            return b"aside"

        def listen(_: float) -> None:
            others[-1].listen()

        another(0)
        steps = ("time.sleep", another), ("os.urandom", another), ("time.sleep", listen)
        for name, meanwhile in steps:
            with monkeypatch.context() as patch:
                patch.setattr(f"trioproxy.proxy.listeners.{name}", meanwhile)
                with pytest.raises(ConfigError, match="another program listens"):
                    listeners.bind(UnixAddress(path=str(path)))
            assert list(tmp_path.iterdir()) == [path]


def test_a_listener_that_takes_nobody_in_is_not_waited_for(tmp_path: Path) -> None:
    """A program that hangs, with a full queue, holds up no start, and its socket stays."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as hung, socket.socket(socket.AF_UNIX) as waits:
        hung.bind(path)
        hung.listen(0)
        waits.connect(path)
        with pytest.raises(ConfigError, match="another program listens"):
            listeners.bind(UnixAddress(path=path))
    assert Path(path).exists()


@pytest.mark.parametrize(
    ("users", "uids", "number", "is_refused"),
    [
        ("0 0 4294967295", {65534}, 65534, False),
        ("0 100000 65536", {65534}, 65534, True),
        ("0 1000 1\n1 100000 65536", {1, 65534}, 65534, True),
        ("0 100000 65536", {0, 1000}, 65534, False),
        ("0 100000 65536", {0, 1000}, 1000, True),
    ],
    ids=["all", "some", "rootless", "others", "another number"],
)
def test_who_has_no_number_is_nobody(
    users: str,
    uids: set[int],
    number: int,
    *,
    is_refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a user namespace one number, which the host may choose, stands for all who have none: it lets nobody in."""
    for name, text in (("UID_MAP", users), ("OVERFLOW", number)):
        (tmp_path / name).write_text(f"{text}\n")
        monkeypatch.setattr(listeners, name, tmp_path / name)
    address = UnixAddress(path="/run/x", entry=Entry(uids=frozenset(uids)))
    refused = (
        pytest.raises(ConfigError, match=f"uids={number}")
        if is_refused
        else nullcontext()
    )
    with refused:
        listeners.check_uids(address)


def test_only_its_own_socket_is_removed(tmp_path: Path) -> None:
    """A listener removes the file that it bound, and not that of a successor."""
    path = tmp_path / "s"
    [old] = listeners.bind(UnixAddress(path=str(path)))
    with old.sock:
        path.unlink()
        [new] = listeners.bind(UnixAddress(path=str(path)))
        with new.sock:
            old.remove()
            assert path.exists()
            new.remove()
            assert not path.exists()


def test_file_is_never_removed(tmp_path: Path) -> None:
    """A path that is no socket is an error, and stays."""
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        listeners.bind(UnixAddress(path=str(path)))
    assert path.read_text() == "precious"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A Unix listener in a folder that does not exist is one clear error."""
    with pytest.raises(ConfigError, match="No such file") as caught:
        listeners.bind(UnixAddress(path=str(tmp_path / "no" / "s")))
    assert caught.value.hint == "make its folder first"


def test_a_socket_of_another_user_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a socket is there that this user cannot reach, it is said what is closed, and what to do."""

    def closed(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(listeners, "_make_room", closed)
    with pytest.raises(ConfigError, match="Permission denied") as caught:
        listeners.bind(UnixAddress(path=str(tmp_path / "s")))
    assert "choose another path, or have who owns it remove it" in caught.value.hint


def test_taken_port_is_an_error() -> None:
    """A port in use is an error that says so."""
    [sock] = bound(TcpAddress(host="127.0.0.1", port=0))
    with sock, pytest.raises(ConfigError, match="in use") as caught:
        listeners.bind(TcpAddress(host="127.0.0.1", port=sock.getsockname()[1]))
    assert "another port" in caught.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_tcp_listener_takes_ipv4_clients(host: str) -> None:
    """Loopback, a name and all interfaces alike take an IPv4 client."""
    sockets = bound(TcpAddress(host=host, port=0))
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
    [sock] = bound(TcpAddress(host="127.0.0.1", port=0))
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
    [sock] = bound(TcpAddress(host="127.0.0.1", port=0))
    with sock, socket.create_connection(sock.getsockname(), 10):
        accepted, _ = sock.accept()
        accepted.close()


def test_unix_client_is_named_by_its_user(tmp_path: Path) -> None:
    """A client behind a Unix socket is named by the kernel's word for its user."""
    [sock] = bound(UnixAddress(path=str(tmp_path / "s")))
    with sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        accepted, address = sock.accept()
        with accepted:
            assert listeners.peer_of(accepted, address) == f"unix:uid={os.getuid()}"


GROUPS = {
    "loopback": ("127.0.0.1:5", "127.0.0.0/8"),
    "all of it": ("127.255.0.9:5", "127.0.0.0/8"),
    "loopback of IPv6": ("[::1]:5", "127.0.0.0/8"),
    "IPv4": ("10.1.2.3:5", "10.1.2.3"),
    "IPv6": ("[2001:db8:1:2:3:4:5:6]:5", "2001:db8:1:2::/64"),
    "its neighbour": ("[2001:db8:1:2::9]:5", "2001:db8:1:2::/64"),
    "another network": ("[2001:db8:1:3::9]:5", "2001:db8:1:3::/64"),
    "a link": ("[fe80::1%eth0]:5", "fe80::/64"),
    "a user": ("unix:uid=1000", "unix:uid=1000"),
}


@pytest.mark.parametrize(("peer", "group"), GROUPS.values(), ids=GROUPS)
def test_who_counts_as_one_client(peer: str, group: str) -> None:
    """A machine is one client, by whichever of its addresses it comes."""
    assert listeners.group_of(peer) == group


def test_an_ipv4_in_an_ipv6_counts_as_that() -> None:
    """A listener for both names a client as it is named where there is IPv4 alone."""
    with socket.socket() as sock:
        for host in ("::ffff:10.1.2.3", "10.1.2.3"):
            assert listeners.group_of(listeners.peer_of(sock, (host, 5))) == "10.1.2.3"


class CameBy:
    """An IPv6 connection of which the kernel says by which interface it came."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.held_to: list[int] = []
        self.tells = 0

    def setsockopt(self, level: int, _: int, value: int) -> None:
        """Have the kernel tell it, or not; or hold the connection to an interface."""
        if level == socket.SOL_SOCKET:
            self.held_to.append(value)
        else:
            self.tells = value

    def getsockopt(self, *_: int) -> bytes:
        """What it tells."""
        return bytes(socket.CMSG_LEN(16)) + self.index.to_bytes(4, sys.byteorder)


@pytest.mark.parametrize(
    ("host", "index", "named"),
    [
        ("fd00:b::3", 18, "[fd00:b::3]:5"),
        ("fd00:b::3", 16, "[fd00:b::3%eth0]:5"),
        ("fd00:b::3", 20, "[fd00:b::3%20]:5"),
        ("fd00:b::2", 1, "[fd00:b::2]:5"),
        ("fe80::42:acff:fe12:3", 16, "[fe80::42:acff:fe12:3]:5"),
        ("fd00:e::3", 18, "[fd00:e::3]:5"),
    ],
    ids=[
        "beside us",
        "of another network",
        "of none of ours",
        "ourselves",
        "a link",
        "from afar",
    ],
)
def test_who_comes_by_another_network_has_no_address_of_this_one(
    host: str,
    index: int,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a router advertisement whoever is on one IPv6 network of the proxy's had the address of a container on another one (an Engine 26.1.5, 4 of 4): neither its policy nor `allow=` is for him. What an advertisement gave us says nothing. And he read the answers on its open connections (5 of 5, then 0 of 12), which stay where they came from."""
    table = tmp_path / "if_inet6"
    table.write_text(
        "fd00000a000000000000000000000002 10 40 00 82     eth0\n"
        "fd00000b0000000000000042acfffe12 10 40 00 00     eth0\n"
        "fe800000000000000042acfffe120002 10 40 20 80     eth0\n"
        "fe800000000000000042acfffe130002 12 40 20 80     eth1\n"
        "fd00000b000000000000000000000002 12 40 00 82     eth1\n"
    )
    monkeypatch.setattr(listeners, "ADDRESSES", table, raising=False)
    named_here = [(16, "eth0"), (18, "eth1")]
    monkeypatch.setattr(socket, "if_nameindex", named_here.copy)
    sock = CameBy(index)
    peer = listeners.peer_of(cast(socket.socket, sock), (host, 5, 0, 0))
    assert peer == named
    assert listeners.is_near(peer) == (host != "fd00:e::3")
    assert sock.tells == 0
    assert sock.held_to == ([18] if host == "fd00:b::3" and index == 18 else [])
    allowed = Entry(allow=(ip_network("fd00:b::/64"),))
    is_there = "%" not in named and "fd00:b:" in host
    assert allowed.admits(name_of_client(peer)) == is_there


@pytest.mark.parametrize("host", ["::ffff:0:a01:203", "::ffff:1:2:3", "::10.1.2.3"])
def test_an_ipv6_that_begins_so_is_no_ipv4(host: str) -> None:
    """Addresses as a translator of protocols has them (RFC 2765) are in IPv6 what they are: one connection from there ended the proxy."""
    with socket.socket() as sock:
        peer = listeners.peer_of(sock, (host, 5, 0, 0))
        assert peer == f"[{host}]:5"
        assert listeners.group_of(peer) == "::/64"
        assert not Entry(allow=(ip_network("10.0.0.0/8"),)).admits(f"[{host}]")


@pytest.mark.parametrize(
    ("count", "names", "lent"),
    [
        ("1", None, ["unknown"]),
        ("2", "web", ["web", "unknown"]),
        ("2", "web:", ["web", ""]),
        ("9" * 30, "web", ["web", *["unknown"] * (listeners.MOST_LENT - 1)]),
        ("-1", "web", []),
    ],
    ids=["no names", "too few", "empty", "no such number", "less than none"],
)
def test_what_is_said_of_lent_sockets(
    count: str, names: str | None, lent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tells no names hands over what is called "unknown" (sd_listen_fds_with_names(3)), and no number takes memory."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", count)
    monkeypatch.delenv("LISTEN_FDNAMES", raising=False)
    if names is not None:
        monkeypatch.setenv("LISTEN_FDNAMES", names)
    assert listeners._lent_names() == lent


@pytest.mark.parametrize("dual_stack", [True, False])
def test_all_of_ipv6_is_all_of_ipv4_as_well_unless_it_is_alone(
    dual_stack: bool,
) -> None:
    """By `v6only` IPv4 is left to another listener."""
    address = TcpAddress(host="::", port=0, dual_stack=dual_stack)
    (listener,) = listeners.bind(address)
    with listener.sock as sock, socket.socket() as client:
        failed = client.connect_ex(("127.0.0.1", sock.getsockname()[1]))
    assert (failed == 0) == dual_stack
