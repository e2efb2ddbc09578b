"""Known attacks on an Engine by a client of its socket: the data of `attacks.toml`, as values.

An attack is a sequence of requests with an effect. `attacking` judges it by a policy, with
words out of that; the tests make it on a real Engine and look for the effect, so that each
is an attack and no fancy, and hold each row to the words that it may have.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache
from importlib import resources
from typing import Any, Final

from trioproxy.api.routes import Risk
from trioproxy.judge.power import LEVELS
from trioproxy.values import value_class

Sending = Mapping[str, Any]
"""A request, as a row of the data."""

WORD: Final = re.compile(r"\{([a-z_]+)\}")
"""A word in a text of an attack."""
_RUN: Final = ("ContainerCreate", "ContainerLogs", "ContainerStart")
"""What a container takes that is run and read."""


@value_class
class Attack:
    """A row of the data; what each column is stands there."""

    name: str
    door: str
    gives: Risk
    source: str
    effect: str
    look: str
    needs: frozenset[str]
    requests: tuple[Sending, ...]
    setup: tuple[Sending, ...] = ()
    shut: tuple[str, ...] = ()
    undone: frozenset[str] = frozenset()
    beside: str = ""
    file: Mapping[str, str] = field(default_factory=dict)
    asks: str = ""
    shows: str = ""
    unshown: str = ""
    is_costly: bool = False
    is_rare: bool = False


@cache
def attacks() -> tuple[Attack, ...]:
    """All of them, the worst first, else in the order of the data."""
    rows = _data()["attack"]
    found = [Attack(**_columns(each)) for row in rows for each in _each(row)]
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.gives)))


def words(table: str = "words") -> Mapping[str, str]:
    """The words that they share, or another table of words."""
    shared: Mapping[str, str] = _data()[table]
    return shared


@cache
def _data() -> Any:  # noqa: ANN401  TOML
    file = resources.files("trioproxy.review").joinpath("attacks.toml")
    return tomllib.loads(file.read_text("utf-8"))


def _each(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The attacks of a row: one, or one with each of some words."""
    common = {key: one for key, one in row.items() if key != "each"}
    for own in row.get("each", ({},)):
        yield _with(common, own)


def _with(value: Any, own: Mapping[str, str]) -> Any:  # noqa: ANN401  TOML
    if isinstance(value, dict):
        return {key: _with(one, own) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, own) for one in value]
    if not isinstance(value, str):
        return value
    return WORD.sub(lambda found: own.get(found[1], found[0]), value)


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    needs, requests = row.get("needs", ()), row.get("requests", ())
    body = {key: row.pop(key) for key in ("run", "raw") if key in row}
    if body:
        kind = "raw" if "raw" in body else "body"
        name = "/containers/{name}-c{n}"
        requests = (
            *requests,
            {"send": "POST /containers/create?name={name}-c{n}", kind: next(iter(body.values()))},
            {"send": f"POST {name}/start"},
            {"send": f"GET {name}/logs?stdout=1&stderr=1&follow=1"},
        )  # fmt: skip
        needs = (*needs, *_RUN)
    return row | {
        "gives": Risk(row["gives"]),
        "needs": frozenset(needs),
        "requests": tuple(requests),
        "setup": tuple(row.get("setup", ())),
        "shut": tuple(row.get("shut", ())),
        "undone": frozenset(row.get("undone", ())),
    }


# --- From data to requests --------------------------------------------------------


Fill = Callable[[str], str]
"""Puts the words of an attack into a text."""


def body_of(request: Sending, fill: Fill, tries: range) -> tuple[bytes, str]:
    """The body of a request that is no archive, and its type; empty: it has none."""
    if "form" in request:
        return fill(request["form"]).encode(), "application/x-www-form-urlencoded"
    if "raw" in request:
        return fill(request["raw"]).encode(), "application/json"
    if "body" not in request:
        return b"", ""
    text = request["body"]
    if found := WORD.fullmatch(text):
        text = words()[found[1]]
    value = _value(json.loads(text), fill, tries)
    return json.dumps(value).encode(), "application/json"


def _value(value: Any, fill: Fill, tries: range) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, dict):
        return {key: _value(one, fill, tries) for key, one in value.items()}
    if isinstance(value, list):
        every = [
            one.replace("{all}", str(n))
            for one in value
            if isinstance(one, str)
            for n in (tries if "{all}" in one else (0,))
        ]
        return [_value(one, fill, tries) for one in every or value]
    return fill(value) if isinstance(value, str) else value
