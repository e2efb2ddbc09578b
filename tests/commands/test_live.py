"""`learn` on a terminal: a block that says how it goes on, and nothing of it afterwards."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.commands.screen import PROMPT, Screen, on_pty, screen
from tests.commands.test_learn import LIST, Learning, client_sending
from tests.fakes import Client, FakeEngine, connect

LABELS = ("learning", "requests", "operations", "last new", "quiet", "clients")
ROW = re.compile(rf"^  (?:{'|'.join(LABELS)})(?:\.\.\.|  )", re.MULTILINE)
"""A row of the block: whatever else the program says begins in another way."""

CREATE = ("POST", "/containers/create")
AT_PROMPT = rf"^{PROMPT.strip()}$"


@pytest.fixture
def learn(fake: FakeEngine, tmp_path: Path) -> Learning:
    return Learning(fake, tmp_path)


@asynccontextmanager
async def learning(
    learn: Learning,
    columns: int,
    *options: str,
    variables: dict[str, str] | None = None,
    program: tuple[str, ...] = (sys.executable, "-m", "trioproxy"),
) -> AsyncIterator[tuple[Screen, Client]]:
    """A learner on a terminal, and a client of it that has asked for two operations."""
    folder = learn.file.parents[1]
    output = ("--upstream", learn.options[1], "-o", "a.env")
    async with screen(folder, columns, variables) as shown:
        listen = ("--listen", "tcp://127.0.0.1:0", *options)
        await shown.run(*program, "learn", *output, *listen)
        text = await shown.until(r"listening on\s+tcp://\S+$")
        client = await connect(text.partition("listening on")[2].split()[0])
        try:
            await ask(client, "GET", "/containers/json")
            await ask(client, *CREATE)
            yield shown, client
        finally:
            client.close()


async def ask(client: Client, method: str, target: str) -> None:
    """Send a request and read its answer."""
    await client.ask(method, target)
    assert (await client.read_response()).status == 200


async def end(shown: Screen) -> str:
    """Stop the learner; all that the terminal shows."""
    await shown.type("C-c")
    return await shown.until(rf"^review (.|\n)*{AT_PROMPT}")


def assert_clean(text: str) -> None:
    """Nothing of a block is left, and no empty line where one was."""
    assert not ROW.search(text), text
    assert "\n\n" not in text, text


async def assert_unbroken(shown: Screen, columns: int) -> None:
    """No line was too long for the terminal, which would have broken it."""
    text = await shown.text(whole_lines=True)
    assert max(map(len, text.split("\n"))) <= columns, text


@pytest.mark.parametrize("columns", [40, 80, 120])
async def test_a_block_says_how_it_goes_on(learn: Learning, columns: int) -> None:
    """All that one who waits wants to know, in the width that there is; then it is gone."""
    async with learning(learn, columns, "--until-quiet", "30m") as (shown, client):
        # All of it, and of a block that has the last of what is seen.
        text = await shown.until(r"last new    ONLY_NETWORKS(.|\n)*^  clients     \d")
        assert re.search("^  operations  2$", text, re.MULTILINE)
        assert [row.strip(" .") for row in ROW.findall(text)] == list(LABELS)
        assert re.search(r"^  learning    a\.env for \d+ s$", text, re.MULTILINE)
        assert re.search(r"^  requests    2, \d\.\d a second$", text, re.MULTILINE)
        assert re.search("^  last new    ONLY_NETWORKS=bridge,", text, re.MULTILINE)
        assert re.search(r"^  quiet       \d+ s of 30 min$", text, re.MULTILINE)
        assert re.search(r"^  clients     127\.0\.0\.1$", text, re.MULTILINE)
        assert text.rstrip().split("\n")[-1].startswith("  clients")
        await ask(client, "GET", "/info")
        block = r"new: SystemInfo(.|\n)*^  operations  3$(.|\n)*^  clients     \d"
        text = await shown.until(block)
        assert len(ROW.findall(text)) == len(LABELS)
        await assert_unbroken(shown, columns)
        assert_clean(await end(shown))
        await assert_unbroken(shown, columns)


async def test_lines_break_between_words(learn: Learning) -> None:
    """At any width the words are those that a pipe gets; none is broken."""
    texts = []
    for columns in (60, 100):
        async with learning(learn, columns, "--fresh") as (shown, _):
            # The terminal writes a ^C where it stands: into the block, which goes.
            await shown.until(r"last new    ONLY_NETWORKS(.|\n)*^  clients     \d")
            text = await end(shown)
            texts.append(re.sub(r":\d{4,5}\b|\d+ s\b", "", text).split())
    assert texts[0] == texts[1]


async def test_a_resize_leaves_nothing_behind(learn: Learning) -> None:
    """However the terminal breaks the lines anew: the block is one, and then none."""
    async with learning(learn, 120) as (shown, client):
        # With so much above it no size lets it scroll away.
        await ask(client, "GET", "/containers/x/json")
        await shown.until(r"new: ContainerInspect(.|\n)*^  clients")
        sizes = ((50, 24), (26, 24), (90, 8), (80, 24))
        for number, (columns, rows) in enumerate(sizes):
            await shown.resize(columns, rows)
            await ask(client, "GET", f"/containers/{number}/json")
            count = number + 4
            text = await shown.until(rf"^  requests    {count}, (.|\n)*^  clients")
            assert len(ROW.findall(text)) == len(LABELS) - 1, text
        text = await end(shown)
        assert_clean(text)


async def test_a_block_that_came_to_the_top_leaves_nothing_behind(
    learn: Learning,
) -> None:
    """A narrower terminal breaks the lines of the block, and what is above goes: put away, the block is not scrolled away with it."""
    async with learning(learn, 120) as (shown, client):
        await shown.until("last new    ONLY_NETWORKS")
        for columns in (50, 27):
            await shown.resize(columns)
        await ask(client, "GET", "/info")
        text = await shown.until(r"new:\s+SystemInfo(.|\n)*^  clients")
        assert len(ROW.findall(text)) == len(LABELS) - 1, text


async def test_it_goes_on_where_there_is_no_room(learn: Learning) -> None:
    """A terminal that is too small for the block gets none until it has grown.

    What it scrolled away meanwhile is its own: no program reaches that.
    """
    async with learning(learn, 120) as (shown, client):
        await shown.until("operations  2")
        for columns, rows in ((19, 24), (100, 3), (100, 1)):
            await shown.resize(columns, rows)
            await ask(client, "GET", "/containers/1/json")
        await shown.resize(120, 24)
        await ask(client, "GET", "/containers/1/json")
        text = await shown.until(r"^  requests    6, (.|\n)*^  clients")
        assert text.rstrip().split("\n")[-1].startswith("  clients")
        await end(shown)


async def test_what_is_typed_leaves_nothing_behind(learn: Learning) -> None:
    """Enter leads the cursor away; the block finds its place again."""
    async with learning(learn, 80) as (shown, client):
        # What is typed while lines go above the block stands among them.
        await shown.until(r"new: ContainerCreate(.|\n)*operations  2")
        await shown.type("h", "i", "Enter", "Enter")
        await shown.until("^hi")
        await ask(client, "GET", "/info")
        text = await shown.until("operations  3")
        assert len(ROW.findall(text)) == len(LABELS) - 1
        assert_clean((await end(shown)).replace("hi: command not found", ""))


async def test_in_the_background_nothing_is_drawn(learn: Learning) -> None:
    """Ctrl-Z leaves a clean terminal to the shell, bg leaves it alone, fg draws again."""
    async with learning(learn, 80) as (shown, client):
        await shown.until("operations  2")
        await shown.type("C-z")
        text = await shown.until(rf"Stopped(.|\n)*{AT_PROMPT}")
        assert not ROW.search(text)
        await shown.type("bg", "Enter")
        await shown.until(r"\[1\]\+ .* &$")
        await ask(client, "GET", "/info")
        text = await shown.until("new: SystemInfo")
        assert not ROW.search(text)
        await shown.type("fg", "Enter")
        await shown.until("operations  3")
        assert not ROW.search(await end(shown))


@pytest.mark.parametrize("signal", ["TERM", "HUP", "QUIT"])
async def test_a_signal_leaves_a_clean_terminal(learn: Learning, signal: str) -> None:
    """Whatever ends it, by a signal that can be caught."""
    async with learning(learn, 80) as (shown, _):
        await shown.until("operations  2")
        await shown.signal(signal)
        assert not ROW.search(await shown.until(AT_PROMPT))


async def test_a_crash_leaves_a_clean_terminal(learn: Learning) -> None:
    """A bug of ours is seen whole, and below it is nothing but the prompt."""
    crash = (
        "from trioproxy.cli import main\n"
        "from trioproxy.commands import live\n"
        "def fails(evidence):\n"
        "    if len(evidence.routes) > 2: raise LookupError('a bug')\n"
        "    return newest(evidence)\n"
        "newest, live._newest = live._newest, fails\n"
        "main()\n"
    )
    program = (sys.executable, "-c", crash)
    async with learning(learn, 80, program=program) as (shown, client):
        await shown.until("operations  2")
        await client.ask("GET", "/info")
        text = await shown.until(AT_PROMPT)
        assert "LookupError: a bug" in text
        assert not ROW.search(text)


async def test_log_lines_go_above_the_block(learn: Learning) -> None:
    """What the log writes stays whole, and the block is below it."""
    async with learning(learn, 200, variables={"LOG_LEVEL": "info"}) as (shown, client):
        for number in range(30):
            await ask(client, "GET", f"/containers/{number}/json")
        text = await shown.until("^  requests    32, ")
        assert len(ROW.findall(text)) == len(LABELS) - 1
        assert text.rstrip().split("\n")[-1].startswith("  clients")
        text = await end(shown)
        assert_clean(text)
        lines = [line for line in text.split("\n") if "=/containers/" in line]
        assert len(lines) == 32, text
        assert all(
            re.match(r"\d{4}-.*Z (info|notice) request .* client=", one)
            for one in lines
        )


@pytest.mark.parametrize(
    ("variables", "has_block", "has_colours"),
    [
        pytest.param({}, True, True, id="as-usual"),
        pytest.param({"NO_COLOR": "1"}, True, False, id="no-color"),
        pytest.param({"NO_COLOR": ""}, True, True, id="no-color-is-empty"),
        pytest.param({"TERM": "dumb"}, False, False, id="dumb"),
    ],
)
async def test_what_a_terminal_can_show(
    learn: Learning, variables: dict[str, str], *, has_block: bool, has_colours: bool
) -> None:
    """Colours where they are wanted, and no control sequence where none is understood."""
    async with learning(learn, 80, variables=variables) as (shown, client):
        await ask(client, "POST", "/images/load")
        await shown.until("new: ImageLoad")
        if has_block:
            await shown.until("operations  3")
        assert bool(ROW.search(await shown.text())) == has_block
        text = await shown.text(colours=True)
        assert ("\x1b[31mHOST-ROOT" in text) == has_colours
        assert ("\x1b[" in text) == has_colours
        assert_clean(await end(shown))


async def test_a_command_has_the_terminal_for_itself(learn: Learning) -> None:
    """Beside a COMMAND nothing is drawn: its output is as it writes it, byte for byte."""
    drawn = (
        "import time; print('a' * 60, end='\\r', flush=True); time.sleep(1); print('b')"
    )
    sends = f"{client_sending()[2]}\n{drawn}"
    command = ("learn", *learn.options, "--", sys.executable, "-c", sends, LIST)
    shown = await on_pty(sys.executable, "-m", "trioproxy", *command)
    assert shown.count(b"a" * 60 + b"\r") == 1
    assert b"\x1b" not in shown
    assert b"requests" not in shown
