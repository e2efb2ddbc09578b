"""Images without a name, built and committed on a real Engine: learned, enforced, and nobody else's."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing, environment, learn
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.file import envfile
from trioproxy.limits.limit import NOT_BUILT

BUILD = 'docker build -q "$1" 2>/dev/null'
SESSION = f"""
set -e
id=$({BUILD})
docker run --rm $id cat /made
box=$(docker create $(docker build "$1" 2>/dev/null | sed -n 's/^Successfully built //p') true)
docker run --rm $(docker commit $box) cat /made
docker rm $box >/dev/null
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder to build from."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY made /made\n")
    (folder / "made").write_text(f"{tmp_path}\n")
    return folder


def run(engine: Engine, url: str, script: str, *words: object) -> str:
    """Run a script behind a proxy; what it printed, and its errors."""
    ran = subprocess.run(
        ["sh", "-c", script, "sh", *map(str, words)],
        env=environment(engine.environment(url) | {"DOCKER_BUILDKIT": "0"}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return ran.stdout + ran.stderr * bool(ran.returncode)


@pytest.mark.slow
def test_what_is_built_is_learned_and_nobody_elses(
    engine: Engine, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned as @built, from quiet builds, others and a commit; a new build passes. Another policy,
    and a proxy that is begun anew, know nothing of it, until it is built again as the answer says."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    file = tmp_path / "app.env"
    for _ in range(2):
        done = learn(engine, file, "sh", "-c", SESSION, "sh", str(context))
        assert done.returncode == 0, done.stderr.decode()
    assert envfile.parse(file.read_text(), name="app.env")["CREATE_IMAGES"] == "@built"
    (tmp_path / "other.env").write_text(file.read_text().replace("app-", "other-"))
    (context / "made").write_text("anew\n")
    listeners = [f"unix://{tmp_path}/{name}.sock" for name in ("app", "other")]
    options = [f"--listen={one}?policy={one[7:-5]}.env" for one in listeners[1:]]
    with enforcing(engine, f"--env-file={file}", *options, listen=listeners[0]) as app:
        assert run(engine, listeners[0], SESSION, context) == "anew\nanew\n"
        built = run(engine, listeners[0], BUILD, context).strip()
        said = run(engine, listeners[1], "docker create $1 true", built)
        assert NOT_BUILT in said
    assert not [
        line for line in app.log if f"{tmp_path}/app" in line and "refused" in line
    ]
    with enforcing(engine, f"--env-file={file}", listen=listeners[0]):
        assert NOT_BUILT in run(engine, listeners[0], "docker create $1 true", built)
        assert run(engine, listeners[0], BUILD, context).strip() == built
        assert (
            run(engine, listeners[0], "docker run --rm $1 cat /made", built) == "anew\n"
        )
        foreign = engine.docker("commit", engine.docker("create", "busybox").text).text
        assert NOT_BUILT in run(engine, listeners[0], "docker create $1", foreign)
