"""`trioproxy health`: does a running proxy reach the Engine? For a HEALTHCHECK."""

import json
import os
import socket

import click

from trioproxy.commands.terminal import show
from trioproxy.commands.versions import old_programs
from trioproxy.config import (
    DEFAULT_PORT,
    Address,
    TcpAddress,
    UnixAddress,
    listen_addresses,
    parse_address,
    upstream_address,
)

DEADLINE = 5.0
REQUEST = (
    b"GET /_trioproxy/health HTTP/1.1\r\nHost: trioproxy\r\nConnection: close\r\n\r\n"
)

EPILOG = """\b
Examples:
  trioproxy health
  trioproxy health tcp://127.0.0.1:2375
"""


@click.command(name="health", epilog=EPILOG)
@click.argument("url", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(url: str | None, as_json: bool) -> int:
    """Ask a running proxy whether the Engine answers.

    URL is the proxy's listener (default: as `enforce` would listen). The proxy makes a
    real round trip to the Engine, whatever its policy. Exit status 0 up, 1 not.

    Without URL the Engine itself is asked for its versions, if this user may: programs of
    it with known holes are named, and change no exit status.
    """
    if url:
        address = parse_address(url, port=DEFAULT_PORT)
    else:
        address = listen_addresses((), os.environ)[0]
    is_up, detail = ask(address)
    # Another proxy may have another Engine.
    old = old_programs(upstream_address(None, os.environ)) if is_up and not url else ()
    if as_json:
        data = {"up": is_up, "proxy": str(address), "detail": detail}
        click.echo(json.dumps({**data, "old": [str(one) for one in old]}))
    else:
        show(f"{address}: {detail}", *map(str, old))
    return 0 if is_up else 1


def ask(address: Address) -> tuple[bool, str]:
    """Ask the proxy at `address`; whether all is well, and what it said."""
    try:
        with _connect(address) as sock:
            sock.sendall(REQUEST)
            answer = b""
            while data := sock.recv(4096):
                answer += data
    except OSError as error:
        return False, f"the proxy does not answer: {error.strerror or error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"\r\nServer: trioproxy" not in head:
        return False, "this is no trioproxy"
    if head.startswith(b"HTTP/1.1 200"):
        return True, "the Engine answers"
    if b'"engine"' in body:
        return False, "the proxy runs, but the Engine does not answer"
    return False, f"unexpected answer: {answer[:80]!r}"


def _connect(address: Address) -> socket.socket:
    if isinstance(address, UnixAddress):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(DEADLINE)
        sock.connect(address.path)
        return sock
    return socket.create_connection((_reachable(address), address.port), DEADLINE)


def _reachable(address: TcpAddress) -> str:
    """A listener on all interfaces is asked on loopback."""
    if address.host == "::":
        return "::1" if not address.dual_stack else "127.0.0.1"
    return "127.0.0.1" if address.host in {"", "0.0.0.0"} else address.host  # noqa: S104
