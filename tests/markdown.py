"""Documents as data: their blocks, transcripts, links, headings and code spans.

The kinds of blocks, by the word behind the fence:

    console  a transcript: run in a shell, and what it writes must be what is shown
    sh       commands, one a line, each of which a test runs: `tests/shell.py` says which
    env      a policy file
    yaml     a compose file
    text     anything else, such as a message; never a command
    mermaid  a drawing
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = frozenset({"console", "sh", "env", "yaml", "text", "mermaid", "python"})

_FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command of a transcript and what it is said to write."""

    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A Markdown file of this project."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The fenced blocks, without their indentation."""
        return tuple(
            Block(
                kind=found[2].strip(),
                text=textwrap.dedent(found[3]),
                line=self.text.count("\n", 0, found.start()) + 1,
            )
            for found in _FENCE.finditer(self.text)
        )

    @cached_property
    def prose(self) -> str:
        """All but the fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def spans(self) -> tuple[str, ...]:
        """The code in the prose, a line each."""
        found = (match[2] for match in _SPAN.finditer(self.prose))
        # In a cell of a table a bar is escaped.
        return tuple(" ".join(span.split()).replace("\\|", "|") for span in found)

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Where its links lead, those to other sites aside."""
        plain = _SPAN.sub("", self.prose)
        found = (match[1] for match in _LINK.finditer(plain))
        return tuple(link for link in found if not re.match(r"https?:|mailto:", link))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The names by which its headings can be reached."""
        titles = (match[1].lower() for match in _HEADING.finditer(self.prose))
        return frozenset(
            re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles
        )

    def of_kind(self, kind: str) -> Iterator[Block]:
        """Its blocks of one kind."""
        return (block for block in self.blocks if block.kind == kind)


def steps(block: Block) -> Iterator[Step]:
    """Read a transcript: `$ ` begins a command, `> ` goes on with it."""
    command, shown = "", list[str]()
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command=command, shown=tuple(shown))
            command, shown = line.removeprefix("$ "), []
        elif line.startswith("> ") and not shown:
            command += "\n" + line.removeprefix("> ")
        else:
            shown.append(line)
    yield Step(command=command, shown=tuple(shown))


def lines(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a block of kind `sh`, and where: one may go on in the next line."""
    for found in re.finditer(r"(?:\\\n|.)+", block.text):
        if not found[0].startswith("#"):
            yield block.line + 1 + block.text.count("\n", 0, found.start()), found[0]


def documents() -> tuple[Document, ...]:
    """Every Markdown file that people are meant to read."""
    places = (
        "*.md",
        "docs/*.md",
        "examples/**/*.md",
        "learned/*.md",
        ".github/**/*.md",
    )
    found = {path for place in places for path in ROOT.glob(place)}
    return tuple(map(Document, sorted(found)))


def fits(shown: tuple[str, ...], written: list[str]) -> bool:
    """Whether output is as shown: `...` is anything, alone any lines, and space is space."""
    parts = list[str]()
    for line in shown:
        words = " ".join(line.split())
        if words == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, words.split("..."))) + r"\n")
    text = "".join(f"{' '.join(line.split())}\n" for line in written)
    return re.fullmatch("".join(parts), text) is not None
