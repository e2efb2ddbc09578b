"""`make run` tells its story on a machine without Docker, and on one with it."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from demo import stage
from demo.__main__ import main, tell
from demo.play import Play, real_play
from tests.engine import Engine

REFUSAL = "is not\n       allowed: add ImageList to ALLOW_OPERATIONS"


@pytest.mark.slow
@pytest.mark.usefixtures("no_docker")
async def test_story_without_docker(capsys: pytest.CaptureFixture[str]) -> None:
    """Without Docker the stand-ins play, and the story comes out as it should."""
    assert await main() == 0
    shown = capsys.readouterr()
    assert "a small stand-in plays it" in shown.out
    assert "ALLOW_OPERATIONS=ContainerExec,ContainerList" in shown.out
    assert REFUSAL in shown.out
    assert shown.err == ""


@pytest.mark.slow
@pytest.mark.engine
async def test_story_with_docker(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an Engine and a docker command, these play."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    assert await main() == 0
    shown = capsys.readouterr().out
    assert f"at {engine.url}" in shown.replace("\n   ", " ")
    assert "   hi\n" in shown
    assert REFUSAL in shown


@pytest.mark.slow
@pytest.mark.usefixtures("no_docker")
async def test_story_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No line is wider than 80 columns, and each command stands before its output."""
    await main()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines.index("   $ client ps") < lines.index("   $ client images")


@pytest.mark.parametrize(
    ("passes", "refused"),
    [
        pytest.param("false", "false", id="refused-what-was-learned"),
        pytest.param("true", "true", id="let-pass-what-was-not"),
        pytest.param("true", "false", id="failed-for-another-reason"),
    ],
)
async def test_story_that_goes_wrong_fails(
    tmp_path: Path, passes: str, refused: str
) -> None:
    """A demonstration that does not show what it says is a failure."""
    play = Play(
        engine=f"unix://{tmp_path}/none.sock",
        introduction="",
        learned="true",
        passes=passes,
        refused=refused,
    )
    ready = stage.Stage.build(tmp_path, play.engine)
    (tmp_path / "bin" / "trioproxy").write_text(
        "#!/bin/sh\necho ALLOW_LOGS=0 >app.env\necho start >&2\n"
    )
    with pytest.RaisesGroup(stage.Failed, allow_unwrapped=True):
        await tell(play, ready)


@pytest.mark.usefixtures("no_docker")
async def test_failure_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demonstration that fails says so in one line and ends with status 1."""
    monkeypatch.setenv(stage.INSTALLED, "/nonexistent/trioproxy")
    assert await main() == 1
    assert capsys.readouterr().err.count("The demonstration failed:") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("DOCKER_HOST", "ssh://elsewhere", id="ssh"),
        pytest.param("DOCKER_HOST", "unix:///nonexistent/docker.sock", id="no-engine"),
        pytest.param("DOCKER_TLS_VERIFY", "1", id="tls"),
    ],
)
def test_engine_that_we_cannot_reach(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """An Engine that is away, or behind ssh or TLS, does not play."""
    monkeypatch.setenv(name, value)
    assert real_play() is None


def test_taken_port() -> None:
    """Where port 2375 is taken, the demonstration finds another."""
    with socket.socket() as taken, suppress(OSError):
        taken.bind(("127.0.0.1", 2375))
        taken.listen()
        assert stage.free_port() not in {0, 2375}


def test_fold_breaks_between_words() -> None:
    """A long line is broken after blanks and commas, and nothing is lost."""
    line = "ALLOW_OPERATIONS=" + ",".join(f"Operation{n}" for n in range(20))
    rows = list(stage.fold(line))
    assert len(rows) > 1
    assert all(len(row) <= stage.WIDTH for row in rows)
    assert "".join(row.strip() for row in rows) == line


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH on which no docker command is."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name in ("sh", "echo"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert "docker" not in os.listdir(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("no_docker")
async def test_a_port_that_is_taken_meanwhile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where another one was faster, the proxy of the demonstration starts on the next port,
    and no request of it goes to that other one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports, usual = list[int](), stage.free_port

        def free_port() -> int:
            # A second one may be taken meanwhile as well: by who tells the story beside us.
            ports.append(usual() if ports else taken.getsockname()[1])
            return ports[-1]

        monkeypatch.setattr(stage, "free_port", free_port)
        assert await main() == 0
        told = capsys.readouterr().out
        assert len(ports) > 1
        assert f"--listen tcp://127.0.0.1:{ports[-1]} &" in told
        assert told.count("decision=refused") == 1
        taken.settimeout(0)
        with pytest.raises(BlockingIOError):
            taken.accept()
