"""Which room loads what: looked at in a fresh interpreter, where an import shows."""

import ast
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import trioproxy
from tests.commands.running import environment
from tests.markdown import ROOT
from tests.patience import PATIENCE

PACKAGE = Path(trioproxy.__path__[0])
NO_IO = {"trio", "h11", "click", "socket", "asyncio"}

MODULES = sorted(
    f"trioproxy.{room}.{path.stem}"
    for room in ("api", "limits", "judge", "file", "http", "logs")
    for path in (PACKAGE / room).glob("*.py")
    if path.stem != "__init__"
)

READING = "trioproxy.http."
SERVING = {"api", "limits", "judge", "file", "http", "proxy", "commands"}

SERVE = """
import atexit, sys
def show():
    ours = (name for name in sys.modules if name.startswith("trioproxy."))
    from trioproxy.api.routes import _ROUTES
    late = (begins for (_, begins), one in _ROUTES.items() if "pattern" not in vars(one))
    print(*ours, *sys.modules.keys() & {"prometheus_client"}, *late, flush=True)
atexit.register(show)
from trioproxy.cli import main
main()
"""
"""A program that is `trioproxy`, and at its end prints what it has loaded of itself, and which
beginnings of paths it has compiled no routes of."""


def loaded_with(*names: str) -> set[str]:
    """What a process has loaded that imports some modules."""
    program = f"import sys, {', '.join(names)}; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(found.stdout.split())


def test_no_two_modules_share_a_name() -> None:
    """A name says which module is meant, without its room; a module is not named as a room is."""
    names = [path.stem for path in PACKAGE.rglob("*.py")]
    names += [path.name for path in PACKAGE.iterdir() if path.is_dir()]
    several = {name for name in names if names.count(name) > 1}
    assert several <= {"__init__", "__main__", "__pycache__"}


def test_no_two_classes_have_one_name() -> None:
    """A stranger who reads of a class finds one, and it means one thing."""
    found = Counter[str]()
    for file in PACKAGE.rglob("*.py"):
        body = ast.parse(file.read_text()).body
        found.update({one.name for one in body if isinstance(one, ast.ClassDef)})
    assert [one for one, n in found.items() if n > 1 and not one.startswith("_")] == []


def test_the_page_names_what_a_room_imports() -> None:
    """The table of rooms in the page on architecture names each other room whose modules one loads with its own."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"(?m)^\|`trioproxy/(\w+)/`\|[^|]+\|([^|]+)\|$", page)
    assert [room for room, _ in rows[:4]] == ["api", "limits", "judge", "file"]
    for at, (room, says) in enumerate(rows):
        whole = re.search("all (?:three|of them)|the four that decide", says)
        before = rows[: 4 if "four" in says else at] if whole else []
        named = {room, *re.findall(r"`(\w+)/`", says), *(one for one, _ in before)}
        trees = (ast.parse(one.read_text()) for one in (PACKAGE / room).glob("*.py"))
        loads = (one for tree in trees for one in tree.body)
        modules = (one.module for one in loads if isinstance(one, ast.ImportFrom))
        found = {name.split(".")[1] for name in modules if name and name.count(".")}
        rooms = {one for one in found if (PACKAGE / one).is_dir()}
        assert rooms <= named, f"{room}/ imports {rooms - named}"


IN_TURN = f"""
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name, *sys.modules.keys() & {NO_IO})
"""
"""A program that imports modules in one process, and names beside each what of these was loaded by then."""


def test_judging_and_reading_import_no_io() -> None:
    """Judging a request needs no Trio, h11, click or socket, not even indirectly; reading heads needs h11 alone."""
    modules = sorted(MODULES, key=lambda name: name.startswith(READING))
    found = subprocess.run(
        [sys.executable, "-c", IN_TURN, *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in found.stdout.splitlines()]
    assert [name for name, *_ in lines] == modules
    for name, *loaded in lines:
        assert set(loaded) <= ({"h11"} if name.startswith(READING) else set()), name


@pytest.mark.parametrize(
    ("options", "rooms"),
    [
        pytest.param([], SERVING, id="enforce"),
        pytest.param(["--shadow"], SERVING, id="shadow"),
        pytest.param(
            ["--record", "live.jsonl"],
            SERVING | {"evidence"},
            id="record",
        ),
    ],
)
def test_a_serving_process_loads_what_it_serves_with(
    options: list[str], rooms: set[str], tmp_path: Path
) -> None:
    """Nothing of learning/ or review/ ever, of evidence/ only where something is recorded; without METRICS nothing that
    counts for them. The routes of Docker are compiled before the first request."""
    listen = f"unix://{tmp_path}/proxy.sock"
    with subprocess.Popen(
        [
            *(sys.executable, "-c", SERVE, "enforce", *options),
            *("--listen", listen, "--upstream", "tcp://127.0.0.1:1"),
        ],
        env=environment({"PING": "1"}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any(" notice start " in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    loaded = {name.split(".")[1] for name in out.split() if name.count(".") == 2}
    assert loaded == rooms
    metrics = {"trioproxy.proxy.metrics", "trioproxy.proxy.scraping"}
    assert not set(out.split()) & (metrics | {"prometheus_client"})
    late = [one for one in out.split() if one.startswith("/")]
    assert late
    assert all(one.startswith("/libpod/") for one in late)


def test_what_answers_in_text_loads_no_page() -> None:
    """The page, the attacks and what reads heads for them are loaded where they are asked for."""
    page = {"trioproxy.review.page", "trioproxy.review.attacking", "h11"}
    assert not page & loaded_with(
        "trioproxy.commands.diff", "trioproxy.commands.explain"
    )


def test_a_learner_without_a_terminal_cannot_draw(tmp_path: Path) -> None:
    """What draws, and what a reviewer needs, is not loaded where nobody looks."""
    options = ("-o", "x.env", "--upstream", "tcp://127.0.0.1:1")
    with subprocess.Popen(
        [
            *(sys.executable, "-c", SERVE, "learn", *options),
            *("--listen", f"unix://{tmp_path}/l.sock"),
        ],
        env=environment({"TERM": "xterm"}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("listening on" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    loaded = set(out.split())
    assert "trioproxy.commands.learner" in loaded
    assert not loaded & {"trioproxy.commands.live", "trioproxy.commands.block"}
    assert not any(name.startswith("trioproxy.review") for name in loaded)
