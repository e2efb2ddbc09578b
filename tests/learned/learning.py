"""A client's session on a scratch Engine: through `learn`, or through `enforce`.

Before each session the Engine is laid out alike: a network and a volume `staged`, and a
running container `staged` with a label, a published port and a log that grows.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from tests.clients.comparison import emptied
from tests.end_to_end.proxies import TRIOPROXY, environment
from tests.engine import IMAGE, ScratchEngine
from tests.learned.install import ROOT, installed
from tests.learned.profiles import Profile
from trioproxy.evidence.ledger import evidence_path

LEARNED = ROOT / "learned"
SESSIONS = Path(__file__).parent / "sessions"
SECONDS = 600
"""After which a session is taken as hung: its client is compiled in it, and others may have the machine."""
OURS = {
    "LC_ALL": "C.UTF-8",
    "TESTCONTAINERS_RYUK_DISABLED": "true",  # its image cannot be pulled here
}
RUNS = 2
"""The second shows whether the first has seen everything."""

INTERPRETERS = {
    ".sh": ("sh", "-eu"),
    # -P: the sessions beside it must not shadow what it imports.
    ".py": ("python", "-P"),
    ".cjs": ("node",),
    ".rb": ("ruby", "-W2"),
}
STAGED = (
    "-d", "--name=staged", "--label=staged=yes", "--network=staged", "--init",
    "--volume=staged:/staged", "--publish=127.0.0.1:8765:80",
)  # fmt: skip
TALK = "echo first line; while sleep 1; do echo another line; done"


def env_file(profile: Profile) -> Path:
    """Where its env file is kept."""
    return LEARNED / f"{profile.name}.env"


def learn(profile: Profile, engine: ScratchEngine) -> None:
    """Learn the profile anew; the old one stays where a session fails."""
    with TemporaryDirectory(prefix="trioproxy-") as folder:
        new = Path(folder, env_file(profile).name)
        told = ("--learn", "arguments") if profile.is_told else ()
        learner = (*TRIOPROXY, "learn", "--quiet", *told, "-o", str(new), "--")
        for _ in range(RUNS):
            ran = work(profile, engine, engine.url, through=learner)
            if ran.returncode:
                raise AssertionError(f"{profile.name}:\n{ran.stdout}")
        for file in (new, evidence_path(new)):
            text = _FOLDER.sub(WORKSPACE, file.read_text())
            (LEARNED / file.name).write_text(text)


WORKSPACE = "/workspace"
"""What stands in the files for the folder of a session, which is another one each time."""

_PREFIX = "trioproxy-"
_FOLDER = re.compile(rf"{re.escape(gettempdir())}/{_PREFIX}\w+")


@contextmanager
def folder_of_session(given: Path | None) -> Iterator[str]:
    """The folder in which a client works: a new one, or one that is given."""
    if given is not None:
        given.mkdir(exist_ok=True)
        yield str(given)
        return
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        yield folder


def work(
    profile: Profile,
    engine: ScratchEngine,
    host: str,
    through: Sequence[str] = (),
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Let the client do its session, in `folder`, with `host` as its Engine."""
    found = installed(profile.source, profile.name)
    session = SESSIONS / profile.session
    with staged(engine, profile.stage), folder_of_session(folder) as place:
        # In the Engine's network: published ports and a loopback registry are there.
        command = engine.inside(
            "env", f"--chdir={place}", *INTERPRETERS[session.suffix], str(session)
        )
        ours = OURS | {"HOME": place}
        with subprocess.Popen(
            [*through, *command],
            cwd=place,
            env=environment(engine.environment(host) | ours | dict(found)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=SECONDS)
            finally:
                # Some leave a program behind, that would ask for what is removed below.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(command, process.returncode, said)


@contextmanager
def staged(engine: ScratchEngine, more: Sequence[str]) -> Iterator[None]:
    """The Engine as every session finds it; empty again afterwards."""
    with emptied(engine):
        engine.docker("network", "create", "staged")
        engine.docker("run", *STAGED, IMAGE, "sh", "-c", TALK)
        if more:
            engine.docker("run", "-d", "--init", *more, IMAGE, "sleep", "600")
        yield
