"""A real browser, and a page whose name was pointed at the proxy (DNS rebinding).

Chromium resolves every name under `.example` to one address, where `Switch` listens. It
serves the attacker's pages, and passes everything else on to the proxy byte for byte, as
the attacker's DNS does when it answers a second time: what the proxy reads is what a
browser sends to it after rebinding.
"""

import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Final

import pytest
import trio

from tests.fakes import FakeEngine, answer_always
from tests.patience import PATIENCE
from tests.proxy.conftest import OPEN, LogAt
from trioproxy.config import Config, TcpAddress, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.server import Server

HEAD_END: Final = b"\r\n\r\n"

JSON_POST: Final = (
    "{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}"
)
PLAIN_POST: Final = "{method: 'POST', mode: 'no-cors', body: '{}'}"
HIDDEN: Final = "{headers: {'Accept-Language': ''}, referrerPolicy: 'no-referrer'}"

OF_ITS_OWN_SITE: Final[Mapping[str, str]] = {
    "fetch": "fetch(url('/containers/json'))",
    "fetch-hidden": f"fetch(url('/containers/json'), {HIDDEN})",
    "fetch-create": f"fetch(url('/containers/create'), {JSON_POST})",
    "fetch-delete": "fetch(url('/containers/x'), {method: 'DELETE'})",
    "xhr": "var x = new XMLHttpRequest(); x.open('GET', url('/info')); x.send()",
}
"""What a page may send only to the site that it came from."""

OF_ANY_SITE: Final[Mapping[str, str]] = {
    "no-cors": "fetch(url('/containers/json'), {mode: 'no-cors'})",
    "no-cors-hidden": "fetch(url('/info'), {mode: 'no-cors', referrerPolicy: 'no-referrer'})",
    "no-cors-post": f"fetch(url('/containers/create'), {PLAIN_POST})",
    "beacon": "navigator.sendBeacon(url('/containers/prune'), 'text')",
    "image": "add('img', {src: url('/containers/json')})",
    "image-hidden": "add('img', {referrerPolicy: 'no-referrer', src: url('/version')})",
    "script": "add('script', {src: url('/containers/json')})",
    "style": "add('link', {rel: 'stylesheet', href: url('/containers/json')})",
    "frame": "add('iframe', {src: url('/containers/json')})",
    "form": (
        "var f = add('form', {method: 'POST', enctype: 'text/plain', target: 'there',"
        " action: url('/containers/create')}); add('iframe', {name: 'there'}); f.submit()"
    ),
    "event-source": "new EventSource(url('/events'))",
    "websocket": "new WebSocket(url('/containers/x/attach/ws').replace('http', 'ws'))",
}
"""Simple requests, sent to any site without asking it."""

PAGE: Final = """<!doctype html><title>page</title><body><script>
var site = SITE, name;
function url(path) { return site + path + '?by=' + name; }
function add(kind, what) {
  return document.body.appendChild(Object.assign(document.createElement(kind), what));
}
ATTEMPTS
</script>"""


@dataclass(kw_only=True)
class Switch:
    """Serves `/page`, and passes each other request on to the proxy."""

    proxy: tuple[str, int]
    page: str = ""
    wanted: frozenset[str] = frozenset()
    statuses: dict[str, int] = field(default_factory=dict)
    """What the proxy answered, by the name of the attempt."""
    heads: dict[str, bytes] = field(default_factory=dict)
    """What the browser sent."""
    all_seen: trio.Event = field(default_factory=trio.Event)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one request of one connection; browsers open as many as they need."""
        async with stream:
            head = await read_request(stream)
            if head.startswith(b"GET /page"):
                await stream.send_all(page_response(self.page))
                return
            found = re.match(rb"\S+ \S+\?by=([\w-]+) ", head)
            if found is None:
                return  # a favicon
            name = found[1].decode()
            answer = await self._ask_proxy(head)
            self.heads[name] = head
            self.statuses[name] = int(answer.split(b" ")[1])
            if self.wanted <= self.statuses.keys():
                self.all_seen.set()
            await stream.send_all(answer)

    async def _ask_proxy(self, head: bytes) -> bytes:
        async with await trio.open_tcp_stream(*self.proxy) as proxy:
            await proxy.send_all(head)
            return await read_head(proxy)


async def read_request(stream: trio.SocketStream) -> bytes:
    """A head, and the body behind it."""
    data = await read_head(stream)
    head, _, body = data.partition(HEAD_END)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := await stream.receive_some()):
        data += more
        missing -= len(more)
    return data


async def read_head(stream: trio.SocketStream) -> bytes:
    """All up to the empty line, and what came in the same read."""
    data = b""
    while HEAD_END not in data:
        more = await stream.receive_some()
        if not more:
            break
        data += more
    return data


def page_response(page: str) -> bytes:
    """The attacker's page."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
    return f"{head}\r\nConnection: close\r\n\r\n{page}".encode()


@pytest.fixture
async def switch(
    nursery: trio.Nursery, log_at: LogAt, tmp_path: Path
) -> AsyncIterator[Switch]:
    """A proxy that allows everything, in front of an Engine that answers everything."""
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    nursery.start_soon(fake.serve, answer_always)
    config = Config(
        listen=(TcpAddress(host="127.0.0.1", port=0),),
        upstream=UnixAddress(path=str(fake.path)),
    )
    server = Server(
        config=config,
        gates={"": Gate.enforcing(parse_policy(OPEN)[0])},
        log=log_at(tmp_path / "proxy.log"),
    )
    await nursery.start(server.run)
    host, _, port = server.addresses[0].removeprefix("tcp://").rpartition(":")
    yield Switch(proxy=(host, int(port)))
    nursery.cancel_scope.cancel()
    fake.die()


async def browse(
    switch: Switch, folder: Path, attempts: Mapping[str, str], page: str, site: str
) -> None:
    """Open a page in Chromium whose attempts go to `site`, until all of them were made.

    Both begin with a scheme and a name; the port is the switch's.
    """
    chromium = shutil.which("chromium")
    assert chromium is not None, "install the packages of tests/packages.txt"
    async with trio.open_nursery() as nursery:
        listen = partial(trio.serve_tcp, host="127.0.0.1")
        (listener,) = await nursery.start(listen, switch.serve, 0)
        port = listener.socket.getsockname()[1]
        lines = [
            f"name = {name!r}; try {{ {script} }} catch (e) {{}}"
            for name, script in attempts.items()
        ]
        switch.wanted = frozenset(attempts)
        switch.page = PAGE.replace("SITE", repr(f"{site}:{port}"))
        switch.page = switch.page.replace("ATTEMPTS", "\n".join(lines))
        command = [
            chromium,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--no-proxy-server"),
            "--host-resolver-rules=MAP *.example 127.0.0.1",
            f"--user-data-dir={folder / 'profile'}",
            f"{page}:{port}/page",
        ]
        # Killed, it leaves a folder with a socket: a short path, and one that goes.
        with TemporaryDirectory(ignore_cleanup_errors=True) as private:
            process = await trio.lowlevel.open_process(
                command,
                env=os.environ | {"TMPDIR": private},
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
            try:
                with trio.move_on_after(PATIENCE):
                    await switch.all_seen.wait()
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # it has a family of processes
                with trio.CancelScope(shield=True):
                    await process.wait()
        nursery.cancel_scope.cancel()


def judged(switch: Switch) -> dict[str, int]:
    """What came of each attempt; one that the browser did not make is missing."""
    return {name: switch.statuses.get(name, 0) for name in sorted(switch.wanted)}


@pytest.mark.slow
async def test_a_page_whose_name_was_pointed_here(
    switch: Switch, tmp_path: Path
) -> None:
    """By DNS rebinding Host and Origin are both the attacker's: each request gets 403."""
    attempts = {**OF_ITS_OWN_SITE, **OF_ANY_SITE}
    evil = "http://evil.example"
    await browse(switch, tmp_path, attempts, page=evil, site=evil)
    assert judged(switch) == dict.fromkeys(sorted(attempts), 403)
    assert all(b"\r\nHost: evil.example:" in head for head in switch.heads.values())


@pytest.mark.slow
async def test_a_page_that_asks_another_name(switch: Switch, tmp_path: Path) -> None:
    """Simple requests of one page to another name that was pointed here get 403."""
    await browse(
        *(switch, tmp_path, OF_ANY_SITE),
        page="http://page.example",
        site="http://evil.example",
    )
    assert judged(switch) == dict.fromkeys(sorted(OF_ANY_SITE), 403)


@pytest.mark.slow
async def test_a_page_that_asks_localhost(switch: Switch, tmp_path: Path) -> None:
    """Simple requests of a page to the proxy by its own name get 403: they are cross-site."""
    await browse(
        *(switch, tmp_path, OF_ANY_SITE),
        page="http://page.example",
        site="http://localhost",
    )
    assert judged(switch) == dict.fromkeys(sorted(OF_ANY_SITE), 403)
    # What tells it from aiodocker's, which may say that it is a page of localhost.
    assert re.search(rb"(?i)\r\nuser-agent: mozilla/", switch.heads["websocket"])
    assert re.search(rb"(?i)\r\naccept-language: ", switch.heads["websocket"])


@pytest.mark.slow
async def test_a_page_of_localhost_itself(switch: Switch, tmp_path: Path) -> None:
    """What a person's own page at the proxy's own origin asks is let through."""
    local = "http://localhost"
    await browse(switch, tmp_path, OF_ITS_OWN_SITE, page=local, site=local)
    assert judged(switch) == dict.fromkeys(sorted(OF_ITS_OWN_SITE), 200)
