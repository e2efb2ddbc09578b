"""What is looked at before serving: the container around the process, and its addresses."""

import os
import socket
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
import trio

from trioproxy.commands import start
from trioproxy.config import FdAddress, parse_address, parse_listener
from trioproxy.errors import ConfigError
from trioproxy.proxy import listeners

HEAD = "Iface\tDestination\tGateway\tFlags\n"
INSIDE = "eth0\t000012AC\t00000000\t0001\n"
WAY_OUT = "eth0\t00000000\t010012AC\t0003\n"
ZEROS = "0" * 32
REFUSES = (
    f"{ZEROS} 00 {ZEROS} 00 {ZEROS} ffffffff 00000001 00000000 00200200       lo\n"
)
WAY_OUT_6 = f"{ZEROS} 00 {ZEROS} 00 fe80{'0' * 28} 00000400 1 0 00000003     eth0\n"
NARROW_6 = f"fd00{'0' * 28} 40 {ZEROS} 00 {ZEROS} 00000100 1 0 00000001     eth0\n"


def machine(
    folder: Path,
    *,
    mark: str = ".dockerenv",
    routes: str = HEAD + INSIDE,
    routes_6: str = "",
    bounds: str = "00000000a80425fb",
) -> Path:
    """What a process finds of a machine below `/`."""
    (folder / "proc/net").mkdir(parents=True)
    (folder / "proc/self").mkdir()
    (folder / "run").mkdir()
    if mark:
        (folder / mark).touch()
    (folder / "proc/net/route").write_text(routes)
    if routes_6:
        (folder / "proc/net/ipv6_route").write_text(routes_6)
    (folder / "proc/self/status").write_text(f"Name:\tx\nCapBnd:\t{bounds}\nUid:\t0\n")
    return folder


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, True, id="internal"),
        pytest.param({"mark": "run/.containerenv"}, True, id="podman"),
        pytest.param({"routes_6": REFUSES + NARROW_6}, True, id="internal-ipv6"),
        pytest.param({"mark": ""}, False, id="no-container"),
        pytest.param({"routes": HEAD + INSIDE + WAY_OUT}, False, id="way-out"),
        pytest.param({"routes_6": REFUSES + WAY_OUT_6}, False, id="way-out-ipv6"),
        pytest.param({"routes": HEAD + "eth0\n"}, False, id="unreadable"),
    ],
)
def test_internal_network(
    tmp_path: Path, given: dict[str, str], expected: bool
) -> None:
    """A container without a default route, and nothing else, is on internal networks."""
    assert start.is_on_internal_network(machine(tmp_path, **given)) is expected


def test_a_machine_that_hides_its_routes_has_a_way_out(tmp_path: Path) -> None:
    """What cannot be read is no reason to be silent."""
    (tmp_path / ".dockerenv").touch()
    assert not start.is_on_internal_network(tmp_path)
    assert start.check_privileges(tmp_path) == ""


@pytest.mark.parametrize(
    ("given", "warns"),
    [
        pytest.param({}, False, id="plain"),
        pytest.param({"bounds": "000001ffffffffff"}, True, id="privileged"),
        pytest.param({"bounds": "00000000a82425fb"}, True, id="sys-admin"),
        pytest.param(
            {"bounds": "000001ffffffffff", "mark": ""}, False, id="no-container"
        ),
    ],
)
def test_privileges(tmp_path: Path, given: dict[str, str], warns: bool) -> None:
    """A privileged container has one line that it need not be; a host has none."""
    warning = start.check_privileges(machine(tmp_path, **given))
    assert ("needs neither" in warning) is warns


@pytest.mark.parametrize(
    ("upstream", "listen", "is_refused"),
    [
        ("unix:///engine", "fd://a?policy=a.env fd://b?policy=b.env", True),
        ("unix:///engine", "fd://u unix://{path}?policy=b.env", True),
        ("unix://{path}", "fd://u", True),
        ("unix:///engine", "fd://a fd://c fd://u", False),
    ],
    ids=["two-names", "a-path", "the-engine", "three"],
)
def test_what_was_handed_over_is_one_address_once(
    upstream: str,
    listen: str,
    is_refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """systemd binds one address twice with `ReusePort=yes`: whose clients come by both had the one policy or the other, as the kernel chose."""
    path, first = tmp_path / "u.sock", 900
    with ExitStack() as undo:
        tcp, other, unix = (
            undo.enter_context(socket.socket(family))
            for family in (socket.AF_INET, socket.AF_INET, socket.AF_UNIX)
        )
        unix.bind(str(path))
        for one in (tcp, other):
            one.bind(("127.0.0.1", 0))
        for number, sock in enumerate((tcp, tcp, other, unix), first):
            undo.callback(os.close, os.dup2(sock.fileno(), number))
        monkeypatch.setattr(listeners, "FIRST_LENT", first)
        for name, text in (
            ("PID", str(os.getpid())),
            ("FDS", "4"),
            ("FDNAMES", "a:b:c:u"),
        ):
            monkeypatch.setenv(f"LISTEN_{name}", text)
        engine, *own = (
            parse_listener(url.format(path=path)) for url in (upstream, *listen.split())
        )
        assert not isinstance(engine, FdAddress)
        raises = pytest.raises(ConfigError, match=r"one address|one of our own")
        with raises if is_refused else nullcontext():
            start.check_addresses(engine, tuple(own))


@pytest.mark.parametrize(
    ("upstream", "listen", "is_refused"),
    [
        ("tcp://localhost:1", "tcp://[::1]:2 tcp://127.0.0.1:2 tcp://127.0.0.2:2", False),
        ("tcp://127.0.0.1:1", "tcp://[::1]:1", False),
        ("tcp://10.0.0.1:1", "tcp://:1", False),
        ("tcp://127.0.0.2:1", "tcp://:1", True),
        ("tcp://LOCALHOST:1", "tcp://[0:0:0:0:0:0:0:1]:1", True),
        ("tcp://10.0.0.1:1", "tcp://localhost:2 tcp://[::ffff:127.0.0.1]:2", True),
        ("tcp://10.0.0.1:1", "tcp://0.0.0.0:2 tcp://[::]:2", True),
        ("tcp://10.0.0.1:1", "tcp://10.0.0.2:2 tcp://[::]:2", True),
        ("tcp://10.0.0.1:1", "tcp://[::1]:2 tcp://0.0.0.0:2", False),
    ],
    ids=["loopbacks", "the-other", "remote", "all", "a-name", "twice", "both", "within", "neither"],
)  # fmt: skip
def test_addresses_of_this_machine_are_many(
    upstream: str, listen: str, is_refused: bool
) -> None:
    """127.0.0.1, 127.0.0.2 and ::1 are three addresses, of which a start said that they are one; localhost is two of them, and :: takes IPv4 as well."""
    raises = pytest.raises(ConfigError, match=r"one address|one of our own")
    with raises if is_refused else nullcontext():
        start.check_addresses(
            parse_address(upstream), tuple(map(parse_address, listen.split()))
        )


def test_a_ctrl_c_comes_out_of_nurseries() -> None:
    """Ctrl-C while the Engine is asked is an interruption, and no crash of the nursery around it."""

    async def interrupted() -> None:
        async with trio.open_nursery():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start.run(interrupted)
