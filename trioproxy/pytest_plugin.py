"""A pytest plugin: learn what a test suite does with Docker.

    pytest -p trioproxy.pytest_plugin --docker-learn=learned/tests.env

`trioproxy learn` runs beside the tests, and DOCKER_HOST leads through it; under xdist the
workers inherit that. When the tests are over it writes the file, and its summary is shown.
The plugin talks to it by processes and pipes only and imports nothing of the package.
"""

import os
import subprocess
import sys
import textwrap
from argparse import Namespace
from dataclasses import dataclass
from typing import IO

import pytest

OVERRIDING = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")
"""Variables that would lead Docker clients past DOCKER_HOST."""

# Says where it was led, and ends as the tests do: their status comes by its standard
# input. Tests that died said none, and such a run is no proof of anything.
WAITER = 'printf "%s\\n" "$DOCKER_HOST"; read -r status; exit "${status:-1}"'
END_SECONDS = 30


@dataclass(kw_only=True)
class Learner:
    """A running `trioproxy learn`."""

    process: subprocess.Popen[str]
    told: IO[str]
    """What it writes to stderr."""
    environ: dict[str, str]
    """Ours before it began."""
    status: int = 0

    def stop(self, status: int = 1) -> str:
        """Say how the tests ended, and let it write its file; what it has to say."""
        os.environ.clear()
        os.environ.update(self.environ)
        process, said = self.process, f"{status}\n"
        # Where @proxy may be given away it stays while anybody is connected, as clients are
        # that live as long as this process: a signal ends that, and the file is written.
        for end in (process.terminate, process.kill):
            try:
                process.communicate(said, timeout=END_SECONDS)
                break
            except subprocess.TimeoutExpired:
                end()
                said = ""
        self.status = self.process.wait()
        with self.told:
            self.told.seek(0)
            text = self.told.read()
        if self.status < 0:  # it could not say so
            text += f"trioproxy: killed by signal {-self.status}: what it learned last may be missing\n"
        return text


LEARNER = pytest.StashKey[Learner]()
SUMMARY = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("trioproxy", "learn what the tests do with Docker")
    group.addoption(
        "--docker-learn",
        action="append",
        metavar="FILE",
        help="write the least privilege that the tests need to this env file",
    )
    group.addoption(
        "--docker-within",
        action="append",
        metavar="FILE",
        help="while learning, refuse what this env file refuses",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin to learn before conftest.py is imported: clients are made there too."""
    begin(early_config, early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to learn where the plugin was named in a conftest.py, too late for the above."""
    begin(config, config.option)


def begin(config: pytest.Config, options: Namespace) -> None:
    """Begin to learn, in the process that the workers of xdist are started by."""
    file, within = (_only(options, f"docker_{one}") for one in ("learn", "within"))
    is_worker = hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ
    if within and not file:  # a ceiling that nothing enforces must not look like one
        raise pytest.UsageError("--docker-within is about --docker-learn: write both")
    if file and not is_worker and LEARNER not in config.stash:
        config.stash[LEARNER] = start(file, within)


def _only(options: Namespace, name: str) -> str | None:
    """The value of an option; twice, where one is in `addopts` perhaps, is an error."""
    values: list[str] = getattr(options, name, None) or []
    if len(values) > 1:
        option = f"--{name.replace('_', '-')}"
        raise pytest.UsageError(f"{option} is given twice: keep one of the two")
    return values[0] if values else None


def start(file: str, within: str | None) -> Learner:
    """Start a learner and lead this process's Docker clients through it."""
    options = ["--within", within] if within else []
    command = [sys.executable, "-m", "trioproxy", "learn", "--quiet", "-o", file]
    # In memory: there may be no folder for temporary files.
    told = open(os.memfd_create("told"), "w+", encoding="utf-8")  # noqa: SIM115  closed when the learner stops
    process = subprocess.Popen(  # noqa: S603  ourselves, with options as given
        [*command, *options, "--", "sh", "-c", WAITER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
        # Ctrl-C is for the tests: what they clean up afterwards is to be learned too.
        start_new_session=True,
    )
    learner = Learner(process=process, told=told, environ=dict(os.environ))
    host = process.stdout.readline().strip() if process.stdout else ""
    if not host:
        raise pytest.UsageError(f"--docker-learn: {learner.stop().strip()}")
    for name in OVERRIDING:
        os.environ.pop(name, None)
    os.environ["DOCKER_HOST"] = host
    return learner


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop learning when the last test and its fixtures are done."""
    learner = session.config.stash.get(LEARNER, None)
    if learner is None:
        return
    del session.config.stash[LEARNER]
    ended = int(session.exitstatus)
    session.config.stash[SUMMARY] = learner.stop(ended)
    if learner.status != ended and session.exitstatus in {
        0,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    }:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no learner behind where there was no session."""
    learner = config.stash.get(LEARNER, None)
    if learner is not None:
        learner.stop()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what was learned."""
    summary = config.stash.get(SUMMARY, "")
    if summary:
        terminalreporter.section("Docker permissions learned")
        if terminalreporter.isatty:
            # It was written to a file; here its lines may be too long.
            summary = _broken(summary, config.get_terminal_writer().fullwidth)
        terminalreporter.write(summary)


def _broken(text: str, width: int) -> str:
    """Break lines between words."""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{wrapper.fill(line)}\n" for line in text.splitlines())
