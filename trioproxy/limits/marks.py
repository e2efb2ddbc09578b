"""The mark: a label by which what was made through a proxy is known, in every policy.

`trioproxy.owner` is given to each container, network, volume and commit that is made,
with the owner of the policy as its value or, where it has none and for a commit, with an
empty one. No client gives a label that begins with `trioproxy.` itself, but for the very
value that it would get, for updaters copy the labels of what they make anew, and for an
empty one, which is replaced.

So creations are read where nothing limits what they ask for, too. Then all else in them
goes on as it came, known or not, and only those names are told apart by which the Engine
finds labels. A mark that the client could take back, or give by another way (`changes`
of a commit, which win over its body), would be none.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, TypeVar

from trioproxy.api import query
from trioproxy.api.arguments import MOST_ITEMS
from trioproxy.api.edits import Edit, Json, Keys, Part
from trioproxy.api.form import Asked
from trioproxy.api.routes import ENDPOINTS
from trioproxy.errors import BadBody, BadTarget, BodyTooLarge

PREFIX: Final = "trioproxy."
OWNER_LABEL: Final = "trioproxy.owner"

BODIES: Final = frozenset(
    one.operation for one in ENDPOINTS if one.powers.labels == "b"
)
"""The operations whose body has labels."""

MARKED: Final = frozenset(
    one.operation for one in ENDPOINTS if one.powers.labels != "-"
)
"""These, and those whose query has some: what is made there is content, and has no mark."""


_NOBODYS: Final = Edit(("changes",), f"LABEL {OWNER_LABEL}=", Part.FRONT)
"""What a commit is marked with: an image is nobody's, whatever its container is.

Not in its body, for with a body the Engine makes the image of that, and leaves out half
of what the container has. In front of the client's own changes, of which one with an
escape at its end would take it in.
"""


def read(raw_query: bytes, body: Json) -> Asked:
    """Read a creation that nothing limits: all goes on as it came. Raises `BadBody`."""
    if body is not None and not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    return Asked((), never="", body=body, query=raw_query, is_whole=False)


def mark(operation: str, asked: Asked, owner: str) -> Asked:
    """Label what a request makes, and tell which label it gives that is not its to give.

    Raises `BadBody` or `BadTarget` where it cannot be told which labels it gives.
    """
    if operation not in MARKED:
        return asked
    body = asked.body
    if body is None and operation == "VolumeCreate":
        body = {}  # the Engine does without; it makes nothing of other creations then
    places = list(_places(operation, body)) if body is not None else []
    # The very value that it would get passes: updaters make a container anew with the labels that they inspected.
    # An empty one claims nothing: another proxy in front of this one gives it.
    given = [labels for _, labels in places]
    claims = next(_claims(operation, asked, given, {owner, ""}), "")
    edits = [
        Edit((*keys, OWNER_LABEL), marked(labels, owner)[OWNER_LABEL])
        for keys, labels in places
    ]
    if operation == "ImageCommit":
        edits = [_NOBODYS]
    return asked._replace(claims=claims, edits=(*asked.edits, *edits))


_Text = TypeVar("_Text")


def marked(labels: Mapping[str, _Text], owner: _Text) -> dict[str, _Text]:
    """Give labels as they go on to the Engine."""
    return {**labels, OWNER_LABEL: labels.get(OWNER_LABEL) or owner}


def _claims(
    operation: str,
    asked: Asked,
    places: Iterable[Mapping[str, Json]],
    may_give: set[str],
) -> Iterator[str]:
    for name, value in chain.from_iterable(labels.items() for labels in places):
        may = name == OWNER_LABEL and isinstance(value, str) and value in may_give
        if name.startswith(PREFIX) and not may:
            yield f"the label {name[:64]!a}: {_ADVICE}"
    if operation in BODIES - {"ImageCommit"}:
        return
    pairs = query.parse(asked.query)
    for name in chain.from_iterable(map(_names, query.values_of(pairs, "labels"))):
        if operation == "ImageBuild" and name.startswith(PREFIX):
            yield f"the label {name[:64]!a}: {_ADVICE}"
    if may_label(query.values_of(pairs, "changes")):
        yield f"a LABEL in its changes that may be one of the proxy's: {_ADVICE}, and write names of labels without variables"


_ADVICE: Final = (
    f"labels that begin with {PREFIX} are the proxy's to give, leave it out"
)


# --- Labels in bodies -------------------------------------------------------------


_Struct = tuple[Keys, Mapping[str, Json]]
"""A struct or map of a body, and where it stands; empty where it will be made."""


def _places(operation: str, body: Mapping[str, Json]) -> Iterator[_Struct]:
    """The labels that a body gives."""
    top: _Struct = (), body
    if body.get(key_of(body, "Labels")) or not _takes_no_more(operation, top):
        yield below(top, "Labels")
    if operation != "ContainerCreate":
        return
    # Engines before 27 read HostConfig's fields at the top, too.
    host = key_of(body, "HostConfig")
    for keys, holder in (top, ((host,), body.get(host))):
        if not isinstance(holder, dict):
            continue
        name = key_of(holder, "Mounts")
        mounts = holder.get(name)
        if isinstance(mounts, list) and len(mounts) > MOST_ITEMS:
            raise BodyTooLarge(f"Mounts has more than {MOST_ITEMS:,} items")
        for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
            if isinstance(mount, dict) and _is_volume(mount):
                options = below(((*keys, name, index), mount), "VolumeOptions")
                yield below(options, "Labels")


def _takes_no_more(operation: str, top: _Struct) -> bool:
    """Whether labels would change what else is made: an image, or a network that has those of another."""
    if operation == "NetworkCreate":
        _, other = below(top, "ConfigFrom")
        return bool(other.get(key_of(other, "Network")))
    return operation == "ImageCommit"


def _is_volume(mount: Mapping[str, Json]) -> bool:
    options = mount.get(key_of(mount, "VolumeOptions"))
    return mount.get(key_of(mount, "Type")) == "volume" or bool(options)


def below(holder: _Struct, name: str) -> _Struct:
    """Find a struct or map where the Engine does. Raises `BadBody` for anything else."""
    keys, parent = holder
    key = key_of(parent, name)
    found = parent.get(key)
    if found is not None and not isinstance(found, dict):
        raise BadBody(f"{name} is not an object")
    return (*keys, key), found or {}


def key_of(parent: Mapping[str, Json], name: str) -> str:
    """Find a field of a struct as the Engine does, which compares without case.

    Raises `BadBody` where it would merge two, or fold a letter that is not ASCII.
    """
    folded = name.casefold()
    # All in one go first: a struct may have thousands of names, and is nearly always plain.
    alike = "\0\0".join(("", *parent, "")).casefold().count(f"\0{folded}\0")
    if alike == (name in parent):
        return name
    found = [key for key in parent if key.casefold() == folded]
    if len(found) > 1:
        raise BadBody(f"{name} is given twice")
    if found and not found[0].isascii():
        raise BadBody(f"a name is not ASCII: {found[0]!a}")
    return found[0] if found else name


# --- Labels in queries ------------------------------------------------------------


def _names(text: str) -> list[str]:
    """Every name in the labels of a build, as often as it comes: a map as JSON."""
    if not text:
        return []
    pairs = list[tuple[str, object]]()
    try:
        json.loads(text, object_pairs_hook=pairs.extend)
    except (ValueError, RecursionError):
        raise BadTarget("labels in the query is no JSON") from None
    return [name for name, _ in pairs]


_REMARK: Final = re.compile(r"(?m)^[^\S\n]*#.*$")
_UNWRITTEN: Final = re.compile(r"[\s\\`\"']")
_GOES_ON: Final = re.compile(r"[\\`][^\S\n]*\n(?:[^\S\n]*\n)*")
_VARIABLE_NAME: Final = re.compile(r"(?<!\S)[^\s=]*\$")


def may_label(changes: list[str]) -> bool:
    """Whether instructions of a Dockerfile could give a label of ours, in any reading.

    The Engine reads all `changes` as one file, where a word may be cut by quotes, by
    escapes (a backslash, or a backtick if the file says so), by ends of lines behind an
    escape and by remarks between such lines. So all that may vanish is taken out first:
    if no `LABEL` is left, there is none. Else the prefix must not be left either, and no
    variable may stand in a label's name, which can have any value. The name ends at the
    first `=` of a word, quoted or not: a `$` is in one unless a `=` precedes it since
    the last space.
    """
    text = "\n".join(changes)
    for one in (text, _REMARK.sub("", text)):
        plain = _UNWRITTEN.sub("", one)
        if "label" not in plain.lower():
            continue
        if PREFIX in plain:
            return True
        for line in _GOES_ON.sub("", one).split("\n"):
            is_label = "label" in _UNWRITTEN.sub("", line).lower()
            if is_label and _VARIABLE_NAME.search(line):
                return True
    return False
