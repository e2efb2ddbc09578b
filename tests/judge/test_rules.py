import re

import hypothesis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge.judging import judge, of_endpoint, of_table, passes, request
from trioproxy.api.matched import Request, Route
from trioproxy.api.routes import (
    ENDPOINTS,
    LIBPOD_SECTIONS,
    OPERATIONS,
    OPTIONS,
    SECTIONS,
    Effect,
    Endpoint,
)
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    READ_VERBS,
    SWITCHES,
    VERBS,
)
from trioproxy.judge.rules import Mode, Reason, asks_more

C = {"CONTAINERS": "1"}
CP = {"CONTAINERS": "1", "POST": "1"}
LC = {"LIBPOD_CONTAINERS": "1"}
LSIO = {"COMPAT": "linuxserver", "CONTAINERS": "1"}

ALLOWED = [
    ({}, "GET", "/_ping", Reason.SECTION, "PING"),
    ({}, "HEAD", "/_ping", Reason.SECTION, "PING"),
    ({}, "GET", "/v1.45/version", Reason.SECTION, "VERSION"),
    ({}, "GET", "/events?since=1", Reason.SECTION, "EVENTS"),
    (C, "GET", "/containers/json", Reason.SECTION, "CONTAINERS"),
    (C, "HEAD", "/containers/json", Reason.SECTION, "CONTAINERS"),
    (C, "GET", "/containers/x/frob", Reason.UNKNOWN_ROUTE, "CONTAINERS"),
    ({**C, "ALLOW_LOGS": "0"}, "GET", "/containers/a/b/logs/json", Reason.SECTION, "CONTAINERS"),
    (CP, "PATCH", "/containers/x", Reason.UNKNOWN_ROUTE, "CONTAINERS"),
    (CP, "POST", "/containers/create", Reason.SECTION, "CONTAINERS"),
    (CP, "GET", "/containers/x/archive", Reason.SECTION, "CONTAINERS"),
    (CP, "OPTIONS", "/containers/x", Reason.SECTION, "CONTAINERS"),
    ({**CP, "EXEC": "1"}, "POST", "/containers/x/exec", Reason.SECTION, "CONTAINERS"),
    (CP, "DELETE", "/containers/x", Reason.SECTION, "CONTAINERS"),
    ({**CP, "DELETE": "1", "PUT": "1"}, "PUT", "/containers/x/archive", Reason.SECTION, "CONTAINERS"),
    ({**CP, "DELETE": "0"}, "POST", "/containers/prune", Reason.SECTION, "CONTAINERS"),
    ({"DELETE": "0", "ALLOW_DELETE": "1"}, "DELETE", "/containers/x", Reason.VERB, "ALLOW_DELETE"),
    ({"ALLOW_CREATE": "1"}, "POST", "/containers/create", Reason.VERB, "ALLOW_CREATE"),
    ({"ALLOW_EXEC": "1"}, "POST", "/containers/x/exec", Reason.VERB, "ALLOW_EXEC"),
    ({"ALLOW_EXEC": "1"}, "POST", "/exec/x/start", Reason.VERB, "ALLOW_EXEC"),
    ({"ALLOW_EXEC": "1"}, "GET", "/exec/x/json", Reason.VERB, "ALLOW_EXEC"),
    ({"ALLOW_KILL": "1", "ALLOW_RESTARTS": "0"}, "POST", "/containers/x/kill", Reason.VERB, "ALLOW_KILL"),
    ({"ALLOW_ATTACH": "1"}, "GET", "/containers/x/attach/ws", Reason.VERB, "ALLOW_ATTACH"),
    ({"ALLOW_WAIT": "1"}, "POST", "/containers/x/wait", Reason.VERB, "ALLOW_WAIT"),
    ({"ALLOW_PULL": "1"}, "POST", "/images/create?fromImage=x", Reason.VERB, "ALLOW_PULL"),
    ({"ALLOW_START": "1"}, "POST", "/containers/x/start", Reason.VERB, "ALLOW_START"),
    ({"ALLOW_RESTARTS": "1"}, "POST", "/containers/x/kill", Reason.VERB, "ALLOW_RESTARTS"),
    ({"ALLOW_STOP": "1", "ALLOW_RESTARTS": "0"}, "POST", "/containers/x/stop", Reason.VERB, "ALLOW_STOP"),
    ({**C, "ALLOW_LOGS": "0"}, "GET", "/containers/a/frob/log", Reason.UNKNOWN_ROUTE, "CONTAINERS"),
    ({"ALLOW_ARCHIVE": "1"}, "HEAD", "/containers/x/archive", Reason.VERB, "ALLOW_ARCHIVE"),
    ({**LSIO, "ALLOW_LOGS": "1"}, "GET", "/containers/x/logs", Reason.SECTION, "CONTAINERS"),
    ({**LSIO, "ALLOW_ARCHIVE": "1"}, "GET", "/containers/x/archive", Reason.SECTION, "CONTAINERS"),
    ({"COMPAT": "linuxserver", "ALLOW_PAUSE": "1"}, "POST", "/containers/x/pause", Reason.VERB, "ALLOW_PAUSE"),
    (LC, "GET", "/v4.9.3/libpod/containers/json", Reason.SECTION, "LIBPOD_CONTAINERS"),
    (LC, "GET", "/libpod/_ping", Reason.SECTION, "LIBPOD_PING"),
    (LC, "HEAD", "/libpod/_ping", Reason.SECTION, "LIBPOD_PING"),
    ({"LIBPOD_PING": "1"}, "GET", "/v5.0.0/libpod/version", Reason.SECTION, "LIBPOD_VERSION"),
    ({**LC, "POST": "1"}, "DELETE", "/v5.0.0/libpod/containers/x", Reason.SECTION, "LIBPOD_CONTAINERS"),
    ({**LC, "POST": "1"}, "POST", "/v5.0.0/libpod/containers/x/frob", Reason.UNKNOWN_ROUTE, "LIBPOD_CONTAINERS"),
    ({**LC, "POST": "1"}, "GET", "/v5.0.0/libpod/containers/x/healthcheck", Reason.SECTION, "LIBPOD_CONTAINERS"),
    ({**LC, "POST": "1", "LIBPOD_EXEC": "1"}, "POST", "/v5.0.0/libpod/containers/x/exec", Reason.SECTION, "LIBPOD_CONTAINERS"),
    ({**LC, "ALLOW_LOGS": "1"}, "GET", "/v5.0.0/libpod/containers/x/logs", Reason.SECTION, "LIBPOD_CONTAINERS"),
    ({**LC, "ALLOW_STOP": "1"}, "POST", "/v5.0.0/libpod/containers/x/stop", Reason.VERB, "ALLOW_STOP"),
    ({**LC, "ALLOW_RESTARTS": "1"}, "POST", "/v5.0.0/libpod/pods/x/kill", Reason.VERB, "ALLOW_RESTARTS"),
    ({"LIBPOD_ALLOW_STOP": "1", "ALLOW_STOP": "0"}, "POST", "/v5.0.0/libpod/containers/x/stop", Reason.VERB, "LIBPOD_ALLOW_STOP"),
    ({"LIBPOD_ALLOW_POD_START": "1"}, "POST", "/v5.0.0/libpod/pods/x/start", Reason.VERB, "LIBPOD_ALLOW_POD_START"),
]  # fmt: skip

REFUSED = [
    ({}, "GET", "/images/json", Reason.SECTION, "IMAGES",
     "ImageList (GET /images/json) is not allowed: set IMAGES=1"),
    ({}, "HEAD", "/images/json", Reason.SECTION, "IMAGES",
     "ImageList (HEAD /images/json) is not allowed: set IMAGES=1"),
    ({"PING": "0"}, "GET", "/_ping", Reason.SECTION, "PING",
     "SystemPing (GET /_ping) is not allowed: set PING=1"),
    ({}, "POST", "/containers/create", Reason.METHOD, "POST",
     "ContainerCreate (POST /containers/create) is not allowed: set ALLOW_CREATE=1"),
    ({}, "POST", "/volumes/create", Reason.METHOD, "POST",
     "VolumeCreate (POST /volumes/create) is not allowed: set VOLUMES=1 and POST=1"),
    ({"VOLUMES": "1"}, "POST", "/volumes/create", Reason.METHOD, "POST",
     "VolumeCreate (POST /volumes/create) is not allowed: set POST=1"),
    ({**CP, "DELETE": "0"}, "DELETE", "/containers/x", Reason.METHOD, "DELETE",
     "ContainerDelete (DELETE /containers/{id}) is not allowed: set ALLOW_DELETE=1"),
    ({**CP, "ALLOW_DELETE": "0"}, "DELETE", "/containers/x", Reason.VERB, "ALLOW_DELETE",
     "ContainerDelete (DELETE /containers/{id}) is not allowed: set ALLOW_DELETE=1"),
    ({"POST": "1", "DELETE": "0"}, "DELETE", "/volumes/x", Reason.METHOD, "DELETE",
     "VolumeDelete (DELETE /volumes/{name}) is not allowed: set VOLUMES=1 and DELETE=1"),
    ({"DELETE": "0"}, "DELETE", "/volumes/x", Reason.METHOD, "DELETE",
     "VolumeDelete (DELETE /volumes/{name}) is not allowed: set VOLUMES=1 and POST=1 and DELETE=1"),
    ({"DELETE": "1"}, "DELETE", "/volumes/x", Reason.METHOD, "POST",
     "VolumeDelete (DELETE /volumes/{name}) is not allowed: set VOLUMES=1 and POST=1"),
    ({**CP, "PUT": "0"}, "PUT", "/containers/x/archive", Reason.METHOD, "PUT",
     "PutContainerArchive (PUT /containers/{id}/archive) is not allowed: set PUT=1"),
    ({**CP, "PUT": "0"}, "PUT", "/containers/x/frob", Reason.METHOD, "PUT",
     "PUT /containers/x/frob is not allowed: set PUT=1"),
    ({**CP, "EXEC": "1", "ALLOW_EXEC": "0"}, "POST", "/exec/x/start", Reason.VERB, "ALLOW_EXEC",
     "ExecStart (POST /exec/{id}/start) is not allowed: set ALLOW_EXEC=1"),
    ({**CP, "ALLOW_ATTACH": "0"}, "GET", "/containers/x/attach/ws", Reason.VERB, "ALLOW_ATTACH",
     "ContainerAttachWebsocket (GET /containers/{id}/attach/ws) is not allowed: set ALLOW_ATTACH=1"),
    ({"POST": "1"}, "POST", "/build", Reason.SECTION, "BUILD",
     "ImageBuild (POST /build) is not allowed: set BUILD=1"),
    (C, "POST", "/containers/x/start", Reason.METHOD, "POST",
     "ContainerStart (POST /containers/{id}/start) is not allowed: set ALLOW_START=1"),
    (C, "POST", "/containers/x/stop", Reason.METHOD, "POST",
     "ContainerStop (POST /containers/{id}/stop) is not allowed: set ALLOW_STOP=1"),
    ({**CP, "ALLOW_STOP": "0"}, "POST", "/containers/x/stop", Reason.VERB, "ALLOW_STOP",
     "ContainerStop (POST /containers/{id}/stop) is not allowed: set ALLOW_STOP=1"),
    (C, "GET", "/containers/x/export", Reason.WRITE_LIKE_READ, "POST",
     "ContainerExport (GET /containers/{id}/export) is not allowed: set ALLOW_EXPORT=1"),
    (C, "GET", "/containers/x/attach/ws", Reason.WRITE_LIKE_READ, "POST",
     "ContainerAttachWebsocket (GET /containers/{id}/attach/ws) is not allowed: set ALLOW_ATTACH=1"),
    ({"IMAGES": "1"}, "GET", "/images/get", Reason.WRITE_LIKE_READ, "POST",
     "ImageGetAll (GET /images/get) is not allowed: set POST=1"),
    ({}, "GET", "/swarm/unlockkey", Reason.WRITE_LIKE_READ, "POST",
     "SwarmUnlockkey (GET /swarm/unlockkey) is not allowed: set SWARM=1 and POST=1"),
    (CP, "POST", "/containers/x/exec", Reason.EXEC, "EXEC",
     "ContainerExec (POST /containers/{id}/exec) is not allowed: set ALLOW_EXEC=1"),
    (C, "OPTIONS", "/containers/json", Reason.METHOD, "POST",
     "SystemOptions (OPTIONS /{any}) is not allowed: set POST=1"),
    (C, "PATCH", "/containers/x", Reason.METHOD, "POST",
     "PATCH /containers/x is not allowed: set POST=1"),
    ({}, "GET", "/debug/vars", Reason.NO_SECTION, "ALLOW_OPERATIONS",
     "DebugVars (GET /debug/vars) is not allowed: no section variable opens it, only ALLOW_OPERATIONS"),
    ({}, "POST", "/debug/vars", Reason.METHOD, "POST",
     "DebugVars (POST /debug/vars) is not allowed: no section variable opens it, only ALLOW_OPERATIONS"),
    ({"POST": "1"}, "OPTIONS", "/frob", Reason.NO_SECTION, "ALLOW_OPERATIONS",
     "SystemOptions (OPTIONS /{any}) is not allowed: no section variable opens it, only ALLOW_OPERATIONS"),
    ({}, "GET", "/frob/%22%20?x", Reason.NO_SECTION, "ALLOW_OPERATIONS",
     "GET /frob/%22%20 is not allowed: no section variable opens it, only ALLOW_OPERATIONS"),
    ({**CP, "ALLOW_ARCHIVE": "0"}, "PUT", "/containers/x/archive", Reason.VERB, "ALLOW_ARCHIVE",
     "PutContainerArchive (PUT /containers/{id}/archive) is not allowed: set ALLOW_ARCHIVE=1"),
    ({**CP, "ALLOW_ARCHIVE": "0"}, "PUT", "/containers/PARENT/ALIAS/archive", Reason.VERB, "ALLOW_ARCHIVE",
     "PutContainerArchive (PUT /containers/{id}/archive) is not allowed: set ALLOW_ARCHIVE=1"),
    ({**CP, "COMPAT": "linuxserver"}, "PUT", "/containers/a/b/c/archive", Reason.VERB, "ALLOW_ARCHIVE",
     "PutContainerArchive (PUT /containers/{id}/archive) is not allowed: set ALLOW_ARCHIVE=1"),
    ({**CP, "ALLOW_ARCHIVE": "0"}, "PATCH", "/containers/PARENT/ALIAS/archive", Reason.VERB, "ALLOW_ARCHIVE",
     "PATCH /containers/PARENT/ALIAS/archive is not allowed: set ALLOW_ARCHIVE=1"),
    ({"ALLOW_STOP": "0", "ALLOW_RESTARTS": "1"}, "POST", "/containers/x/stop", Reason.VERB, "ALLOW_STOP",
     "ContainerStop (POST /containers/{id}/stop) is not allowed: set ALLOW_STOP=1"),
    ({**CP, "ALLOW_RESTARTS": "0"}, "POST", "/containers/x/stop", Reason.VERB, "ALLOW_RESTARTS",
     "ContainerStop (POST /containers/{id}/stop) is not allowed: set ALLOW_STOP=1"),
    ({**C, "ALLOW_LOGS": "0"}, "GET", "/containers/a/LOGSx/json", Reason.VERB, "ALLOW_LOGS",
     "ContainerInspect (GET /containers/{id}/json) is not allowed: set ALLOW_LOGS=1"),
    (LSIO, "GET", "/containers/x/logs", Reason.VERB, "ALLOW_LOGS",
     "ContainerLogs (GET /containers/{id}/logs) is not allowed: set ALLOW_LOGS=1"),
    ({"COMPAT": "linuxserver"}, "GET", "/containers/x/top", Reason.VERB, "ALLOW_TOP",
     "ContainerTop (GET /containers/{id}/top) is not allowed: set ALLOW_TOP=1 and CONTAINERS=1"),
    ({"COMPAT": "linuxserver", "ALLOW_LOGS": "1"}, "GET", "/containers/x/logs", Reason.SECTION, "CONTAINERS",
     "ContainerLogs (GET /containers/{id}/logs) is not allowed: set CONTAINERS=1"),
    (LSIO, "GET", "/containers/x/export", Reason.VERB, "ALLOW_EXPORT",
     "ContainerExport (GET /containers/{id}/export) is not allowed: set ALLOW_EXPORT=1"),
    ({}, "GET", "/libpod/_ping", Reason.SECTION, "LIBPOD_PING",
     "LibpodPing (GET /libpod/_ping) is not allowed: set LIBPOD_PING=1"),
    ({**LC, "LIBPOD_PING": "0"}, "GET", "/libpod/_ping", Reason.SECTION, "LIBPOD_PING",
     "LibpodPing (GET /libpod/_ping) is not allowed: set LIBPOD_PING=1"),
    ({**CP, "ALLOW_STOP": "1"}, "GET", "/v5.0.0/libpod/containers/json", Reason.SECTION, "LIBPOD_CONTAINERS",
     "LibpodContainerList (GET /libpod/containers/json) is not allowed: set LIBPOD_CONTAINERS=1"),
    ({"ALLOW_STOP": "1"}, "POST", "/v5.0.0/libpod/containers/x/stop", Reason.METHOD, "POST",
     "LibpodContainerStop (POST /libpod/containers/{name}/stop) is not allowed: set LIBPOD_ALLOW_STOP=1"),
    (LC, "GET", "/v5.0.0/libpod/containers/x/logs", Reason.VERB, "ALLOW_LOGS",
     "LibpodContainerLogs (GET /libpod/containers/{name}/logs) is not allowed: set ALLOW_LOGS=1"),
    ({"ALLOW_LOGS": "1"}, "GET", "/v5.0.0/libpod/containers/x/logs", Reason.SECTION, "LIBPOD_CONTAINERS",
     "LibpodContainerLogs (GET /libpod/containers/{name}/logs) is not allowed: set LIBPOD_CONTAINERS=1"),
    (LC, "GET", "/v5.0.0/libpod/containers/x/healthcheck", Reason.WRITE_LIKE_READ, "POST",
     "LibpodContainerHealthcheck (GET /libpod/containers/{name:.*}/healthcheck) is not allowed: set POST=1"),
    ({**LC, "POST": "1"}, "PUT", "/v5.0.0/libpod/containers/x/archive", Reason.VERB, "ALLOW_ARCHIVE",
     "LibpodPutContainerArchive (PUT /libpod/containers/{name}/archive) is not allowed: set ALLOW_ARCHIVE=1"),
    ({**LC, "POST": "1"}, "POST", "/v5.0.0/libpod/containers/x/exec", Reason.EXEC, "LIBPOD_EXEC",
     "LibpodContainerExec (POST /libpod/containers/{name}/exec) is not allowed: set LIBPOD_EXEC=1"),
    ({**LC, "POST": "1", "DELETE": "0"}, "DELETE", "/v5.0.0/libpod/volumes/x", Reason.METHOD, "DELETE",
     "LibpodVolumeDelete (DELETE /libpod/volumes/{name}) is not allowed: set LIBPOD_VOLUMES=1 and DELETE=1"),
    ({**LC, "POST": "1", "LIBPOD_ALLOW_STOP": "0"}, "POST", "/v5.0.0/libpod/containers/x/stop", Reason.VERB, "LIBPOD_ALLOW_STOP",
     "LibpodContainerStop (POST /libpod/containers/{name}/stop) is not allowed: set LIBPOD_ALLOW_STOP=1"),
    ({**LC, "POST": "1"}, "POST", "/v5.0.0/libpod/build", Reason.NO_SECTION, "ALLOW_OPERATIONS",
     "LibpodImageBuild (POST /libpod/build) is not allowed: no section variable opens it, only ALLOW_OPERATIONS"),
]  # fmt: skip

EXACT = {
    "ALLOW_OPERATIONS": "ContainerArchive,ContainerList,SystemPing,GET:/frob/{x},POST:/frob/x"
}
EXACTLY_ALLOWED = [
    ("GET", "/containers/json", Reason.OPERATION),
    ("HEAD", "/containers/json", Reason.OPERATION),
    ("GET", "/_ping", Reason.OPERATION),
    ("HEAD", "/_ping", Reason.OPERATION),
    ("HEAD", "/containers/a/b/archive", Reason.OPERATION),
    ("GET", "/v1.44/frob/anything", Reason.ROUTE),
    ("HEAD", "/frob/y", Reason.ROUTE),
    ("POST", "/frob/x", Reason.ROUTE),
]
EXACTLY_REFUSED = [
    ("GET", "/images/json", "ImageList (GET /images/json) is not allowed: add ImageList to ALLOW_OPERATIONS"),
    ("PUT", "/containers/x/archive", "PutContainerArchive (PUT /containers/{id}/archive) is not allowed: add PutContainerArchive to ALLOW_OPERATIONS"),
    ("HEAD", "/images/json", "ImageList (HEAD /images/json) is not allowed: add ImageList to ALLOW_OPERATIONS"),
    ("OPTIONS", "/containers/json", "SystemOptions (OPTIONS /{any}) is not allowed: add SystemOptions to ALLOW_OPERATIONS"),
    ("GET", "/frob/a/b", "GET /frob/a/b is not allowed: add a GET:/path/{template} for it to ALLOW_OPERATIONS"),
    ("POST", "/frob/y", "POST /frob/y is not allowed: add a POST:/path/{template} for it to ALLOW_OPERATIONS"),
    ("M$SEARCH~0123456789", "/frob", "M?SEARCH???????? /frob is not allowed: add a M?SEARCH????????:/path/{template} for it to ALLOW_OPERATIONS"),
]  # fmt: skip


def name(value: object) -> str | None:
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"
    return str(value)[:40] if isinstance(value, str) else None


@pytest.mark.parametrize(
    ("variables", "method", "raw", "reason", "rule"), ALLOWED, ids=name
)
def test_allowed(
    variables: dict[str, str], method: str, raw: str, reason: Reason, rule: str
) -> None:
    """What the variables open passes, and the decision names the variable."""
    decision = judge(variables, method, raw)
    assert decision.allowed
    assert (decision.reason, decision.rule, decision.message) == (reason, rule, "")


@pytest.mark.parametrize(
    ("variables", "method", "raw", "reason", "rule", "message"), REFUSED, ids=name
)
def test_refused(
    variables: dict[str, str],
    method: str,
    raw: str,
    reason: Reason,
    rule: str,
    message: str,
) -> None:
    """A refusal says which operation, by which rule, and which variables would allow it."""
    decision = judge(variables, method, raw)
    assert not decision.allowed
    assert (decision.reason, decision.rule, decision.message) == (reason, rule, message)


@pytest.mark.parametrize(("method", "raw", "reason"), EXACTLY_ALLOWED, ids=name)
def test_allowed_exactly(method: str, raw: str, reason: Reason) -> None:
    """An exact list grants its operations and routes, and a GET its HEAD."""
    decision = judge(EXACT, method, raw)
    assert (decision.allowed, decision.reason, decision.rule) == (
        True,
        reason,
        "ALLOW_OPERATIONS",
    )


@pytest.mark.parametrize(("method", "raw", "message"), EXACTLY_REFUSED, ids=name)
def test_refused_exactly(method: str, raw: str, message: str) -> None:
    """What an exact list does not name is refused, and the refusal says what to add."""
    decision = judge(EXACT, method, raw)
    assert (decision.allowed, decision.message) == (False, message)


def test_an_empty_list_grants_nothing() -> None:
    """Set and empty, the list refuses every request, whatever the sections say."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "", **dict.fromkeys(SWITCHES, "1")})
    assert not any(policy.decide(one).allowed for one in of_table())


def test_what_a_line_lists_is_told() -> None:
    """Of values and of objects; of a line that is not there it is told that it is not."""
    policy, _ = parse_policy(
        {
            "ALLOW_OPERATIONS": "ContainerCreate",
            "CREATE_BINDS": "/srv/a,/srv/b",
            "ONLY_CONTAINERS": "@own,db",
            "ONLY_OWNER": "app",
        }
    )
    assert policy.items_of("CREATE_BINDS") == ("/srv/a", "/srv/b")
    assert policy.items_of("ONLY_CONTAINERS") == ("@own", "db")
    assert policy.items_of("EXEC_COMMANDS") is None
    assert parse_policy({})[0].items_of("ONLY_CONTAINERS") is None


def test_head_does_not_grant_get() -> None:
    """A HEAD operation on the list leaves the GET of the same route refused."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "SystemPingHead"})
    assert passes(policy, "HEAD", "/_ping")
    assert not passes(policy, "GET", "/_ping")


def test_a_route_never_reaches_a_known_operation() -> None:
    """A route with parameters opens unknown routes only, not those that have a name."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "POST:/containers/{id}/{verb}"})
    assert passes(policy, "POST", "/containers/x/frob")
    assert not passes(policy, "POST", "/containers/x/exec")


def test_every_section_variable_opens_its_section() -> None:
    """With all switches at 1, only what has no section stays closed."""
    ones = dict.fromkeys((*SWITCHES, *LIBPOD_SECTIONS, *READ_VERBS), "1")
    policy, _ = parse_policy(ones)
    closed = OPERATIONS.keys() - policy.opened_operations
    sections = {OPERATIONS[name][0].section for name in closed}
    assert not sections & {*SECTIONS, *LIBPOD_SECTIONS} - {"GRPC"}
    assert "BuildKitGrpc" in closed
    assert len(policy.opened_operations) == len(OPERATIONS) - len(closed)


def test_reading_opens_no_write() -> None:
    """Without POST, all sections and all read verbs open not one operation that writes."""
    names = (*SWITCHES, *LIBPOD_SECTIONS, *READ_VERBS)
    ones = {name: "1" for name in names if name != "POST"}
    policy, _ = parse_policy(ones)
    effects = {OPERATIONS[name][0].effect for name in policy.opened_operations}
    assert effects == {Effect.READ}


def test_examples_mean_their_endpoint() -> None:
    """Each endpoint but the HTTP/2 one has a request that means it."""
    without = [
        e.operation
        for rows in OPERATIONS.values()
        for e in rows
        if [one.endpoint for one in of_endpoint(e)] != [e] and e is not OPTIONS
    ]
    assert set(without) == {"BuildKitGrpc"}


def test_operation_and_section_of_an_unknown_route() -> None:
    """An unknown route has no operation, but the section of its path."""
    unknown = request("GET", "/containers/x/frob")
    assert (unknown.operation, unknown.section) == ("unknown", "CONTAINERS")
    assert request("GET", "/frob").section is None


NAMES = [*SWITCHES, *METHOD_SWITCHES, *VERBS, *sorted(LIBPOD_VARIABLES)]
settings = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["0", "1", ""]))
SLASHED = [
    (endpoint, request(endpoint.method, endpoint.template.replace("{id}", "a/b")))
    for rows in OPERATIONS.values()
    for endpoint in rows
    if endpoint.template.startswith("/containers/{id}/") and "{c" not in endpoint.template
]  # fmt: skip


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(settings, st.sampled_from(["", "linuxserver"]), st.sampled_from(SLASHED))
def test_a_name_with_a_slash_changes_no_decision(
    variables: dict[str, str], compat: str, row: tuple[Endpoint, Request]
) -> None:
    """What refuses a route for a plain name refuses it for the name of a legacy link."""
    endpoint, slashed = row
    policy, _ = parse_policy({**variables, "COMPAT": compat})
    (plain,) = of_endpoint(endpoint)
    assert slashed.endpoint is endpoint
    assert policy.decide(slashed) == policy.decide(plain)


GUARDS = [
    {},
    {"CREATE_BINDS": "/srv"},
    {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "a1"},
    {"CREATE_CAPS": "", "ONLY_CONTAINERS": "db", "ONLY_OWNER": "a1"},
]
WAYS = [{"COMPAT": ""}, {"COMPAT": "linuxserver"}, {"ALLOW_OPERATIONS": "ContainerLogs,ImageInspect"}]  # fmt: skip
names = st.lists(st.sampled_from(["x", "a:b", "json", "logs", "LOGSx", "archive-1"]))


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(
    settings,
    st.sampled_from(WAYS),
    st.sampled_from(GUARDS),
    st.sampled_from([one for one in ENDPOINTS if one.method not in {"ANY", "OPTIONS"}]),
    st.lists(names.filter(bool).map("/".join), min_size=2, max_size=2),
)
def test_a_row_is_what_is_decided_on_each_of_its_paths(
    variables: dict[str, str],
    way: dict[str, str],
    guard: dict[str, str],
    endpoint: Endpoint,
    chosen: list[str],
) -> None:
    """Whatever a path has for its parameters, it is decided as its row; what is in a name
    behind a slash is asked about anew, with the same rules."""
    policy, _ = parse_policy({**variables, **way, **guard})
    path = re.sub(r"\{[^}]*\}", lambda _: chosen.pop(), endpoint.template)
    one = request(endpoint.method, path)
    assume(one.endpoint is endpoint)
    decision = policy.decide(one)
    assert decision == policy.decide_route(one.method, endpoint, path)
    if path.count("/") == endpoint.template.count("/"):
        assert decision == policy.rows[endpoint]
    if endpoint.method == "GET" and request("HEAD", path).endpoint is endpoint:
        assert policy.decide(request("HEAD", path)).allowed is decision.allowed


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(settings, st.sampled_from(WAYS), st.sampled_from(GUARDS))
def test_what_is_opened_is_what_passes(
    variables: dict[str, str], way: dict[str, str], guard: dict[str, str]
) -> None:
    """The operations that a policy says it opens are those of which a request passes."""
    policy, _ = parse_policy({**variables, **way, **guard})
    passing = {one.operation for one in of_table() if policy.decide(one).allowed}
    assert policy.opened_operations == passing


def test_a_fingerprint_tells_methods_apart() -> None:
    """A method at 0 makes another policy, which people can tell by its fingerprint."""
    plain, without = parse_policy(CP)[0], parse_policy({**CP, "DELETE": "0"})[0]
    assert plain.fingerprint != without.fingerprint


def test_a_shown_target_is_cut() -> None:
    """A refusal holds at most 256 characters of what the client sent."""
    decision = judge({}, "GET", "/" + "%ff" * 1300)
    assert len(decision.message) < 400
    assert re.fullmatch("[ -~]+", decision.message)


def test_route_text() -> None:
    """A route prints as it is written."""
    route = Route(method="GET", template="/frob/{x}")
    assert str(route) == "GET:/frob/{x}"


def test_each_verb_opens_its_operations() -> None:
    """A verb at 1 opens the operations that it names, and at 0 closes them; no others."""
    closed, _ = parse_policy({})
    ones = dict.fromkeys((*SWITCHES, *METHOD_SWITCHES), "1")
    opened, _ = parse_policy(ones)
    for verb, names in VERBS.items():
        policy, _ = parse_policy({verb: "1"})
        assert policy.opened_operations - closed.opened_operations == names, verb
        policy, _ = parse_policy({**ones, verb: "0"})
        lost = opened.opened_operations - policy.opened_operations
        assert names <= lost, verb
        assert lost <= names | {"PutContainerArchive"}, verb


requests = st.sampled_from(
    [
        *of_table(),
        request("GET", "/images/frob"),
        request("GET", "/x"),
        request("PUT", "/containers/a/b/archive"),
        request("PATCH", "/containers/a/b/archive"),
    ]
)


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(settings, st.sampled_from(NAMES), st.sampled_from(["", "linuxserver"]), requests)
def test_a_one_more_never_refuses_more(
    variables: dict[str, str], more: str, compat: str, one: Request
) -> None:
    """Turning a variable to 1 never refuses what passed before."""
    before, _ = parse_policy({**variables, "COMPAT": compat})
    after, _ = parse_policy({**variables, "COMPAT": compat, more: "1"})
    assert after.decide(one).allowed or not before.decide(one).allowed


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(
    st.frozensets(st.sampled_from(sorted(OPERATIONS.keys() - {"BuildKitGrpc"}))),
    requests,
)
def test_a_longer_list_never_refuses_more(names: frozenset[str], one: Request) -> None:
    """Adding an operation to the list never refuses what passed before."""
    ordered = sorted(names)
    before, _ = parse_policy({"ALLOW_OPERATIONS": ",".join(ordered[1:])})
    after, _ = parse_policy({"ALLOW_OPERATIONS": ",".join(ordered)})
    assert before.mode is after.mode is Mode.EXACT
    assert after.decide(one).allowed or not before.decide(one).allowed


@pytest.mark.deep
@hypothesis.settings(max_examples=by_depth(30, 100))
@given(settings, st.sampled_from(["", "linuxserver"]), requests)
def test_a_refusal_names_what_would_allow(
    variables: dict[str, str], compat: str, one: Request
) -> None:
    """Setting what a refusal names, and nothing else, lets the request pass."""
    values = {**variables, "COMPAT": compat}
    decision = parse_policy(values)[0].decide(one)
    advised = dict.fromkeys(re.findall(r"([A-Z_]+)=1", decision.message), "1")
    if advised:
        assert parse_policy({**values, **advised})[0].decide(one).allowed


def test_a_reason_is_a_word_of_the_log() -> None:
    """Who reads logs searches them for it: it is the name, small and with dashes, and no other has it."""
    assert [one.value for one in Reason] == [one.name.lower().replace("_", "-") for one in Reason]  # fmt: skip


def test_a_refusal_is_an_answer_that_clients_know() -> None:
    """403, as daemons with plugins for authorization answer; what passes has none of ours."""
    for variables, method in (({}, "POST"), ({"ALLOW_OPERATIONS": ""}, "GET")):
        decision = judge(variables, method, "/containers/json")
        assert (decision.allowed, decision.status) == (False, 403)
        assert not decision.is_answered


EXCEPTIONS = {
    "ALLOW_ARCHIVE": {"ContainerArchive", "ContainerArchiveInfo"},
    "ALLOW_ATTACH": {"ContainerAttach", "ContainerAttachWebsocket"},
    "ALLOW_EXEC": {"ContainerExec", "ExecInspect", "ExecResize", "ExecStart"},
    "ALLOW_PULL": {"ImageCreate"},
    "ALLOW_RESTARTS": {"ContainerKill", "ContainerRestart", "ContainerStop"},
}
"""Verbs that open more than the operation of their name, or another one."""


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_opens_what_it_says(verb: str) -> None:
    """The operation that it is called after, and no other; all of `docker exec`, stop and kill with restarts."""
    word = verb.removeprefix("ALLOW_").title()
    expected = EXCEPTIONS.get(verb, {f"Container{word}"})
    assert VERBS[verb] == expected <= OPERATIONS.keys()
    if verb not in READ_VERBS:
        opened = parse_policy({verb: "1"})[0].opened_operations
        assert opened - parse_policy({})[0].opened_operations == expected


@pytest.mark.parametrize(
    ("raw", "is_more"),
    [
        ("/containers/a/top?ps_args=axe", True),
        ("/containers/a/top?ps_args=-ef", False),
        ("/containers/a/top", False),
        ("/containers/a/changes?parent=b", True),
        ("/containers/json?all=1", False),
        ("/containers/json?name=0123456789ab", False),
        ("/containers/a/top?ps_args=%zz", False),
        ("/frob?x=1", False),
    ],
)
def test_what_asks_more_by_its_query(raw: str, *, is_more: bool) -> None:
    """By a query alone a request may be one that no list lets pass: it is not learned as used."""
    assert asks_more(request("GET", raw)) is is_more


@pytest.mark.parametrize("line", ["/containers/create", "/containers/c/rename"])
def test_no_container_is_named_like_an_id(line: str) -> None:
    """A name of 12 hex digits may be another container's id: neither given nor listed for."""
    may = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerRename", "CREATE_BINDS": ""}
    lists = {**may, "ONLY_CONTAINERS": "@own,*-x", "ONLY_OWNER": "app"}
    names = {
        "0123456789ab": False,
        "f" * 64: False,
        "0123456789a": True,
        "f" * 65: True,
        "0123456789aB": True,
        "0123456789ag": True,
    }
    for name, is_name in names.items():
        for written in (name, f"/{name}", f"%2F{name}", f"x&Name={name}"):
            asked = request("POST", f"{line}?name={written}")
            answer = parse_policy(lists)[0].decide(asked)
            assert answer.allowed is is_name, written
            assert is_name or "beginning of another one's id" in answer.message
            for others in (may, {**lists, "ONLY_CONTAINERS": "*"}):
                assert parse_policy(others)[0].decide(asked).allowed
