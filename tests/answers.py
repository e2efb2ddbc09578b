"""What the Engine's own documents say of its answers, and answers that are made of that."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trioproxy.api.edits import Json
from trioproxy.api.families import Hides

DATA = Path(__file__).parent / "data" / "answers.tsv"


class Told(NamedTuple):
    """A text in an answer: `[]` is an element of a list, `{}` a value of a map."""

    operation: str
    path: str
    hides: frozenset[Hides]
    """What hides it; nothing, where somebody has looked at it: no secret stands there."""

    @property
    def name(self) -> str:
        """The name of the field."""
        names = [one for one in self.path.split(".") if one not in {"[]", "{}"}]
        return names[-1] if names else ""


def documented() -> tuple[Told, ...]:
    """All of them."""
    return tuple(_read())


def _read() -> Iterator[Told]:
    for operation, line in sections(DATA):
        path, sign = line.split("\t")
        words = () if sign == "-" else sign.split(",")
        yield Told(operation, path, frozenset(map(Hides, words)))


def sections(file: Path) -> Iterator[tuple[str, str]]:
    """The lines of a file of data, each with the operation that stands above it."""
    operation = ""
    for line in file.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "=":
            operation = rest
        elif kind != "#":
            yield operation, line


PLANTED = {
    "Action": "exec_start: {}",
    "CreatedBy": "ENV TOKEN={}",
    "OnBuild": "ENV TOKEN={}",
    "Value": "{}",
}
"""How a secret is written in fields that hold more than one."""


def answer_of(told: tuple[Told, ...]) -> tuple[Json, dict[str, Told]]:
    """Make one answer of many fields, and say which secret was planted in which."""
    root: Json = None
    planted = dict[str, Told]()
    for number, one in enumerate(told):
        secret = f"secret-{number:04}-"
        steps = one.path.split(".") if one.path else []
        try:
            root = _put(root, steps, PLANTED.get(one.name, "TOKEN={}").format(secret))
        except TypeError:
            continue  # of what is a text in one version and a list in another one is made
        planted[secret] = one
    return root, planted


def _put(held: Json, steps: list[str], text: str) -> Json:
    if not steps:
        if held is not None:
            raise TypeError
        return text
    step, rest = steps[0], steps[1:]
    if step == "[]":
        items = held if isinstance(held, list) else [] if held is None else None
        if items is None:
            raise TypeError
        return [_put(items[0] if items else None, rest, text)]
    fields = held if isinstance(held, dict) else {} if held is None else None
    if fields is None:
        raise TypeError
    key = "a-key" if step == "{}" else step
    return {**fields, key: _put(fields.get(key), rest, text)}
