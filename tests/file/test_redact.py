"""`REDACT` in a file: what it may say, what it closes, and what a change of it opens."""

import re

import pytest

from tests.judge.judging import request
from trioproxy.api.families import Hides
from trioproxy.api.redaction import MARKER, MARKER_BYTES
from trioproxy.errors import ConfigError
from trioproxy.file.opening import refuse_opening
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.http import jsonbody
from trioproxy.judge.gate import (
    Found,
    Gate,
    NeedBody,
    NeedRaw,
    ParsedBody,
    Passes,
    Refused,
    go_on,
    judging,
)
from trioproxy.judge.more import more
from trioproxy.judge.rules import Policy, Reason


def policy(operations: str, redact: str | None = None) -> Policy:
    variables = {"ALLOW_OPERATIONS": operations}
    return parse_policy(
        variables if redact is None else {**variables, "REDACT": redact}
    )[0]


@pytest.mark.parametrize(
    ("value", "hides"),
    [
        ("env", {Hides.ENV}),
        ("env,commands,labels", set(Hides)),
        ("labels,env", {Hides.ENV, Hides.LABELS}),
        ("none", set()),
    ],
)
def test_what_it_may_say(value: str, hides: set[Hides]) -> None:
    """Words in any order, or that nothing is hidden."""
    assert set(policy("SystemPing", value).hides or ()) == hides


@pytest.mark.parametrize("value", ["", "1", "true", "ENV", "env,", "env, labels", "*"])
def test_what_it_may_not_say(value: str) -> None:
    """A word that is not known would hide nothing, so that the program refuses to start."""
    with pytest.raises(ConfigError, match="is not known") as caught:
        policy("SystemPing", value)
    assert caught.value.hint is not None
    assert "env, commands, labels" in caught.value.hint


def test_a_policy_is_another_one() -> None:
    """What is hidden is part of a policy and of its fingerprint, whatever the order; to say that
    nothing is hidden is as if nothing were said."""
    plain, hiding = policy("ContainerList"), policy("ContainerList", "env,labels")
    assert plain != hiding
    assert plain.fingerprint != hiding.fingerprint
    assert hiding.fingerprint == policy("ContainerList", "labels,env").fingerprint
    assert plain.fingerprint == policy("ContainerList", "none").fingerprint


def test_hiding_more_is_granting_less() -> None:
    """What answers tell is a grant, where any answer that is granted tells it."""
    plain, hiding = policy("ContainerInspect"), policy("ContainerInspect", "env,labels")
    assert list(more(plain, hiding)) == []
    assert [one.item for one in more(hiding, plain)] == [
        "answers with environments",
        "answers with labels",
    ]
    assert [
        one.item for one in more(hiding, policy("ContainerInspect", "env,commands"))
    ] == ["answers with labels"]
    silent = policy("SystemPing", "env")
    assert list(more(silent, policy("SystemPing"))) == []


def test_a_line_that_is_gone_is_no_reload() -> None:
    """A file that hides no more what it hid must say so: `REDACT=none`, as the error says."""
    old = policy("ContainerInspect", "env")
    with pytest.raises(ConfigError, match="REDACT: no line of x") as caught:
        refuse_opening(old, policy("ContainerInspect"), "x")
    assert caught.value.hint is not None
    (value,) = re.findall("REDACT=([a-z]+)", caught.value.hint)
    refuse_opening(old, policy("ContainerInspect", value), "x")
    refuse_opening(old, policy("ContainerInspect", "labels"), "x")
    refuse_opening(old, policy("SystemPing"), "x")


@pytest.mark.parametrize(
    "item", ["LibpodGenerateKube", "LibpodQuadletFile", "GET:/containers/{id}/more"]
)
def test_what_nobody_can_read_is_not_granted_beside_it(item: str) -> None:
    """An operation whose answer has no form that is read, or a route without a row, stops the
    start, in a file that redacts and in no other."""
    assert policy(item).granted == {item}
    with pytest.raises(ConfigError, match="cannot be granted beside REDACT"):
        policy(f"SystemPing,{item}", "env")


def test_sections_do_not_open_what_nobody_can_read() -> None:
    """Routes of newer Engines and such of Podman's, which sections open, are refused beside it,
    and the refusal says why; all else is as without."""
    variables = {"CONTAINERS": "1", "LIBPOD_GENERATE": "1", "LIBPOD_CONTAINERS": "1"}
    plain, _ = parse_policy(variables)
    hiding, _ = parse_policy({**variables, "REDACT": "env"})
    for target in ("/containers/x/newer", "/libpod/generate/kube"):
        assert plain.decide(request("GET", target)).allowed
        decision = hiding.decide(request("GET", target))
        assert (decision.reason, decision.rule) == (Reason.REDACTED, "REDACT")
    assert plain.opened_operations - hiding.opened_operations == {
        "LibpodGenerateKube",
        "LibpodGenerateSystemd",
    }


def test_lists_of_processes_with_environments() -> None:
    """Arguments of `ps` that print environments are refused where these are hidden, however
    they are escaped, and in any case, which is all the same to Podman; those that a refusal names
    pass."""
    plain, hiding = policy("ContainerTop"), policy("ContainerTop", "env")
    message = ""
    for query in ("?ps_args=auxe", "?ps_args=aux%65", "?ps_args=-ef&ps_args=e", "?PS_arg%73=auxe", "?p%C5%BF_args=auxe"):  # fmt: skip
        asked = request("GET", f"/containers/x/top{query}")
        assert plain.decide(asked).allowed
        decision = hiding.decide(asked)
        assert decision.reason is Reason.REDACTED
        message = decision.message
        closed = policy("SystemPing", "env").decide(asked)  # where they would not help
        assert "add ContainerTop to ALLOW_OPERATIONS" in closed.message
    named = message.rpartition("; ")[2].removesuffix(" pass").replace(" and ", ", ")
    for args in ("", *named.split(", ")):
        asked = request("GET", f"/containers/x/top?ps_args={args.replace(' ', '+')}")
        assert hiding.decide(asked).allowed


def test_lists_of_processes_beside_lists_of_containers() -> None:
    """Docker runs `ps` on the host: where containers are listed, arguments pass by which it shows those
    of the container alone, and the refusal names such; without lists, and with Podman, all do."""
    plain = policy("ContainerTop,LibpodContainerTop")
    listed, _ = parse_policy(
        {
            "ALLOW_OPERATIONS": "ContainerTop,LibpodContainerTop",
            **dict.fromkeys(("ONLY_NETWORKS", "ONLY_VOLUMES"), ""),
            "ONLY_CONTAINERS": "web",
        }
    )
    for args, passes in (("-eo+lstart,ppid,pgid,sid,pid,args", False), ("-eorss%3DPID+-oargs+e", False), ("-ef", True), ("aux", True), ("-eo+pid,comm", True), ("", True)):  # fmt: skip
        asked = request("GET", f"/containers/x/top?ps_args={args}")
        assert plain.decide(asked).allowed
        decision = listed.decide(asked)
        assert decision.allowed is passes
        assert passes or "-ef, aux and -eo pid,comm pass" in decision.message
        podmans = request("GET", f"/libpod/containers/x/top?ps_args={args}")
        assert listed.decide(podmans).allowed


MARKED = [
    ("ServiceUpdate", "POST", "/services/x/update", b'{"Env": ["A=%b"]}'),
    ("ContainerCreate", "POST", "/containers/create", b'{"Env": ["A=%b"]}'),
    ("PluginSet", "POST", "/plugins/x/set", b'["A=%b"]'),
    ("LibpodSecretCreate", "POST", "/libpod/secrets/create?name=x", b"%b"),
]


@pytest.mark.parametrize(
    ("operation", "method", "target", "body"), MARKED, ids=[one[0] for one in MARKED]
)
def test_what_was_redacted_is_not_written_back(
    operation: str, method: str, target: str, body: bytes
) -> None:
    """A body with the marker is refused, whatever operation it is of and whether it is JSON or
    not; another one passes, and without `REDACT` both do."""
    for redact, marker, is_refused in (
        ("env", MARKER, True),
        ("env", MARKER_BYTES, True),
        ("labels", MARKER, True),
        ("env", "secret", False),
        ("none", MARKER, False),
    ):
        gate = Gate.enforcing(policy(operation, redact))
        found = judged(gate, method, target, body % marker.encode())
        assert isinstance(found, Refused) == is_refused
        if is_refused:
            assert found.decision.reason is Reason.REDACTED
            assert f"{operation} has {MARKER} in it" in found.decision.message


def test_the_query_of_a_write_may_hold_it_too() -> None:
    """What an image is committed or built with stands in the query."""
    gate = Gate.enforcing(policy("ImageCommit,ImageList", "env"))
    target = f"/commit?container=x&changes=ENV+A={MARKER}"
    assert isinstance(judged(gate, "POST", target, b""), Refused)
    assert isinstance(judged(gate, "GET", f"/images/json?x={MARKER}", b""), Passes)


def judged(gate: Gate, method: str, target: str, body: bytes) -> Found:
    """Judge a request of which nothing is asked but its body."""
    one = judging(gate, request(method, target), has_body=bool(body))
    found = go_on(one)
    while not isinstance(found, Passes | Refused):
        if isinstance(found, NeedRaw):
            found = go_on(one, body)
        elif isinstance(found, NeedBody):
            found = go_on(one, ParsedBody(jsonbody.parse(body)))
        else:
            found = go_on(one)
    return found


def test_a_file_that_is_cut_does_not_grant_more() -> None:
    """The line stands above what grants: below it a start says so."""
    text = "ALLOW_OPERATIONS=ContainerInspect\nREDACT=env\n"
    _, warnings = parse_policy_file(text, name="x")
    assert any("REDACT behind ALLOW_OPERATIONS" in one for one in warnings)
    text = "REDACT=env\nALLOW_OPERATIONS=ContainerInspect\n"
    assert parse_policy_file(text, name="x")[1] == ()


@pytest.mark.parametrize("name", ["REDACTED", "REDACT_ENV", "REDACTS"])
def test_names_that_are_near(name: str) -> None:
    """A name that can only be meant for it stops the start, and the hint has the right one."""
    with pytest.raises(ConfigError) as caught:
        parse_policy({"ALLOW_OPERATIONS": "SystemPing", name: "env"}, is_file=True)
    assert "REDACT=env" in (caught.value.hint or "")
