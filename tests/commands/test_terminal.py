"""Lines as a terminal gets them: broken between words, at 80 columns as at any width."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.commands.screen import on_pty
from trioproxy.api.routes import OPERATIONS
from trioproxy.commands import tell
from trioproxy.commands.terminal import fitted, has_colours, painted
from trioproxy.evidence.evidencefile import Loaded
from trioproxy.evidence.ledger import Ledger
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED, Who, route
from trioproxy.learning.proposal import propose
from trioproxy.learning.store import Written
from trioproxy.learning.wish import Wish
from trioproxy.limits.grant import Grant

DAY = 1_764_000_000
WORDS = st.lists(st.text("abc-./=", min_size=1, max_size=30), max_size=20)


@given(words=WORDS, indent=st.integers(0, 6), width=st.integers(10, 100))
def test_words_stay_whole(words: list[str], indent: int, width: int) -> None:
    """Broken lines have the same words, and fit wherever a word does."""
    line = " " * indent + " ".join(words)
    parts = fitted(line, width)
    assert " ".join(" ".join(parts).split()) == " ".join(words)
    for part in parts:
        assert len(part) <= width or len(part.split()) == 1
    assert fitted(line, None) == [line]


def test_a_comment_stays_one() -> None:
    """What gives root is a comment in `diff`, to be pasted: broken, it is one to its end."""
    parts = fitted("  # root: ALLOW_OPERATIONS=" + "BuildKitControl," * 9, 40)
    assert [part[:4] for part in parts] == ["  # ", "  # "]


def test_colours_change_no_word() -> None:
    """A risk is said by its word; where there are colours, it is in one."""
    assert painted("x HOST-ROOT: y") == "x \x1b[1;31mHOST-ROOT\x1b[0m: y"
    assert painted("risk low") == "risk low"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_where_colours_are_wanted(variables: dict[str, str], *, expected: bool) -> None:
    """NO_COLOR is heeded where it is not empty, and so is a terminal that has none."""
    assert has_colours(variables) == expected


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A file that grants everything, one that grants little, and evidence of use."""
    everything = [name for name in sorted(OPERATIONS) if name != "Grpc"]
    (tmp_path / "all.env").write_text(f"ALLOW_OPERATIONS={','.join(everything)}\n")
    (tmp_path / "one.env").write_text("ALLOW_OPERATIONS=SystemInfo\nCONTAINERS=1\n")
    evidence = Evidence()
    evidence.begin("2026-11-25", date=DAY)
    for name in everything:
        one = OPERATIONS[name][0]
        for result in ("200", REFUSED):
            shape = route(name, one.method, one.section)
            if shape.is_consistent:
                evidence.observe(shape, result, When(DAY), Who("app/1", "127.0.0.1"))
    Ledger(tmp_path / "live.jsonl").save(evidence, is_final=True)
    return tmp_path


COMMANDS = [
    ("diff", "one.env", "all.env"),
    ("diff", "all.env", "one.env"),
    ("explain", "all.env"),
    ("explain", "one.env"),
    ("explain",),
    ("check", "one.env", "POST", "/containers/create"),
    ("check", "one.env", "POST", "/images/" + "long/" * 30 + "push"),
    ("export", "all.env", "--to", "linuxserver"),
    ("enforce", "--env-file", "none.env", "--listen", "unix://x"),
    ("enforce", "one.env", "--print-config"),
    ("learn", "-o", "one.env", "--", "true"),
    ("diff", "one.env", "live.jsonl"),
    ("diff", "all.env", "live.jsonl", "--days", "0"),
    ("merge", "live.jsonl", "-o", "both.env"),
    ("merge", "one.env", "all.env", "-o", "both.env"),
    *(
        (name, "--help")
        for name in (
            *("learn", "enforce", "check", "explain", "diff", "merge", "approve"),
            *("export", "health"),
        )
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(one)[:40])
async def test_no_line_is_broken_in_mid_word(
    files: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns no line is longer, but for a word that is longer by itself."""
    monkeypatch.chdir(files)
    program = (sys.executable, "-m", "trioproxy", *command)
    text = (await on_pty(*program)).decode().replace("\r\n", "\n")
    assert text.strip()
    long = [line for line in text.split("\n") if len(line) > 80]
    assert all(len(line.strip(" #").split()) == 1 for line in long), long


@pytest.mark.parametrize("where", ["/dev/full", "&-"], ids=["full", "closed"])
@pytest.mark.parametrize(
    "command",
    [
        *("explain {}", "explain {} --as html -o -", "export {} --to wollomatic"),
        *("--help", "--version", "learn --help"),
    ],
)
def test_an_output_that_takes_nothing(tmp_path: Path, command: str, where: str) -> None:
    """Who writes to a full disk is told so in a line; who closed the output wants none."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    line = command.format('"$1"')
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m trioproxy {line} >{where}', sys.executable, file],
        capture_output=True,
        text=True,
        check=False,
    )
    told = "trioproxy: cannot write to stdout: No space left on device\n"
    assert (done.returncode, done.stderr) == (
        (2, told) if where == "/dev/full" else (0, "")
    )


def test_an_old_locale_shows_codes(tmp_path: Path) -> None:
    """What the output's encoding has no byte for is shown by its code, as on stderr."""
    file = tmp_path / "\u00e9\u6f22.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    done = subprocess.run(
        [sys.executable, "-m", "trioproxy", "explain", file],
        env=os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
    )
    assert b"/\xe9\\u6f22.env:" in done.stdout
    assert (done.returncode, done.stderr) == (0, b"")


def test_nobody_is_served_late_for_a_reader_who_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a learner tells while it serves is left out where the pipe that it goes to is full, and
    told where there is room."""
    said: list[str] = []
    tell_if_read = tell.unwaited(said.append)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        tell_if_read("there is room")
        with suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        tell_if_read("there is none")
        os.read(reading, 8192)
        tell_if_read("and again")
    os.close(reading)
    assert said == ["there is room", "and again"]


@pytest.mark.parametrize("width", [None, 40, 39])
def test_a_command_to_be_copied_is_never_broken(
    width: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It stands behind what is said of it, or whole below that where the terminal is too narrow."""
    monkeypatch.setattr(tell, "width_of", lambda _: width)
    command = "trioproxy enforce --env-file x"
    tell.say_command("go on by:", command)
    said = capsys.readouterr().err.replace("\r", "")
    between = "\n  " if width == 39 else " "
    assert said == f"go on by:{between}{command}\n"


@pytest.mark.parametrize("listed", ["ContainerList", "ContainerExec,ContainerList"])
def test_what_is_used_and_was_taken_out_is_told_with_the_way_back(listed: str) -> None:
    """A person took it out, who sees that it is used, and how it would be granted again."""
    evidence, said = Evidence(), list[str]()
    evidence.begin("2026-11-24T10:15:00Z-1", DAY)
    used = route("ContainerExec", "POST", "containers")
    evidence.observe(used, "201", When(DAY))
    evidence.granted = {Grant.of_operation("ContainerExec")}
    wish = Wish(name="app", file="app.env")
    found = propose(evidence, f"ALLOW_OPERATIONS={listed}\n", wish)
    known = Loaded(evidence=Evidence())
    saved = Written(evidence=evidence, others=Evidence(), damage="", proposal=found)
    tell.Teller(known, quiet=False, unknown=(), warn=said.append).tell([used], saved)
    is_declined = listed == "ContainerList"
    assert ["--restore ContainerExec grants it" in one for one in said] == [is_declined]
