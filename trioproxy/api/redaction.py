"""What `REDACT` hides of an answer: where secrets stand, and what stands there instead.

An answer is walked as a value, and each name in it is looked up, whatever operation gave
it and however deep it stands: a field that a newer Engine has in one more place is hidden
there, too. Names are compared without case, and each that begins with `Env` holds an
environment, known or not. Of that the names stay, with a marker for the value; what is
hidden as a whole is the marker itself, and what a client reads as bytes is the marker as
bytes. So a body that was made of an answer holds it, and is refused (`holds_marker`):
otherwise a service would be written back without its passwords.

Hidden are values, never that they are there. A word of `REDACT` has a table of its own:

    env        environments, and what is made of them: the steps of a build that set them,
               digests of them, contents of configs; the command lines of execs in events
    commands   what containers, execs and healthchecks run, and what healthchecks said
    labels     values of labels and annotations, and the steps of a build that give them

Nothing of this is loaded where nothing is redacted.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from trioproxy.api.edits import Json
from trioproxy.api.families import Hides

MARKER: Final = "redacted-by-trioproxy"
"""What stands for a value: plain ASCII, that no JSON, YAML or shell writes otherwise."""
MARKER_BYTES: Final = b64encode(MARKER.encode()).decode()
"""The same where the API has bytes, which are Base64."""

_READABLE: Final = """
    PATH HOME HOSTNAME LANG LANGUAGE LC_ALL LC_CTYPE TZ TERM SHELL PUID PGID UMASK
    DEBIAN_FRONTEND
"""
READABLE: Final = frozenset(_READABLE.split())
"""Variables of an environment whose values stay: they are how programs are run, not whose."""

_ENGINES: Final = """
    comment container containerdNamespace destination driver execDuration execID exitCode
    image manifest name name.new name.old oldName propagation read/write replicas.new
    replicas.old runtime signal state.new state.old type updatestate.new updatestate.old
    availability.new availability.old
"""
ENGINES_ATTRIBUTES: Final = frozenset(_ENGINES.split())
"""Attributes of an event that are the Engine's own; all others are labels."""

_KEEPING: Final = """
    annotation.io.kubernetes.container.hash io.kubernetes.container.hash
    annotation.kubectl.kubernetes.io/last-applied-configuration
    kubectl.kubernetes.io/last-applied-configuration com.docker.compose.config-hash
    io.podman.compose.config-hash com.microsoft.developer.usvc-dev.lifecycle-key
    devcontainer.metadata k3d.cluster.token
    net.azure-devices.edge.create-options net.azure-devices.edge.env
    org.testcontainers.container-hash org.testcontainers.hash org.testcontainers.reuse-hash
"""
OF_ENVIRONMENTS: Final = frozenset(_KEEPING.split())
"""Labels by which tools keep an environment, a value of one (k3d), or a digest, that can be
tried out."""

_HOLDING: Final = frozenset({dict, list})
_MOST_KNOWN: Final = 4096
"""Names whose rules are known without folding them: the API has 600."""

# Rules go by names and not by paths, for answers are many and grow: a path that is missing in a table would show a
# secret, while a name that is hidden in one place too many hides a harmless text. Where a name is harmless in some
# objects (`Path`, `Description`), its rule looks at what stands beside it to tell which this is.
Hide = Callable[[Json, Mapping[str, Json]], Json]
"""What stands for a value, beside the object that holds it."""


class Redaction:
    """What `REDACT` hides of answers, by its words."""

    def __init__(self, words: Iterable[Hides]) -> None:
        """`words`: what is hidden; none: nothing."""
        self._known = dict[str, Hide | None]()
        # Labels are a map, but for those of the Engine itself: `env=x` is a label there.
        labels = partial(self._of_labels, frozenset[str]())
        self._rules: dict[str, Hide] = {
            "annotations": labels,
            "attributes": partial(self._of_labels, ENGINES_ATTRIBUTES),
            "labels": labels,
        }
        for word in Hides:
            for name, rule in _RULES[word].items() if word in words else ():
                self._rules[name] = self._walked(rule, self._rules.get(name))
        self._environment = self._walked(lambda item, _: _environment(item))
        self._words = frozenset(words)
        self._hides_environments = Hides.ENV in words
        self._hides_labels = Hides.LABELS in words
        self._hidden_labels = OF_ENVIRONMENTS if Hides.ENV in words else frozenset()

    def __eq__(self, other: object) -> bool:
        """Whether another one hides the same."""
        return isinstance(other, Redaction) and other._words == self._words

    def __hash__(self) -> int:
        return hash(self._words)

    def __call__(self, value: Json) -> Json:
        """Give an answer, or an element of one, without what is hidden.

        It is a copy of what is on the way to that, or the very value if all of it is told.
        """
        # For each element of lists of thousands: a name is folded once and then looked up, and what is told in full is
        # the very object that came, so that nothing is copied, and written anew, that hides nothing.
        known = self._known
        if isinstance(value, dict):
            fields: dict[str, Json] | None = None
            for name, item in value.items():
                try:
                    hide = known[name]
                except KeyError:
                    hide = self._look_up(name)
                if hide is not None:
                    told = hide(item, value)
                elif type(item) in _HOLDING:
                    told = self(item)
                else:
                    continue
                if told is not item:
                    fields = dict(value) if fields is None else fields
                    fields[name] = told
            return value if fields is None else fields
        if isinstance(value, list):
            elements: list[Json] | None = None
            for at, item in enumerate(value):
                if type(item) in _HOLDING and (told := self(item)) is not item:
                    elements = list(value) if elements is None else elements
                    elements[at] = told
            return value if elements is None else elements
        return value

    def _walked(self, rule: Hide, other: Hide | None = None) -> Hide:
        """Walk what rules leave, too: it may hold others."""

        def hide(item: Json, parent: Mapping[str, Json]) -> Json:
            told = rule(other(item, parent) if other else item, parent)
            told = item if told == item else told
            return self(told) if type(told) in _HOLDING else told

        return hide

    def _look_up(self, name: str) -> Hide | None:
        """Find what hides a field by its name; few names come again and again."""
        folded = name.casefold()
        hide = self._rules.get(folded)
        if hide is None and folded.startswith("env") and self._hides_environments:
            hide = self._environment
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = hide
        return hide

    def _of_labels(
        self, kept: frozenset[str], item: Json, _: Mapping[str, Json]
    ) -> Json:
        if isinstance(item, list) and self._hides_labels:
            return [
                _variable(one) if isinstance(one, str) else self(one) for one in item
            ]
        if not isinstance(item, dict):
            return self(item)
        told: dict[str, Json] | None = None
        for name, one in item.items():
            if name in kept:
                continue
            if not isinstance(one, str):
                hide = self._look_up(name)  # which is no label, whatever holds it
                label = hide(one, item) if hide else self(one)
            elif self._hides_labels or name in self._hidden_labels:
                label = MARKER
            else:
                continue
            if label is not one:
                told = dict(item) if told is None else told
                told[name] = label
        return item if told is None else told


def holds_marker(written: bytes) -> bool:
    """Whether a query or body has a marker in it: it was made of what was not told in full.

    As it came, whatever it is: nobody writes those letters otherwise than by leave of the
    proxy, and who wants to write nonsense may do it without them.
    """
    return MARKER.encode() in written or MARKER_BYTES.encode() in written


# --- What stands for a value ------------------------------------------------------


def _hidden(item: Json, _: Mapping[str, Json] | None = None) -> Json:
    """Hide all of a value, in the shape that it has: null, true and what is empty stay."""
    if isinstance(item, list):
        return [MARKER] if item else item
    if isinstance(item, dict):
        return {name: _hidden(one) for name, one in item.items()}
    return item if item is None or isinstance(item, bool) or item == "" else MARKER


def _bytes(item: Json, _: Mapping[str, Json]) -> Json:
    """Hide what is content; where an object has this name it is none."""
    if isinstance(item, list):
        return [MARKER_BYTES]
    return MARKER_BYTES if isinstance(item, str) and item else item


def _variable(text: str) -> str:
    """Keep a name, and a value that is readable; that one is empty is hidden, too."""
    name, is_set, _ = text.partition("=")
    if is_set:
        return text if name in READABLE else f"{name}={MARKER}"
    return text if _NAME.fullmatch(text) else MARKER


_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def _environment(item: Json) -> Json:
    """Hide the values of an environment, in each form that has been seen of one."""
    if isinstance(item, str):
        return _variable(item)
    if isinstance(item, list):
        return [
            _described(one) if isinstance(one, dict) else _environment(one)
            for one in item
        ]
    if isinstance(item, dict):
        kept = {name for name in READABLE & item.keys() if isinstance(item[name], str)}
        return {
            name: one if name in kept else _hidden(one) for name, one in item.items()
        }
    return _hidden(item)


def _described(variable: Mapping[str, Json]) -> Json:
    """Hide the value of a variable that is an object, as those of plugins are."""
    fields = {name.casefold(): one for name, one in variable.items()}
    name = fields.get("name")
    if isinstance(name, str) and name in READABLE:
        return dict(variable)
    return {
        key: one if key.casefold() in _DESCRIBING else _hidden(one)
        for key, one in variable.items()
    }


_DESCRIBING: Final = frozenset({"name", "description", "settable"})


_SETS: Final = re.compile(
    rf"(?i)\b(?:(?:ENV|ARG)\s+[^\s=]+|(?:{'|'.join(map(re.escape, OF_ENVIRONMENTS))})[\"']?)[\s=]|\|\d+\s"
)
"""A step of a build that sets variables, or a label that holds them, up to the name of the
first: how others are parted from its value no quote tells any more. Or one that is run with
arguments: `RUN |2 TOKEN=x USER=y /bin/sh -c make`."""
_LABELS: Final = re.compile(r"(?i)\bLABEL\s+[^\s=]+[\s=]")
_BUILT: Final = re.compile(r"(?s)#\(nop\) |\|\d+\s")
"""In a command: it is such a step, of the classic builder."""


def _step(sets: re.Pattern[str], item: Json, _: Mapping[str, Json]) -> Json:
    """Hide what a step of a build sets; a step is a line, and lines come in lists."""
    if isinstance(item, list):
        return [_step(sets, one, {}) for one in item]
    if not isinstance(item, str) or not (found := sets.search(item)):
        return item
    return f"{item[: found.end()]}{MARKER}"


def _built(sets: re.Pattern[str], item: Json, _: Mapping[str, Json]) -> Json:
    """Hide the same in a command: the classic builder leaves containers that run a step."""
    if isinstance(item, str):
        return _step(sets, item, {}) if _BUILT.search(item) else item
    if not isinstance(item, list):
        return item
    told, is_built = list[Json](), "#(nop) " in item
    for one in item:
        if isinstance(one, str) and sets is _SETS and re.fullmatch(r"\|\d+", one):
            return [*told, one, MARKER]
        told.append(_step(sets, one, {}) if is_built else _built(sets, one, {}))
    return told


def _action(item: Json, _: Mapping[str, Json]) -> Json:
    """Hide the command line of an exec that an event tells of."""
    if not isinstance(item, str) or not item.startswith("exec"):
        return item
    action, colon, line = item.partition(":")
    return f"{action}{colon} {MARKER}" if line else item


def _beside(*others: str) -> Hide:
    """Hide a value beside one of these: elsewhere its name says something else."""

    def hide(item: Json, parent: Mapping[str, Json]) -> Json:
        return item if parent.keys().isdisjoint(others) else _hidden(item)

    return hide


def _arguments(item: Json, parent: Mapping[str, Json]) -> Json:
    """Hide arguments; those of a plugin are described one by one."""
    return _described(item) if isinstance(item, dict) else _hidden(item)


def _processes(item: Json, parent: Mapping[str, Json]) -> Json:
    """Hide the columns of a list of processes of which it is not known what they hold."""
    titles = parent.get("Titles")
    if not isinstance(item, list) or not isinstance(titles, list):
        return _hidden(item)
    kept = {index for index, title in enumerate(titles) if title in _TITLES}
    return [
        [cell if index in kept else MARKER for index, cell in enumerate(row)]
        if isinstance(row, list)
        else _hidden(row)
        for row in item
    ]


def _by_name(rules: Mapping[Hide, str]) -> Mapping[str, Hide]:
    return {name: hide for hide, names in rules.items() for name in names.split()}


# Podman's are `createcommand`, the line by which a container was made, and `secretdata`; `statement` is how an image
# was built, with all arguments; proxies are of the Engine's own environment, Podman's with their passwords.
_RULES: Final[Mapping[Hides, Mapping[str, Hide]]] = {
    Hides.ENV: _by_name(
        {
            _action: "action status",
            partial(_built, _SETS): "args cmd command",
            _bytes: "data",
            partial(_step, _SETS): "created_by createdby onbuild",
            _hidden: "createcommand httpproxy httpsproxy secretdata statement",
        }
    ),
    Hides.COMMANDS: _by_name(
        {
            _action: "action status",
            _arguments: "args",
            # What a record of the build cache was made by; other descriptions are texts.
            _beside("LastUsedAt"): "description",
            # Why a container or task did not start: `exec: "...": executable file not found`.
            _beside("FinishedAt", "Timestamp"): "err error",
            _processes: "processes",
            # The program of a container; no other path.
            _beside("Args"): "path",
            _hidden: "arguments cmd command created_by createcommand createdby entrypoint onbuild"
            " output test",
        }
    ),
    Hides.LABELS: _by_name(
        {
            partial(_built, _LABELS): "args cmd command",
            partial(_step, _LABELS): "created_by createdby onbuild",
            _hidden: "statement",
        }
    ),
}
"""What is hidden by its name, for each word. Names in lower case."""


# --- Lists of processes -----------------------------------------------------------


_TITLED: Final = """
        pid:PID ppid:PPID pgid:PGID sid:SID user:USER euser:EUSER ruser:RUSER
        uid:UID euid:EUID gid:GID group:GROUP egroup:EGROUP rgroup:RGROUP pcpu:%CPU %cpu:%CPU
        c:C pmem:%MEM %mem:%MEM rss:RSS vsz:VSZ sz:SZ stime:STIME start:START lstart:STARTED
        etime:ELAPSED etimes:ELAPSED time:TIME tty:TT tt:TT tname:TTY stat:STAT state:S s:S
        ni:NI pri:PRI psr:PSR nlwp:NLWP lwp:LWP tid:TID wchan:WCHAN f:F
"""
_COLUMNS: Final[Mapping[str, str]] = dict(one.split(":") for one in _TITLED.split())
"""What `ps` prints that is no command line, by the name of the column, with its title."""
_TITLES: Final = frozenset({*_COLUMNS.values(), "ADDR"})
_COLUMN: Final = "|".join(map(re.escape, (*_COLUMNS, "comm", "args", "cmd", "command")))
_LIST: Final = rf"(?:[er]?user,|e?uid,|ppid,)?pid(?:,(?:{_COLUMN}))*"
_HARMLESS: Final = re.compile(
    r"-[eA](?:f|F|l|ly|lf|j|H|L|Lf)?w{0,2}"
    r"|-?[axujlrTwSn]+"
    rf"|(?:-[eA]?o|[axujlrTwSn]+o) ?{_LIST}"
)


def may_tell_more(ps_args: str) -> bool:
    """Whether arguments of `ps` may have it print environments, or what runs elsewhere.

    The letter that prints environments is the `e` of options without a dash. But `ps` takes
    options with a dash for such without one as soon as it cannot make sense of all of them,
    and what it makes sense of is another matter on each host.

    Docker runs it on the host, for all that runs there, and shows the lines that have the
    number of a process of the container under the title PID, counted by words. So a column
    of several words in front of it (`lstart`, a name with a space) moves another one there,
    as the year, and whoever has a process with that number is shown every process of the
    host; `-eorss=PID`, which the Engine misses, says so outright.

    So what passes is a list: one group of options for which neither can be, or columns that
    begin with the number.
    """
    return _HARMLESS.fullmatch(" ".join(ps_args.split())) is None
