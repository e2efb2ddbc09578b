"""The program itself, started as a person starts it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.api.routes import SECTIONS
from trioproxy.file import envfile

TRIOPROXY = (sys.executable, "-m", "trioproxy")
SETTINGS = ("LISTEN", "BIND_CONFIG", "SOCKET_PATH", "ENV_FILE", "LOG_LEVEL")
"""Variables of the developer's own that the tests must not depend on."""

EVERY_SECTION = dict.fromkeys((*SECTIONS, "POST"), "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running proxy: where it listens, and the lines that it has logged."""

    url: str
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Our environment without settings of trioproxy, and with these."""
    return {k: v for k, v in os.environ.items() if k not in SETTINGS} | dict(variables)


def learn(
    engine: Engine,
    file: Path,
    *command: str,
    options: Sequence[str] = (),
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `trioproxy learn -o FILE OPTIONS -- COMMAND` on that Engine."""
    return subprocess.run(
        [*TRIOPROXY, "learn", "-o", str(file), *options, "--", *command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
        env=environment(engine.environment()),
    )


def object_lists(file: Path) -> dict[str, str]:
    """The lines of a file that list objects."""
    variables = envfile.parse(file.read_text(), name=str(file))
    return {name: variables[name] for name in variables if name.startswith("ONLY_")}


@contextmanager
def enforcing(
    engine: Engine,
    *options: str,
    listen: str = "tcp://127.0.0.1:0",
    variables: Mapping[str, str] | None = None,
) -> Iterator[Proxy]:
    """Run `trioproxy enforce`; it must end well when it is told to stop."""
    log = list[str]()
    with subprocess.Popen(
        [*TRIOPROXY, "enforce", "--listen", listen, "--upstream", engine.url, *options],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(variables or {}),
    ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=log.extend, args=(process.stderr,))
        try:
            url = read_until_started(process.stderr, log)
            reader.start()
            yield Proxy(url=url, process=process, log=log)
        finally:
            process.terminate()
            status = process.wait(PATIENCE)
            if reader.ident is not None:
                reader.join()
    assert status == 0, log


def read_until_started(stderr: IO[str], log: list[str]) -> str:
    """Read the log up to the line that says where it listens."""
    for line in stderr:
        log.append(line)
        words = line.split()
        if "start" in words:
            listen = next(word for word in words if word.startswith("listen="))
            return listen.removeprefix("listen=")
    raise AssertionError(f"the proxy did not start: {log}")
