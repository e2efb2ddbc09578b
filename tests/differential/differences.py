"""Where a file means something else here than in the incumbents, and why.

The one table of differences: `docs/differences.md` shows it, and the differential test
against a real HAProxy accepts no difference that has no row here, and no row that never shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trioproxy.api.routes import ENDPOINTS
from trioproxy.file.incumbents import LINUXSERVER, TECNATIVA, Incumbent, examples_of
from trioproxy.file.variables import METHOD_SWITCHES, speaks_of_podman
from trioproxy.judge.rules import Decision, Mode, Policy, Reason

BOTH = (TECNATIVA.name, LINUXSERVER.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row: what happens there, what happens here, and the reason."""

    name: str
    against: tuple[str, ...]
    """The incumbents that do otherwise."""
    is_wider: bool
    """Whether more passes here than there."""
    there: str
    here: str
    reason: str
    test: str
    """The test that shows it."""


_DIFFERENTIAL = "tests/differential/test_differential.py::test_each_row_occurs"
_RULES = "tests/judge/test_rules.py"
_PERMISSIONS = "tests/file/test_permissions.py"

EXACT_LIST = Difference(
    name="exact list",
    against=BOTH,
    is_wider=False,
    there="`ALLOW_OPERATIONS` is not known; the section variables count",
    here="`ALLOW_OPERATIONS` alone grants",
    reason="a section opens more than any client uses",
    test=f"{_RULES}::test_an_empty_list_grants_nothing",
)
VALUES = Difference(
    name="values",
    against=BOTH,
    is_wider=False,
    there="`2` and `01` grant, `true`, `yes` and `on` refuse",
    here="`1` grants, `0 false no off` and nothing refuse; anything else refuses to start",
    reason="HAProxy reads numbers",
    test=f"{_PERMISSIONS}::test_stops",
)
TARGETS = Difference(
    name="unclear targets",
    against=BOTH,
    is_wider=False,
    there="pass if their beginning matches",
    here="400: versions other than `/v1.N` from 1.24, `//`, `.` and `..` segments, a slash at the end or as `%2F` where no route has one, control bytes, images of Podman's host, absolute form unless it is `http://` and the `Host`",
    reason="the Engine may read them as another route",
    test=_DIFFERENTIAL,
)
METHODS = Difference(
    name="method tokens",
    against=BOTH,
    is_wider=False,
    there="`TRACE` passes with `POST=1`",
    here="400: `TRACE`, `CONNECT` and `PRI`",
    reason="no route has them, and some proxies act on them",
    test=_DIFFERENTIAL,
)
FORMS = Difference(
    name="form bodies",
    against=BOTH,
    is_wider=False,
    there="pass",
    here="a body of a form type is refused, `application/grpc*` too but for `/grpc`",
    reason="the Engine lets a form override the query; gRPC reaches BuildKit by any path",
    test=_DIFFERENTIAL,
)
BROWSERS = Difference(
    name="cross-site requests",
    against=BOTH,
    is_wider=False,
    there="pass",
    here="refused: an `Origin` that is not the `Host`, `Sec-Fetch-Site: cross-site`",
    reason="no web page reaches the Engine through a browser",
    test=_DIFFERENTIAL,
)
PREFIXES = Difference(
    name="beginnings",
    against=BOTH,
    is_wider=False,
    there="a section is any path that begins like it, in any case: `/versionX`, `/INFO`",
    here="a section is a whole first segment, as the Engine writes it",
    reason="the Engine serves no such route now; a later one may",
    test=_DIFFERENTIAL,
)
PODMAN = Difference(
    name="Podman's own routes",
    against=(LINUXSERVER.name,),
    is_wider=False,
    there="`LIBPOD_PING` and `LIBPOD_VERSION` are 1 when unset; a section is any path that begins like it; verbs also name `/pods`; versions and methods do not matter",
    here="closed unless a `LIBPOD_*` is 1; then these two are 1 when unset. All other rows hold too, `LIBPOD_EXEC=1` is needed for exec, and `ALLOW_LOGS TOP CHANGES ARCHIVE EXPORT` refuse when unset, as there",
    reason="a file that says nothing of Podman opens nothing of it",
    test=_DIFFERENTIAL,
)
PODMAN_AT_1 = Difference(
    name="Podman's own routes at 1",
    against=(TECNATIVA.name,),
    is_wider=True,
    there="`LIBPOD_*` are not known, `/libpod` is closed",
    here="a `LIBPOD_*` at 1 opens its routes, and `LIBPOD_PING` and `LIBPOD_VERSION`",
    reason="they are linuxserver's, and no file for tecnativa has them",
    test=_DIFFERENTIAL,
)
WRITE_LIKE_READS = Difference(
    name="write-like reads",
    against=BOTH,
    is_wider=False,
    there="need the section",
    here="need `POST=1` too: `attach/ws`, archive, export, `/images/get`, `/images/{name}/get`, `/swarm/unlockkey`",
    reason="a GET that writes, or carries files or a key out, is no reading",
    test=_DIFFERENTIAL,
)
EXEC = Difference(
    name="exec",
    against=BOTH,
    is_wider=False,
    there="`POST /containers/{id}/exec` needs `CONTAINERS=1` and `POST=1`",
    here="needs `EXEC=1` too",
    reason="without it the session could be prepared and never started",
    test=_DIFFERENTIAL,
)
METHODS_AT_0 = Difference(
    name="methods at 0",
    against=BOTH,
    is_wider=False,
    there="`DELETE` and `PUT` are no variables: `POST=1` opens these methods too",
    here="at 0 they refuse the method, but for what a verb at 1 opens; at 1 they change nothing",
    reason="people believe in them",
    test=_DIFFERENTIAL,
)
VERBS_AT_0 = Difference(
    name="verbs at 0",
    against=BOTH,
    is_wider=False,
    there="a verb at 0 does nothing where the section is open (in linuxserver a read verb refuses)",
    here="a verb at 0 refuses its routes, of two verbs the narrower one's; a read verb by any method, and each path with its word behind the container's name, however many segments that has",
    reason="who writes `ALLOW_STOP=0` wants no stop",
    test=_DIFFERENTIAL,
)
VERB_BEGINNINGS = Difference(
    name="beginnings of verbs",
    against=BOTH,
    is_wider=False,
    there="a verb at 1 opens every path that begins like its route, by any method: `GET /containers/x/startled`",
    here="a verb at 1 opens its routes, whole and by their method",
    reason="a later Engine may serve it",
    test=_DIFFERENTIAL,
)
CHECKPOINTS = Difference(
    name="checkpoints",
    against=BOTH,
    is_wider=False,
    there="a start from one passes",
    here="passes where `CheckpointCreate` does",
    reason="it is root, with CRIU",
    test=_DIFFERENTIAL,
)
VERBS_GRANT = Difference(
    name="verbs at 1",
    against=BOTH,
    is_wider=True,
    there="`ALLOW_ATTACH CREATE DELETE EXEC KILL PULL RENAME UPDATE WAIT` are not known, in tecnativa read verbs neither, and others need `POST=1`; in linuxserver a read verb opens nothing by itself; ids have no slashes",
    here="a verb at 1 opens its routes, whatever `POST` and the section say, but for those of a narrower verb at 0",
    reason="it is what its name says",
    test=_DIFFERENTIAL,
)
UNSET_READ_VERBS = Difference(
    name="unset read verbs",
    against=(LINUXSERVER.name,),
    is_wider=True,
    there="`ALLOW_LOGS TOP CHANGES ARCHIVE EXPORT` are 0 when unset and refuse",
    here="unset, they say nothing and the section decides; `COMPAT=linuxserver` reads them as 0, and 1 as not refused",
    reason="tecnativa's files shall keep working",
    test=_DIFFERENTIAL,
)

DIFFERENCES = (
    EXACT_LIST,
    VALUES,
    TARGETS,
    METHODS,
    FORMS,
    BROWSERS,
    PREFIXES,
    PODMAN,
    PODMAN_AT_1,
    WRITE_LIKE_READS,
    EXEC,
    METHODS_AT_0,
    VERBS_AT_0,
    VERB_BEGINNINGS,
    CHECKPOINTS,
    VERBS_GRANT,
    UNSET_READ_VERBS,
)
"""All of them, from the outside in: file, target, rules."""


def classify(path: str, decision: Decision) -> Difference:
    """Name the row of a request on which an incumbent decides otherwise."""
    if decision.allowed:
        return _classify_allowed(path, decision)
    if path.startswith(("/libpod/", "/pods/")):
        return PODMAN
    if decision.reason is Reason.METHOD and decision.rule in METHOD_SWITCHES:
        return METHODS_AT_0
    return {
        Reason.NO_SECTION: PREFIXES,
        Reason.WRITE_LIKE_READ: WRITE_LIKE_READS,
        Reason.EXEC: EXEC,
        Reason.VERB: VERBS_AT_0,
        Reason.UNLIMITABLE: CHECKPOINTS,
    }.get(decision.reason, VERB_BEGINNINGS)


def _classify_allowed(path: str, decision: Decision) -> Difference:
    if decision.reason is Reason.VERB:
        return VERBS_GRANT
    if path.startswith("/libpod/"):
        return PODMAN_AT_1
    return UNSET_READ_VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """A row that matters to a file, and the operations for which it does."""

    difference: Difference
    incumbent: Incumbent
    operations: tuple[str, ...]


def matters(policy: Policy, variables: Mapping[str, str]) -> Iterator[Matter]:
    """Say where the incumbents decide otherwise on an operation, by the same variables.

    Of an exact list nothing is news: there it is not known.
    """
    podman = speaks_of_podman(variables)
    asked = [
        (endpoint, use)
        for endpoint in ENDPOINTS
        if podman or not endpoint.is_podmans
        for use in examples_of(endpoint)
    ]
    for incumbent in (TECNATIVA, LINUXSERVER) if policy.mode is Mode.SECTIONS else ():
        found = dict[str, set[str]]()
        for endpoint, (method, path) in asked:
            decision = policy.decide_route(method, endpoint, path)
            if decision.allowed != incumbent.allows(variables, method, path):
                row = classify(path, decision)
                found.setdefault(row.name, set()).add(endpoint.operation)
        for row in DIFFERENCES:
            if row.name in found:
                yield Matter(
                    difference=row,
                    incumbent=incumbent,
                    operations=tuple(sorted(found[row.name])),
                )


def as_markdown() -> str:
    """The table as `docs/differences.md` shows it, which names the test of most rows above it."""
    lines = ["|difference|there|here|reason|", "|---|---|---|---|"]
    for row in DIFFERENCES:
        name = f"**{row.name}** (wider here)" if row.is_wider else row.name
        of = "" if row.against == BOTH else f", {' and '.join(row.against)}"
        test = "" if row.test == _DIFFERENTIAL else f" (`{row.test}`)"
        cells = (f"{name}{of}", row.there, row.here, f"{row.reason}{test}")
        lines.append(f"|{'|'.join(cells)}|")
    return "".join(f"{line}\n" for line in lines)
