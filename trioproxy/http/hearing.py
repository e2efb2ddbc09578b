"""Answers that tell the ids of images: passed on as they are, and read on the way.

A commit answers with an `Id`. The classic builder answers with a line of JSON for each thing
that happens, among them `{"aux":{"ID":"sha256:..."}}` for each image that it made; what steps
of a build print stands inside of such lines and is none by itself. BuildKit, which speaks gRPC,
tells nothing here.

A quiet build has no such line, but the id in a `stream`; nor have builds before API 1.30, but
`Successfully built 0123456789ab`. A step can print the same. The Engine's own comes last, with names
that it gave behind it; so these count when the answer has ended with them, and not otherwise.

Nothing is refused here: of a line that is long or cannot be read no image is known.

What was heard is what `@built` stands for. A policy keeps it (`Built`), as long as the process
runs: a reload forgets nothing of it, and another policy knows nothing of it.
"""

import re
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Final

from trioproxy.errors import BadRequest, UpstreamError
from trioproxy.http import jsonbody
from trioproxy.http.framing import Boundary, Dechunked, Framing, content_of

LONGEST_TOLD: Final = 1_024
"""Bytes of a line that is read: those that tell an id have a tenth of that."""

MOST_BUILT: Final = 2_048
"""Images that were built through one policy and are known: half a megabyte of ids."""

SHORT_ID: Final = 12

_ID: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_SAID: Final = re.compile(
    r"(?:Successfully built (?=[0-9a-f]{12}\n)|sha256:(?=[0-9a-f]{64}\n))([0-9a-f]+)\n"
)
_NAMED: Final = "Successfully tagged "
_TELLING: Final = re.compile(rb'"(?:aux|Id)"|"(?:sha256:|Successfully )')
"""What stands in lines that may tell an id, or come behind one that does."""


@dataclass(slots=True, eq=False)
class Hearing:
    """The boundary of an answer, which hears what passes."""

    framing: InitVar[Framing]
    _take: Callable[[str], None]
    """Is given the digits of each id."""
    passed: int = 0
    unseen: int = 0  # nothing goes through the kernel unread
    _line: bytes = b""
    _said: str = ""
    _boundary: Boundary = field(init=False)
    done: bool = field(init=False)

    def __post_init__(self, framing: Framing) -> None:
        self._boundary = content_of(framing, UpstreamError)
        self.done = self._boundary.done

    def feed(self, data: bytes | bytearray, at: int, end: int) -> int:
        """Look at some bytes, and hear them before they go on."""
        boundary = self._boundary
        used = boundary.feed(data, at, end)
        if isinstance(boundary, Dechunked):
            self._hear(boundary.take())
        else:
            self._hear(bytes(data[at:used]))
        self.done, self.passed = boundary.done, boundary.passed
        if self.done:
            self._hear(b"\n")
            if self._said:
                self._take(self._said)
        return used

    def skip(self, count: int) -> None:
        """Count so many bytes as passed: none are."""
        self._boundary.skip(count)

    def _hear(self, content: bytes) -> None:
        *lines, rest = (self._line + content).split(b"\n")
        # Of what is too long no more is kept than shows that.
        self._line = rest[: LONGEST_TOLD + 1]
        for line in lines:
            self._read(line)

    def _read(self, line: bytes) -> None:
        if not line.strip():
            return
        said, self._said = self._said, ""
        if len(line) > LONGEST_TOLD or not _TELLING.search(line):
            return
        try:
            value = jsonbody.parse(line)
        except BadRequest:
            return
        if not isinstance(value, dict):
            return
        aux, stream = value.get("aux"), value.get("stream")
        told = aux.get("ID") if isinstance(aux, dict) else value.get("Id")
        if isinstance(told, str) and (found := _ID.fullmatch(told)):
            self._take(found[1])
        if isinstance(stream, str):
            own = _SAID.fullmatch(stream)
            self._said = own[1] if own else said * stream.startswith(_NAMED)


class Built:
    """The images that were made through one policy, by the ids that the Engine's answers had.

    Never by what is in an image: labels are inherited, pulled and loaded, and anybody can write
    one. So nothing is known of what was built before this process began.
    """

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, digits: str) -> None:
        """Know one more, in full or by its short id; the oldest is forgotten."""
        self._ids.pop(digits, None)
        self._ids[digits] = None
        if len(self._ids) > MOST_BUILT:
            del self._ids[next(iter(self._ids))]

    def has(self, full_id: str) -> bool:
        """Whether an image is one of them."""
        digits = full_id.removeprefix("sha256:")
        return digits in self._ids or digits[:SHORT_ID] in self._ids
