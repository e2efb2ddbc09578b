"""A registry on the loopback of an Engine of ours, to push to and pull from."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.engine import ScratchEngine

REGISTRY: Final = "127.0.0.1:5000"
"""In the Engine's own network; an Engine takes a registry on loopback without TLS."""

_CONFIGURATION: Final = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
"""


@contextmanager
def serving(engine: ScratchEngine, folder: Path) -> Iterator[None]:
    """Serve what is in `folder`, where the Engine is, at `REGISTRY`."""
    file = folder / "registry.yaml"
    file.write_text(_CONFIGURATION.format(folder=folder, address=REGISTRY))
    command = engine.inside("docker-registry", "serve", str(file))
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("listening on" in line for line in process.stderr)
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        try:
            yield
        finally:
            process.terminate()
            reader.join()
