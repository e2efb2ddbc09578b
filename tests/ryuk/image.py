"""An image of the stand-in, made of this machine's Python: nothing is pulled."""

import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tests.engine import Engine, add_file

STAND_IN = Path(__file__).with_name("standin.py")
LABEL = "org.testcontainers.ryuk=true"
"""The real image's: by it a client finds a reaper, and the reaper leaves others alone."""
_LEFT_OUT = frozenset(
    {"__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
     "site-packages", "test", "tests", "tkinter", "turtledemo"}
)  # fmt: skip
"""Folders that it needs nothing of."""


def import_reaper(engine: Engine, *names: str) -> None:
    """Make the image, under the names by which clients ask for Ryuk's."""
    python = os.path.realpath(sys.executable)
    libraries = ":".join(sorted({str(one.parent) for one in _libraries(Path(python))}))
    changes = [
        f"ENV LD_LIBRARY_PATH={libraries}",
        f"LABEL {LABEL}",
        # Others are not waited for here; a client says how long it may be gone.
        "ENV RYUK_REMOVE_RETRIES=1",
        f'CMD ["{python}", "-I", "/standin.py"]',
    ]
    options = [f"--change={change}" for change in changes]
    first, *others = names
    engine.docker("import", *options, "-", first, input=_archive(Path(python)))
    for name in others:
        engine.docker("tag", first, name)


def _archive(python: Path) -> bytes:
    """The program, Python, its library, and the libraries that these need."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        files = {STAND_IN: "standin.py"}
        files |= {path: str(path).lstrip("/") for path in _python_files(python)}
        for path, name in files.items():
            with path.open("rb") as file:
                add_file(archive, name, file, 0o755)
    return buffer.getvalue()


def _python_files(python: Path) -> Iterator[Path]:
    yield python
    yield from _libraries(python)
    for folder, folders, files in os.walk(sysconfig.get_path("stdlib")):
        folders[:] = [one for one in folders if one not in _LEFT_OUT]
        for name in files:
            path = Path(folder, name)
            if path.suffix in {".py", ".so"} and path.exists():
                yield path
                if path.suffix == ".so":
                    yield from _libraries(path)


def _libraries(path: Path) -> Iterator[Path]:
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    for found in re.findall(r"(?:=> |^\t)(/\S+) \(", listed.stdout, re.MULTILINE):
        yield Path(found)
