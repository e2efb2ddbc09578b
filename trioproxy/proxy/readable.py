"""A request as a person reads it who is asked whether it may pass.

All of it is the client's: it is escaped and cut, what is cut is counted, and what may be a
secret is left out.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from trioproxy.api.arguments import may_be_secret
from trioproxy.api.edits import Json
from trioproxy.api.fields import ARGUED, NO_STRUCT, Field, Struct
from trioproxy.judge.gate import Passes
from trioproxy.judge.rules import Decision
from trioproxy.limits.marks import OWNER_LABEL
from trioproxy.limits.things import Thing
from trioproxy.proxy.admission import Parsed
from trioproxy.proxy.hours import Whose
from trioproxy.quoting import visible

LONGEST_TEXT: Final = 256
"""Characters of a text of the client that are shown."""
LONGEST_BODY: Final = 2_048
LONGEST_TOLD: Final = 16 * 1024
"""Rather more than all that is told of one request."""
LONGEST_WORD: Final = 80
MOST_ITEMS: Final = 8
MOST_KEYS: Final = 24
MOST_NAMES: Final = 16


def told_of(
    who: Whose, parsed: Parsed, refused: Decision, found: Passes, value: Json
) -> dict[str, object]:
    """What a person reads: ours, and the client's, which is escaped and cut."""
    request, sent = parsed.request, found.sent
    endpoint = request.endpoint
    assert endpoint is not None  # noqa: S101  what no table has is not asked about
    query = request.target.query if sent is None else sent.query
    path = (sent and request.with_parameter(sent.parameter)) or request.target.quoted
    more = f"?{query.decode('latin-1')}" if query else ""
    body = value if sent is None or sent.body is None else sent.body
    told: dict[str, object] = {
        "client": _client(who),
        "operation": request.operation,
        "does": endpoint.summary,
        "refused": _text(refused.message, 2 * LONGEST_TEXT),
        "request": _text(f"{request.method} {path}{more}", 2 * LONGEST_TEXT),
    }
    if agent := parsed.head.fields.agent:
        told["agent"] = _text(agent)
    if body not in (None, {}, [], ""):
        told["body"] = _body(body, request.operation)
    if names := list(_names(found)):
        told["names"] = names[:MOST_NAMES]
        told["more"] = max(0, len(names) - MOST_NAMES)
    return told


def _client(who: Whose) -> str:
    """Name a client for people."""
    if who.name.startswith("unix:uid="):
        name = f"uid {who.name.removeprefix('unix:uid=')}"
    else:
        name = who.name[:12] if len(who.name) == 64 else who.name
    return f"{name} on {who.listener}"


def _text(given: str, most: int = LONGEST_TEXT) -> str:
    """Escape and cut a text of the client."""
    more = f"... and {len(given) - most} more characters" if len(given) > most else ""
    return visible(given[:most]) + more


def _body(value: Json, operation: str) -> str:
    """A body as one line, without what is empty: long texts, lists and maps are cut.

    Of a map what the Engine knows comes first, what can be limited above all: nobody fills
    the line with what is ignored.
    """
    known = ARGUED[operation].body if operation in ARGUED else NO_STRUCT
    shown = _shortened(value, known)
    return _text(json.dumps(shown, ensure_ascii=False), LONGEST_BODY)


def _shortened(value: Json, known: Struct, key: str = "") -> Json:
    if isinstance(value, str):
        value = _without_secret(value, key)
        more = len(value) - LONGEST_WORD
        return value if more <= 0 else f"{value[:LONGEST_WORD]}... and {more} more"
    if isinstance(value, list):
        found = [_shortened(one, known, key) for one in value[:MOST_ITEMS]]
        if len(value) > MOST_ITEMS:
            found.append(f"... and {len(value) - MOST_ITEMS} more")
        return found
    if isinstance(value, dict):
        fields = known.fields
        given = {name: one for name, one in value.items() if one not in _EMPTY}
        given.pop(OWNER_LABEL, None)  # ours, and nobody else may give it
        keys = sorted(given, key=lambda name: _rank(fields.get(name.lower())))
        shown = dict[str, Json]()
        for name in keys[:MOST_KEYS]:
            below = fields.get(name.lower())
            one = _shortened(given[name], below.struct if below else NO_STRUCT, name)
            if below is None and may_be_secret(name) and isinstance(one, str):
                one = _CUT
            if one not in _EMPTY:
                shown[name[:LONGEST_WORD]] = one
        if len(given) > MOST_KEYS:
            shown["..."] = f"and {len(given) - MOST_KEYS} more"
        return shown
    return value


def _rank(field: Field | None) -> int:
    """What can be limited, what else the Engine knows, what it does not."""
    return 2 if field is None else int(field.plain is not None)


def _without_secret(value: str, key: str) -> str:
    """A text of which nobody is told what may be a secret.

    Of what is run, that is a word alone: else a command would hide behind `token=`.
    """
    if key.lower() in _CONTENT:
        return _CUT
    name, mark, rest = value.partition("=")
    hides = key.lower() not in _RUN or _WORD.fullmatch(rest)
    return f"{name}={_CUT}" if mark and hides and may_be_secret(name) else value


_CUT: Final = "..."
_RUN: Final = frozenset({"cmd", "entrypoint", "onbuild", "shell", "test"})
_CONTENT: Final = frozenset({"data"})
"""What secrets and configs hold."""
_WORD: Final = re.compile(r"[\w./:@%+,~^-]*=*")
_EMPTY: Final[tuple[Json, ...]] = (None, "", [], {}, 0, False)


def _names(found: Passes) -> Iterator[dict[str, object]]:
    """What it names, with the ids that go on."""
    if found.named is not None:
        for one, thing in found.named.pairs():
            if isinstance(thing, Thing) and thing.id and one.pins:
                yield {
                    "kind": str(one.kind),
                    "text": _text(one.text),
                    "id": thing.id,
                    "names": [_text(name) for name in thing.names[:3]],
                }
    if found.removals is not None:
        for removal in found.removals.each:
            yield {
                "kind": str(found.removals.prune.kind),
                "text": "",
                "id": _text(removal.id),
                "names": [_text(removal.told)],
            }
