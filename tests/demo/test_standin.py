"""The stand-in Engine and the bundled client understand each other."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from demo import guest, standin
from tests.patience import PATIENCE


@pytest.fixture
async def engine_url(tmp_path: Path, nursery: trio.Nursery) -> str:
    """A stand-in that serves while the test runs."""
    path = tmp_path / "engine.sock"
    await nursery.start(standin.serve, path)
    return f"unix://{path}"


async def run_client(url: str, *arguments: str) -> tuple[int, str, str]:
    """Run the bundled client as a program, with "hi" on its stdin."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            [sys.executable, "-m", "demo.guest", *arguments],
            stdin=b"hi\n",
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=os.environ | {"DOCKER_HOST": url},
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("ps",), "Up 2 hours   web", id="list"),
        pytest.param(("logs",), "GET /health 200\n", id="stream"),
        pytest.param(("images",), "web:1\n", id="images"),
        pytest.param(("exec",), "hi\n", id="hijack"),
        pytest.param(("ps", "logs", "exec"), "200\nhi\n", id="one-connection"),
    ],
)
async def test_client_sees_what_standin_has(
    engine_url: str, arguments: tuple[str, ...], expected: str
) -> None:
    """Each command of the client prints what the stand-in holds."""
    status, output, _errors = await run_client(engine_url, *arguments)
    assert status == 0
    assert expected in output


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_unknown_operation_is_404(engine_url: str, method: str) -> None:
    """What the stand-in does not know it answers as the Engine does."""

    def ask() -> None:
        ours = guest.Client(engine_url)
        with ours.sock, pytest.raises(guest.Refused, match="page not found"):
            ours.ask(method, "/plugins")

    await trio.to_thread.run_sync(ask)


async def test_head_has_no_body(engine_url: str) -> None:
    """An answer to HEAD has its length and no body: the next request is read well."""

    def ask() -> tuple[bytes, bytes]:
        ours = guest.Client(engine_url)
        with ours.sock:
            return ours.ask("HEAD", "/_ping"), ours.ask("GET", "/_ping")

    assert await trio.to_thread.run_sync(ask) == (b"", b"OK")


async def test_log_arrives_line_by_line(engine_url: str) -> None:
    """A followed log is a stream: the first line comes before the last is sent."""
    stream = await trio.open_unix_socket(engine_url.removeprefix("unix://"))
    async with stream:
        await stream.send_all(
            b"GET /containers/web/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        seen = b""
        while standin.LOG_LINES[0] not in seen:
            seen += await stream.receive_some()
    assert standin.LOG_LINES[-1] not in seen


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n",
            "Error response from daemon: 403\n",
            id="refused",
        ),
        pytest.param(b"", "RemoteProtocolError", id="hung-up"),
    ],
)
async def test_client_says_what_went_wrong(
    nursery: trio.Nursery, reply: bytes, expected: str
) -> None:
    """A refusal, or an Engine that hangs up, ends the client with status 1."""

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(reply)

    listeners = await nursery.start(
        partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
    )
    _host, port = listeners[0].socket.getsockname()
    status, _output, errors = await run_client(f"tcp://127.0.0.1:{port}", "ps")
    assert status == 1
    assert expected in errors
