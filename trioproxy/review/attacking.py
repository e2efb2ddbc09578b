"""What of the known attacks a policy shuts: each is judged as a served request is.

An attack is built from what the file lists, for an attack with an image that is not listed is
shut by nothing but that: images, names, networks, tags and folders are those of the lists,
and what is made has the labels that they ask for. Each of its requests is written as bytes,
parsed, and judged by `judging`, the one generator that judges what is served. What that asks
of the Engine is answered by `Arranged`, as the attacker would have arranged it: it knows what
the attack made so far, by what went on, and what is somebody else's.

An attack is open if all of its requests pass, in a form that has its effect. What passes may
go on changed: a volume is not filled, a container makes no nodes. Which of these changes
takes an effect away stands with the attack, and is looked for in what goes on. What only
waits for an effect is not judged, for whoever attacks has a clock.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Final, assert_never

from trioproxy.api import normal, query
from trioproxy.api.arguments import map_of, structs_of, text_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import (
    OBJECTS,
    OPERATIONS_VARIABLE,
    OWNER_VARIABLE,
    PROXY,
    Kind,
)
from trioproxy.api.form import PROJECT_LABEL
from trioproxy.api.matched import Request
from trioproxy.api.nodes import has_by_default
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.errors import BadRequest, ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.http import jsonbody
from trioproxy.http.framing import NO_BODY
from trioproxy.http.hosts import Reach, Site
from trioproxy.http.request import parse_request
from trioproxy.judge import fills, gate
from trioproxy.judge.power import LEVELS
from trioproxy.judge.pruning import Listed
from trioproxy.judge.rules import Policy
from trioproxy.limits import root, sorts
from trioproxy.limits.languages import Some, Word
from trioproxy.limits.limit import ANY, BINDS
from trioproxy.limits.marks import OWNER_LABEL
from trioproxy.limits.objects import NUMBER_LABEL, OF_LABEL, OF_PROJECT, OWN
from trioproxy.limits.patterns import READ_ONLY, Words
from trioproxy.limits.sorts import OWN_IMAGES
from trioproxy.limits.things import ANONYMOUS, Known, Missing, Thing
from trioproxy.limits.varying import HOLE
from trioproxy.review.arranged import BUILT_IMAGE, Arranged, id_of
from trioproxy.review.attacks import WORD, Attack, Sending, attacks, body_of, words
from trioproxy.values import value_class

SITE: Final = Site(reach=Reach.NETWORK)
"""Where a web page may reach the proxy as well."""
_NAMED: Final = re.compile(r"\{(name|store)\}((?:-?[a-z0-9]+|-?\{n\}|-?\{all\})*)")
_COUNTED: Final = re.compile(r"\{(?:n|all|i)\}")
_MADE: Final[Mapping[str, Kind]] = {
    "/containers/create": Kind.CONTAINER,
    "/networks/create": Kind.NETWORK,
    "/volumes/create": Kind.VOLUME,
}
IMAGE: Final = "busybox:latest"
"""Where the file lists none, for any will do."""
PAD: Final = "x" * 2_000_000
JSON: Final = "application/json"
BLOCK: Final = 512
"""Bytes that an archive has at least."""
_KINDS: Final[Mapping[str, Kind]] = {"name": Kind.CONTAINER, "store": Kind.VOLUME}


MOST_STRUCK: Final = 64
"""Items of a list that are struck out one by one: each has the whole file read anew."""


class Fate(StrEnum):
    """What becomes of an attack."""

    OPEN = "open"
    SHUT = "shut"
    CLOSED = "not granted"
    """It takes an operation that the file does not open."""
    MOOT = "does not apply"
    """It goes around a list that the file does not have."""


@value_class
class Tried:
    """An attack, and what became of it."""

    attack: Attack
    standing: Fate
    why: str
    """Of what is not open: what was said or done."""
    remedy: str
    """Of what is open: what would shut it."""


@value_class
class Trials:
    """What became of all attacks."""

    tried: tuple[Tried, ...]
    """The worst first."""

    def having(self, standing: Fate) -> list[Tried]:
        """Those of which one thing became."""
        return [one for one in self.tried if one.standing is standing]

    @property
    def opened(self) -> list[Tried]:
        """Those that are open."""
        return self.having(Fate.OPEN)

    @property
    def gives_root(self) -> bool:
        """Whether one of these gives root."""
        return any(one.attack.gives is Risk.HOST_ROOT for one in self.opened)

    @property
    def groups(self) -> list[list[Tried]]:
        """What is open: together what one change would shut; the worst and most first."""
        alike = defaultdict[tuple[Risk, str], list[Tried]](list)
        for one in self.opened:
            alike[one.attack.gives, one.remedy].append(one)
        return sorted(
            alike.values(),
            key=lambda all_: (LEVELS.index(all_[0].attack.gives), -len(all_)),
        )

    def __str__(self) -> str:
        """Say it in one line."""
        closed, moot = map(self.having, (Fate.CLOSED, Fate.MOOT))
        number = len(self.tried) - len(moot)
        want = f", {len(closed)} as what they call is not granted" if closed else ""
        lists = " and ".join(sorted({one.attack.beside for one in moot}))
        more = f"; {len(moot)} others get around {lists}, not set here" if moot else ""
        shut = number - len(self.opened)
        return f"{shut} of {number} known attacks are shut{want}{more}"


def try_all(variables: Mapping[str, str], policy: Policy) -> Trials:
    """Try all attacks on a file; `policy` is that of the variables."""
    named, tried = words_of(policy), list[Tried]()
    for one in attacks():
        standing, why = try_one(policy, one, named)
        remedy = _remedy(variables, one) if standing is Fate.OPEN else ""
        tried.append(Tried(attack=one, standing=standing, why=why, remedy=remedy))
    return Trials(tried=tuple(tried))


def try_one(
    policy: Policy, attack: Attack, named: Mapping[str, str] | None = None
) -> tuple[Fate, str]:
    """Say what becomes of an attack by a policy, and why; `named`: its words, if they are
    there: of long lists these take longer than an attack."""
    if attack.beside and not policy.objects.limits(OBJECTS[attack.beside]):
        return Fate.MOOT, f"{attack.beside} lists nothing"
    attempt = Attempt(policy, named or words_of(policy))
    for one in (*attack.setup, *attack.requests):
        if _only_waits(one):
            continue
        try:
            request, found = attempt.send(one)
        except BadRequest as error:
            return Fate.SHUT, f"{error.status}: {error}"
        if isinstance(found, gate.Refused):
            is_open = request.operation in policy.opened_operations
            standing = Fate.SHUT if is_open else Fate.CLOSED
            return standing, found.decision.message
    if undone := attempt.undone & attack.undone:
        return Fate.SHUT, words("undone")[min(undone)]
    return Fate.OPEN, ""


def _only_waits(one: Sending) -> bool:
    target = one.get("send", "")
    return not target or (
        target.startswith("GET ") and ("until" in one or target.endswith("follow=1"))
    )


# --- What would shut it -----------------------------------------------------------


def _remedy(variables: Mapping[str, str], attack: Attack) -> str:
    """The smallest change of a file after which an attack is not open; each is tried."""
    for told, changed in _changes(variables, attack):
        policy, named = _target(frozenset(changed.items()))
        if policy and try_one(policy, attack, named)[0] is not Fate.OPEN:
            return told
    return ""


@lru_cache(maxsize=256)
def _target(
    variables: frozenset[tuple[str, str]],
) -> tuple[Policy | None, Mapping[str, str]]:
    """A changed file, and its words; None: it is none."""
    try:
        policy = parse_policy(dict(variables), is_file=True)[0]
    except ConfigError:
        return None, {}
    return policy, words_of(policy)


def _changes(
    variables: Mapping[str, str], attack: Attack
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Changes of a file, each in words and as variables; first what takes least away."""
    together = dict[str, str]()
    for line in attack.shut:
        name, _, value = line.partition("=")
        if variables.get(name, ANY) != ANY:
            for item in variables[name].split(",")[:MOST_STRUCK]:
                yield _struck(variables, name, item)
            continue
        more = {name: value.replace("{image}", variables.get("CREATE_IMAGES", IMAGE))}
        if name in OBJECTS and OWNER_VARIABLE not in variables:
            more[OWNER_VARIABLE] = "client"
        together |= more
        yield _limited(variables, more)
    yield _limited(variables, together)
    # What is as bad as the attack, or of two that are what fewer attacks need, is likely what
    # it is about.
    needed = Counter(name for one in attacks() for name in one.needs)
    rows = sorted(
        (OPERATIONS[name][0] for name in sorted(attack.needs)),
        key=lambda one: (
            one.risk is not attack.gives,
            LEVELS.index(one.risk),
            needed[one.operation],
        ),
    )
    for row in rows:
        section = (row.section or "").upper()
        if OPERATIONS_VARIABLE in variables:
            yield _struck(variables, OPERATIONS_VARIABLE, row.operation)
        elif section in variables:
            yield f"{section}=0", {**variables, section: "0"}


def _struck(
    variables: Mapping[str, str], name: str, item: str
) -> tuple[str, Mapping[str, str]]:
    """A list without one of its items."""
    kept = ",".join(one for one in variables[name].split(",") if one != item)
    return f"{name} without {item}", {**variables, name: kept}


def _limited(
    variables: Mapping[str, str], more: Mapping[str, str]
) -> tuple[str, Mapping[str, str]]:
    """A file with more lists."""
    return " ".join(map("=".join, more.items())), {**variables, **more}


# --- What the file lists, as words ------------------------------------------------


def words_of(policy: Policy) -> dict[str, str]:
    """Words for an attack: what it names is listed, where anything is."""
    image = next(_values(policy, "CREATE_IMAGES"), IMAGE)
    binds = sorted(_binds(policy), key=lambda one: one.endswith(READ_ONLY))
    is_tag = policy.limits.lists("CREATE_TAGS", image)
    tag = image if is_tag else next(_values(policy, "CREATE_TAGS"), "attack:latest")
    devices = [
        one
        for one in _values(policy, "CREATE_DEVICES")
        if one.startswith("/") and sorts.why_root("CREATE_DEVICES", one)
    ]
    return {
        **words(),
        **_rooted(binds),
        "device": next(iter(devices), "{disk}"),
        **dict.fromkeys(("image", "filled", "voluminous"), image),
        "tag": tag,
        "shared": next(iter(binds), "/srv/shared").removesuffix(READ_ONLY),
        "command": next(_values(policy, "EXEC_COMMANDS"), "sh"),
        "open_network": _network(policy),
        **words("offline"),
        "stranger": id_of("stranger")[:12],
        "victim_id": id_of("strangers-db"),
        "pad": PAD,
        "brace": "{",  # of a label, which may look like a word
    }


def _rooted(binds: Sequence[str]) -> dict[str, str]:
    """Words for places that are root, of what the file lists: by another name, or in them.

    What lies in none of those that have a word is bound in the place of `/`.
    """
    binds_of = {key: one for key, one in words().items() if key.startswith("in_")}
    places = {key: one.removesuffix(":/h") for key, one in binds_of.items()}
    found = dict[str, str]()
    for one in binds:
        path = one.removesuffix(READ_ONLY)
        mode = one.removeprefix(path)
        if root.SOCKET.fullmatch(path):
            found.setdefault("engine_socket", f"{path}:/s{mode}")
        elif root.of_bind(normal.quote(path) + mode):
            inside = [key for key in places if f"{path}/".startswith(f"{places[key]}/")]
            found.setdefault(inside[0] if inside else "in_all", f"{path}:/h{mode}")
    # A place that is listed itself is bound, whatever else is.
    return found | {key: binds_of[key] for key in places if places[key] in binds}


def _values(policy: Policy, variable: str) -> Iterator[str]:
    """A value for each item that a variable lists."""
    for pattern in policy.limits.patterns_of(variable):
        if pattern.text in OWN_IMAGES:
            yield BUILT_IMAGE
        elif isinstance(pattern.means, Words) and pattern.text != PROXY:
            yield from (normal.unquote(_value(one)) for one in pattern.means.language)


def _binds(policy: Policy) -> Iterator[str]:
    """A value for each bind that is listed; of those that vary and may be root one that is."""
    yield from _values(policy, BINDS)
    limits = policy.limits
    for pattern in limits.patterns_of(BINDS):
        item, means = limits.meaning_of(pattern.text), pattern.means
        may_be_root = HOLE.search(item) and root.of_bind(item)
        if may_be_root and isinstance(means, Words):
            tried = (one for word in means.language for one in _varied(word))
            found = (o for o in tried if limits.lists(BINDS, o) and root.of_bind(o))
            yield from map(normal.unquote, islice(found, 1))


def _varied(word: Word) -> Iterator[str]:
    """What may be values of an item, each with a name that is root's where something varies."""
    for at, part in enumerate(word):
        if isinstance(part, Some):
            folder = _value(word[:at]).rpartition("/")[0]
            for name in root.names():
                yield f"{folder}/{name}"
                yield f"{folder}/{name}{_value(word[at + 1 :])}"


def _value(word: Word) -> str:
    return "".join(
        one if isinstance(one, str) else _char(one) * (one.number or 1) for one in word
    )


def _char(some: Some) -> str:
    return next(char for char in "a01x-_Z/.~ " if some.has(char))


def _network(policy: Policy) -> str:
    only = policy.objects.by_kind.get(Kind.NETWORK)
    items = only.items if only and not only.is_any else ("bridge",)
    plain = [one for one in items if not one.startswith("@") and one != "none"]
    return next((one.replace("*", "attack") for one in plain), "attack-lan")


# --- A try ------------------------------------------------------------------------


class Attempt:
    """An attack on a policy, request by request."""

    def __init__(self, policy: Policy, named: Mapping[str, str]) -> None:
        self.undone = set[str]()
        """Which changes of ours what went on has, as in `Attack.undone`."""
        self._gate = gate.Gate.enforcing(policy)
        self._opened = policy.opened_operations
        self._hides = bool(policy.hides)
        self._words = {**named}
        self._names = dict[tuple[Kind, str], str]()
        self._engine = Arranged(self._gate)
        self._has_reserved = False
        host: Json = {"Binds": ["/strangers:/data"]}
        for name in ("strangers-db", "stranger"):
            self._engine.make(Kind.CONTAINER, name, {"HostConfig": host})
        is_made = "NetworkCreate" in self._opened
        own: Json = {OWNER_LABEL: policy.objects.owner} if is_made else {}
        self._engine.make(Kind.NETWORK, self._words["open_network"], {"Labels": own})
        self._engine.make(Kind.NETWORK, "strangers-lan", {})
        self._engine.make(Kind.VOLUME, "strangers-data", {})

    def send(self, sending: Sending) -> tuple[Request, gate.Passes | gate.Refused]:
        """Judge a request; what it makes is there then. Raises `BadRequest`."""
        sending = self.of_lists(sending)
        method, _, target = self._filled(sending["send"]).partition(" ")
        body, kind = body_of(sending, self._filled, range(1))
        head = parse_request(_head(sending, method, target, len(body), kind), SITE)
        request = Request.parse(method, head.target)
        has_body = head.fields.framing is not NO_BODY
        found = self._judge(request, body, has_body=has_body)
        if isinstance(found, gate.Passes):
            read = jsonbody.parse(body) if body and kind == JSON else {}
            if "length" in sending and not has_body:
                self.undone.add("bodiless")
            self._pass(request, found, read if isinstance(read, dict) else {})
            self._tell(sending)
        return request, found

    def of_lists(self, sending: Sending) -> Sending:
        """The same with the names and labels of what the file lists, and by what it opens."""
        if "send" not in sending:
            return sending
        made = {**sending, "send": self._started(self.named(sending["send"]))}
        for key in ("body", "raw"):
            if key in sending:
                text = words().get(sending[key].strip("{}"), sending[key])
                made[key] = self._labelled(made["send"], self.named(text), key)
        return made

    def named(self, text: str) -> str:
        """Put names that the file lists into a text."""
        return _NAMED.sub(self._name, text)

    def _started(self, line: str) -> str:
        """A start; to a client that may only restart, it is one by another name."""
        is_start = line.startswith("POST /containers/") and line.endswith("/start")
        has = self._opened & {"ContainerRestart", "ContainerStart"}
        if is_start and has == {"ContainerRestart"}:
            return line.removesuffix("/start") + "/restart"
        return line

    def _filled(self, text: str) -> str:
        """Put in words but those of the shared data. What the file lists goes in as it is: its
        name may look like a word of ours, and hold itself."""
        return WORD.sub(self._word, _COUNTED.sub("0", text))

    def _word(self, found: re.Match[str]) -> str:
        word = self._words.get(found[1], found[0])
        return self._filled(word) if word == words().get(found[1]) else word

    def _name(self, found: re.Match[str]) -> str:
        """A name for what is made: one that the file lists, another for each."""
        kind, suffix = _KINDS[found[1]], _COUNTED.sub("0", found[2])
        if (kind, suffix) not in self._names:
            self._names[kind, suffix] = self._new_name(kind, f"attack{suffix}")
        return self._names[kind, suffix]

    def _new_name(self, kind: Kind, wanted: str) -> str:
        only = self._gate.objects.by_kind.get(kind)
        if only is None or only.is_any:
            return wanted
        plain = [one for one in only.items if not one.startswith("@")]
        if len(plain) < len(only.items) or not plain:
            return wanted  # known by a label
        used = [*self._names.values()]
        names = [one.replace("*", wanted, 1).replace("*", "a") for one in plain]
        return next((one for one in names if one not in used), names[0])

    def _labelled(self, line: str, body: str, key: str) -> str:
        """Give what is made the labels by which the file lists it, where it does so."""
        kind = _MADE.get(line.removeprefix("POST ").partition("?")[0])
        only = self._gate.objects.by_kind.get(kind) if kind else None
        if only is None or OWN in only.items or key == "raw":
            return body
        labels = dict[str, str]()
        for item in only.items:
            if item.startswith(OF_PROJECT):
                project = normal.unquote(item.removeprefix(OF_PROJECT))
                labels |= {PROJECT_LABEL: project, NUMBER_LABEL: "1"}
            elif item.startswith(OF_LABEL):
                key, _, value = item.removeprefix(OF_LABEL).partition("=")
                labels[normal.unquote(key)] = normal.unquote(value)
        read = dict(map_of(jsonbody.parse(body.encode())))
        listed = {name: one.replace("{", "{brace}") for name, one in labels.items()}
        read["Labels"] = {**listed, **map_of(read.get("Labels"))}
        return jsonbody.render(read).decode()

    def _judge(
        self, request: Request, body: bytes, *, has_body: bool
    ) -> gate.Passes | gate.Refused:
        one = gate.judging(self._gate, request, has_body=has_body)
        answer: gate.Answer = None
        known: Known = {}
        while True:
            found, answer = gate.go_on(one, answer), None
            match found:
                case gate.NeedBody():
                    answer = gate.ParsedBody(jsonbody.parse(body)) if body else None
                case gate.NeedThings():
                    answer = known = self._engine.known(found.references)
                case gate.NeedMade():
                    answer = {key: _made(thing) for key, thing in known.items()}
                case gate.NeedReserved():
                    # The second of two creations waits until the first one is answered.
                    self.undone |= {"reserved"} if self._has_reserved else set()
                    self._has_reserved = True
                case gate.NeedListed():
                    answer = Listed(found.prune)  # a stranger's is in none of them
                case gate.NeedRaw():
                    answer = body
                case None:
                    pass
                case gate.Passes() | gate.Refused():
                    return found
                case _:
                    assert_never(found)

    def _pass(
        self, request: Request, passed: gate.Passes, body: Mapping[str, Json]
    ) -> None:
        """Have what a request makes, and note what of it does not go on as it came."""
        edited = passed.sent.body if passed.sent else None
        sent = body if edited is None else edited
        if self._gate.form.unpacks(request.operation):
            self.undone.add("unpacked")
        shown = OPERATIONS[request.operation] if self._hides else ()
        if any(row.is_redacted for row in shown):
            self.undone.add("redacted")
        if request.operation == "ContainerExec":
            self._engine.container_of_exec = request.parameter
        if (kind := _MADE.get(request.target.path)) is None:
            return
        name = text_of(sent.get("Name"))
        if kind is Kind.CONTAINER:
            name = dict(query.parse(request.target.query)).get("name", "")
            self.undone |= set(_undone(body, sent))
        self._engine.make(kind, name, sent)

    def _tell(self, sending: Sending) -> None:
        """Know what the answer tells."""
        if key := sending.get("keep"):
            self._words[key] = id_of(key)
        found = sending.get("finds")
        if found == "volume":  # that the last container has, and nobody named
            self._words["volume"] = name = id_of("volume")
            self._engine.make(Kind.VOLUME, name, {"Labels": {ANONYMOUS: ""}})
            self._engine.mount(name)
        elif found == "container":  # one of a build: the Engine's own
            self._words["container"] = id_of("of-a-build")
            self._engine.make(Kind.CONTAINER, "of-a-build", {})


def _head(sending: Sending, method: str, target: str, length: int, kind: str) -> bytes:
    """The head of a request, as a client writes it."""
    is_content = "tar" in sending or "image" in sending
    lines = [*sending.get("fields", ())]
    if not any(line.startswith("Host: ") for line in lines):
        lines.append("Host: docker")
    if kind or is_content:
        lines.append(f"Content-Type: {kind or 'application/x-tar'}")
        told = sending.get("length", length or BLOCK)
        lines.append(f"Content-Length: {told}")
    return "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode()


def _made(thing: Thing | Missing) -> Thing | Missing:
    """A volume once it is made: nobody else has it."""
    if isinstance(thing, Thing) and thing.makes is not None:
        return thing._replace(makes=None, is_unused=True)
    return thing


def _undone(body: Mapping[str, Json], sent: Mapping[str, Json]) -> Iterator[str]:
    """What of a creation does not go on as it came."""
    before, host = (map_of(one.get("HostConfig")) for one in (body, sent))
    if _fillable(sent) < _fillable(body):
        yield "nocopy"
    elif before.get("Binds") != host.get("Binds"):
        yield "socket"
    if _paths(before) != _paths(host):
        yield "cleaned"
    if has_by_default(before) and not has_by_default(host):
        yield "nodes"


def _fillable(body: Mapping[str, Json]) -> int:
    """In how many places a creation may have the Engine fill a volume."""
    return sum(bool(one.edits) for one in fills.mounted(dict(body)))


def _paths(host: Mapping[str, Json]) -> list[Json]:
    """The paths of a `HostConfig` that the Engine does not clean."""
    mounts = structs_of(host.get("Mounts"))
    options = (map_of(one.get("VolumeOptions")) for one in mounts)
    configs = (map_of(one.get("DriverConfig")) for one in options)
    devices = [map_of(one.get("Options")).get("device") for one in configs]
    return devices + [one.get("PathOnHost") for one in structs_of(host.get("Devices"))]
