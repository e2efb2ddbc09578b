"""Device nodes and policies: which of them drop the capability, and look for it."""

import pytest

from tests.judge.judging import found_of, judged
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, Passes
from trioproxy.judge.outcome import Verdict
from trioproxy.judge.rules import Policy, Reason
from trioproxy.limits.objects import OWNER_LABEL
from trioproxy.limits.things import Thing

OWN = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}
CREATES = "ContainerCreate,ContainerStart,ContainerExec,ContainerWait"
PACKS = f"{CREATES},ContainerArchive"
CONFINED = {**OWN, "CREATE_BINDS": "/srv/app", "EXEC_USERS": "@default"}


def policy(operations: str = PACKS, **variables: str) -> Policy:
    return parse_policy({"ALLOW_OPERATIONS": operations, **variables})[0]


DROPS = [
    (PACKS, CONFINED, True),
    (f"{CREATES},ContainerExport", CONFINED, True),
    (f"{CREATES},PutContainerArchive", CONFINED, True),
    (f"{CREATES},ImageCommit", CONFINED, True),
    (PACKS, {**CONFINED, "CREATE_CAPS": "NET_ADMIN"}, True),
    (CREATES, CONFINED, False),
    (f"{CREATES},ContainerArchiveInfo,ImageBuild", CONFINED, False),
    (PACKS, {"CREATE_BINDS": "/srv/app"}, False),
    (PACKS, {**CONFINED, "ONLY_CONTAINERS": "*"}, False),
    (PACKS, OWN, False),
    (PACKS, {**CONFINED, "CREATE_CAPS": "MKNOD"}, False),
    (PACKS, {**CONFINED, "CREATE_CAPS": "*"}, False),
]


@pytest.mark.parametrize(
    ("operations", "variables", "drops"),
    DROPS,
    ids=[str(number) for number in range(len(DROPS))],
)
def test_where_nodes_are_dropped(
    operations: str, variables: dict[str, str], drops: bool
) -> None:
    """Where a client is confined, may have its files packed, and may not ask for nodes."""
    assert policy(operations, **variables).drops_nodes is drops
    gates = Gate.enforcing, Gate.trying, Gate.learning
    assert [gate(policy(operations, **variables)).form.drops_nodes for gate in gates] == [drops] * 3  # fmt: skip
    assert not Gate.learning().form.drops_nodes


def test_sections_count_by_what_they_open() -> None:
    """A section that opens archives drops nodes as a list with one does."""
    sections = {"CONTAINERS": "1", "POST": "1", **CONFINED}
    assert parse_policy(sections)[0].drops_nodes
    assert not parse_policy({**sections, "POST": "0"})[0].drops_nodes


def reached(gate: Gate, method: str, target: bytes, host: Json) -> Verdict:
    """A request for a container of the client's own that has this."""
    labels = {OWNER_LABEL: "app"}
    value: dict[str, Json] = {"HostConfig": host}
    thing = Thing(Kind.CONTAINER, "f" * 64, ("x",), labels, inherited={}, value=value)
    known = {(Kind.CONTAINER, "x"): thing}
    return judged(gate, method, target, body={}, is_read=True, known=known)


REACHING = [
    ("GET", b"/containers/x/archive?path=/"),
    ("POST", b"/containers/x/start"),
    ("POST", b"/containers/x/exec"),
]


@pytest.mark.parametrize(
    ("method", "target"), REACHING, ids=["archive", "start", "exec"]
)
def test_what_is_reached_into_lacks_it(method: str, target: bytes) -> None:
    """Nodes that one container makes are in each that shares a volume: none may make any."""
    gate = Gate.enforcing(policy(**CONFINED))
    verdict = reached(gate, method, target, {"CapDrop": ["MKNOD"]})
    assert verdict.decision.allowed
    verdict = reached(gate, method, target, {"CapDrop": ["NET_RAW"]})
    assert verdict.decision.reason is Reason.OBJECT
    assert verdict.decision.rule == "CREATE_CAPS"
    assert verdict.decision.message.endswith(
        " reaches into container x, which has the capability MKNOD, and CREATE_CAPS does"
        " not list that: make it anew through this file, which takes that away"
    )


def test_what_was_asked_for_is_judged_by_the_lists() -> None:
    """A privileged container is refused as such, and reached where that is listed."""
    host: Json = {"Privileged": True, "CapDrop": ["MKNOD"]}
    refused = reached(Gate.enforcing(policy(**CONFINED)), *REACHING[0], host)
    assert refused.decision.rule == "CREATE_PRIVILEGED"
    added: Json = {"CapAdd": ["mknod"], "CapDrop": ["MKNOD"]}
    refused = reached(Gate.enforcing(policy(**CONFINED)), *REACHING[0], added)
    assert refused.decision.rule == "CREATE_CAPS"
    listed = Gate.enforcing(policy(**CONFINED, CREATE_PRIVILEGED="1"))
    assert reached(listed, *REACHING[0], host).decision.allowed


def test_who_packs_nothing_reaches_into_any() -> None:
    """Without an operation that packs, containers are as the Engine makes them."""
    gate = Gate.enforcing(policy(CREATES, **CONFINED))
    assert reached(gate, *REACHING[1], {}).decision.allowed


@pytest.mark.parametrize("drops", [True, False], ids=["packs", "does not"])
def test_a_creation_goes_on_as_judged(drops: bool) -> None:
    """What goes on to the Engine says what is dropped, in the one table of edits."""
    gate = Gate.enforcing(policy(PACKS if drops else CREATES, **CONFINED))
    body: Json = {"Image": "busybox", "HostConfig": {"CapDrop": ["NET_RAW"]}}
    found = found_of(gate, "POST", b"/containers/create", body=body, is_read=True)
    assert isinstance(found, Passes)
    assert found.sent is not None
    assert found.sent.body is not None
    host = found.sent.body["HostConfig"]
    assert host == {"CapDrop": ["NET_RAW", *["MKNOD"] * drops]}
