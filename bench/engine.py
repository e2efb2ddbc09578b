"""The real Engine as an upstream: a scratch one with a few containers."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.contenders import OWNER
from bench.processes import BenchError
from bench.upstreams import Reach
from bench.wire import free_port
from tests.engine import IMAGE, NoEngine, ScratchEngine, why_no_engine

CONTAINERS = 3


class ListeningEngine(ScratchEngine):
    """A scratch Engine with a port besides its socket: wrk does not speak to Unix sockets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    def _command(self) -> list[str]:
        return [
            *super()._command(),
            f"--host=tcp://127.0.0.1:{self.port}",
            "--tls=false",
        ]


def start_engine(_folder: Path) -> tuple[Callable[[], None], Reach]:
    """Start a scratch Engine that lists a few containers."""
    if why := why_no_engine(own=True):
        raise BenchError(why)
    engine = ListeningEngine(
        Path(tempfile.mkdtemp(prefix="trioproxy-", dir="/var/tmp"))
    )
    try:
        engine.start()
        engine.import_image()
        for number in range(CONTAINERS):
            labels = [
                "com.docker.compose.project=project",
                "com.docker.compose.service=service",
                f"trioproxy.owner={OWNER}",
            ]
            options = [f"--label={label}" for label in labels]
            engine.docker(
                "create",
                f"--name=project-service-{number}",
                *options,
                IMAGE,
                "sleep",
                "1d",
            )
    except NoEngine as error:
        engine.close()
        raise BenchError(str(error)) from error
    except BaseException:
        engine.close()
        raise
    reach = Reach(socket=engine.socket, port=engine.port, prefix=tuple(engine.inside()))
    return engine.close, reach
