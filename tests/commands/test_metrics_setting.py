"""METRICS: how a start goes wrong, and what says so."""

import socket
from pathlib import Path

import pytest

from tests.commands.running import run, running
from tests.fakes import connect, request

MISSING = 'raise ImportError("not here")\n'


def refusal(tmp_path: Path, metrics: str, *more: str) -> str:
    """What a start says that is refused."""
    listen = ("--listen", f"unix://{tmp_path}/p.sock", *more)
    upstream = ("--upstream", "tcp://127.0.0.1:1")
    done = run("enforce", *listen, *upstream, variables={"METRICS": metrics})
    assert (done.status, done.out) == (2, ""), done.err
    return done.err


@pytest.mark.parametrize(
    ("metrics", "more", "said"),
    [
        pytest.param("1", [], "bad METRICS '1': it is no address", id="no-address"),
        pytest.param(
            "tcp://127.0.0.1:9375?policy=a.env",
            [],
            "policy= means nothing there",
            id="a-policy",
        ),
        pytest.param("unix://{tmp}/p.sock", [], "are one address", id="the-proxy"),
        pytest.param("unix://{tmp}/x/../p.sock", [], "are one address", id="its-path"),
        pytest.param(
            "tcp://:9375",
            ["--listen", "tcp://localhost:9375"],
            "are one address",
            id="all-interfaces",
        ),
        pytest.param("fd://m", ["--listen", "fd://m"], "are one address", id="its-fd"),
        pytest.param("tcp://127.0.0.1:1", [], "our own listeners", id="the-Engine"),
        pytest.param("fd://m", [], "no socket called 'm'", id="no-fd"),
    ],
)
def test_a_bad_address_is_refused(
    metrics: str, more: list[str], said: str, tmp_path: Path
) -> None:
    """Metrics have an address of their own: neither one that clients are judged at, nor the Engine's."""
    (tmp_path / "x").mkdir()
    assert said in refusal(tmp_path, metrics.replace("{tmp}", str(tmp_path)), *more)


def test_a_taken_address_is_refused(tmp_path: Path) -> None:
    """It says whose that is, and leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert "another program listens there" in refusal(tmp_path, address)
    assert not (tmp_path / "p.sock").exists()


async def test_a_start_without_the_library_says_what_to_install(tmp_path: Path) -> None:
    """It refuses to start, for whoever asks for metrics would miss them when they matter."""
    (tmp_path / "prometheus_client.py").write_text(MISSING)
    variables = {"METRICS": "tcp://127.0.0.1:0", "PYTHONPATH": str(tmp_path)}
    options = ("--upstream", "tcp://127.0.0.1:1")
    async with running("enforce", *options, variables=variables) as proxy:
        await proxy.line("METRICS needs the package prometheus_client")
        await proxy.line("pip install prometheus_client")
        assert await proxy.end() == 2


async def test_a_socket_of_metrics_goes_with_the_proxy(tmp_path: Path) -> None:
    """`learn` has them too; the file of the socket is there while it serves, and gone behind it."""
    path = tmp_path / "m.sock"
    options = ("-o", f"{tmp_path}/a.env", "--listen", f"unix://{tmp_path}/p.sock")
    variables = {"METRICS": f"unix://{path}"}
    engine = ("--upstream", "tcp://127.0.0.1:1")
    async with running("learn", *options, *engine, variables=variables) as learner:
        await learner.line("listening on")
        client = await connect(f"unix://{path}")
        await client.send(request("GET", "/metrics"))
        assert b"trioproxy_engine_up 0.0" in (await client.read_response()).body
        client.close()
        learner.process.terminate()
        await learner.end()
    assert not path.exists()
