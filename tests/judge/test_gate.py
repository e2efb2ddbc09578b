"""What a gate decides: enforcing, learning, trying out."""

from dataclasses import replace

import pytest

from tests.judge.judging import found_of, judge, judged, outcome_of
from trioproxy.api.decoding import Json
from trioproxy.api.edits import Edit
from trioproxy.api.families import Hides
from trioproxy.api.form import Asked
from trioproxy.api.matched import Request
from trioproxy.api.redaction import Redaction
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, NeedBody, ParsedBody, Passes, go_on, judging
from trioproxy.judge.outcome import Verdict
from trioproxy.judge.replay import replay
from trioproxy.judge.rules import Reason, refuse
from trioproxy.limits.objects import OWNER_LABEL, own_alone


def needs_body(gate: Gate, method: str, target: bytes) -> bool:
    return isinstance(found_of(gate, method, target), NeedBody)


def test_learning_lets_everything_pass() -> None:
    """Without a ceiling even what the table does not know goes to the Engine."""
    gate = Gate.learning()
    for method, target in [("POST", b"/containers/create"), ("PATCH", b"/new/thing")]:
        decision = judged(gate, method, target, is_read=True).decision
        assert (decision.allowed, decision.reason) == (True, Reason.LEARNING)


def test_who_learns_as_if_alone_is_told_no_more_than_the_ceiling_tells() -> None:
    """What a ceiling without lists redacts is hidden in the client's own answers as well."""
    hiding, _ = parse_policy(
        {"ALLOW_OPERATIONS": "ContainerInspect,ContainerList", "REDACT": "env"}
    )
    own = own_alone("app")
    alone = Gate.learning(hiding, objects=own, is_alone=True)
    assert alone.showings["ContainerInspect"].redaction == Redaction({Hides.ENV})
    assert alone.showings["ContainerList"].redaction == Redaction({Hides.ENV})
    free = Gate.learning(objects=own, is_alone=True)
    assert free.showings["ContainerList"].redaction is None


def test_trying_out_hides_nothing_and_learning_what_its_ceiling_hides() -> None:
    """So docs/answers.md and docs/redacting.md say: a policy on trial shows strangers and secrets."""
    hiding, _ = parse_policy(
        {"ALLOW_OPERATIONS": "ContainerList", "REDACT": "env", "ONLY_CONTAINERS": "web"}
        | {"ONLY_OWNER": "app"}
    )
    below, enforced = Gate.learning(hiding), Gate.enforcing(hiding)
    assert below.showings == enforced.showings
    assert "ContainerList" in enforced.showings
    assert not Gate.trying(hiding).showings
    assert not Gate.learning().showings


def test_learning_reads_what_can_be_limited_unless_routes_alone_are_learned() -> None:
    """A create waits for its body, to be marked; an update where arguments are learned."""
    create = ("POST", b"/containers/create")
    update = ("POST", b"/containers/x/update")
    ceiling, _ = parse_policy(
        {"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": "/a"}
    )
    assert needs_body(Gate.learning(), *create)
    routes = Gate.learning(learns_arguments=False)
    assert needs_body(Gate.learning(), *update)
    assert not needs_body(routes, *update)
    assert needs_body(Gate.learning(ceiling, learns_arguments=False), *create)
    marked = judged(routes, *create, body={}, is_read=True).asked
    assert marked == Asked(
        (), "", {}, b"", is_whole=False, edits=(Edit(("Labels", OWNER_LABEL), ""),)
    )
    body: Json = {"HostConfig": {"Binds": ["/etc:/x"]}}
    verdict = judged(Gate.learning(), *create, body=body, is_read=True)
    assert verdict.decision.allowed
    assert (
        [one.value for one in verdict.asked.arguments] == ["/etc", ""]
        if verdict.asked
        else False
    )
    refusal = judged(Gate.learning(ceiling), *create, body=body, is_read=True).decision
    assert not refusal.allowed
    assert refusal.message.endswith(
        "which CREATE_BINDS does not list; so says the ceiling (--within)"
    )


READING, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList"})


def test_a_shadow_lets_pass_and_says_what_it_would_refuse() -> None:
    """The word in the log is another one."""
    gate = Gate.trying(READING, source="app.env")
    allowed = judged(gate, "GET", b"/containers/json")
    other = judged(gate, "GET", b"/images/json")
    assert (allowed.decision.allowed, allowed.decision.word) == (True, "allowed")
    assert (other.decision.allowed, other.decision.word) == (True, "would-refuse")
    assert other.decision.message == READING.decide(other.request).message
    assert gate.describe() == "mode=shadow operations=1 source=app.env"


@pytest.mark.parametrize("reason", Reason)
def test_of_which_refusals_a_person_is_asked(reason: Reason) -> None:
    """Of those that a line of the file would let pass: its message says by which command. Of
    what no table knows, or no variable refuses, nobody is asked, and where nobody can be."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList"})
    gate = Gate.enforcing(policy, approve="trioproxy approve")
    listed = ("CREATE_BINDS", "/srv")
    if reason is Reason.OBJECT:
        listed = ("ONLY_CONTAINERS", "web")
    refusal = refuse(reason, listed[0], "no", listed[1])
    asks = reason in {Reason.OPERATION, Reason.UNCONFINED, Reason.UNLIMITABLE, Reason.ARGUMENT, Reason.OBJECT}  # fmt: skip
    told = gate.says(refusal)
    assert (told.allowed, told.status) == (False, 403)
    assert told.message == ("no; trioproxy approve # asks about it" if asks else "no")
    assert gate.says(refusal, is_known=False) == refusal
    assert Gate.enforcing(policy).says(refusal) == refusal
    assert gate.says(refuse(reason, "", "no")).message == "no"
    assert gate.says(refuse(Reason.OBJECT, "EXEC_COMMANDS", "no", "sh")).message == "no"
    unknown = judged(gate, "POST", b"/containers/x/frobnicate").decision
    assert "trioproxy approve" not in unknown.message
    known = judged(gate, "POST", b"/containers/x/start").decision
    assert known.message.endswith("; trioproxy approve # asks about it")


def test_the_start_line_names_what_nothing_limits() -> None:
    """Families that are granted and open are named; limited ones are not."""
    granted = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerExec"}
    policy, _ = parse_policy(granted)
    assert Gate.enforcing(policy).describe() == (
        "mode=exact operations=2 unlimited=CREATE,EXEC source=environment"
    )
    policy, _ = parse_policy({**granted, "CREATE_BINDS": "", "EXEC_USERS": "app"})
    assert (
        Gate.enforcing(policy).describe()
        == "mode=exact operations=2 source=environment"
    )


def test_what_is_limited_needs_its_body() -> None:
    """A request that is limited, or marked, is not decided before its body is read."""
    limited = {"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": ""}
    gate = Gate.enforcing(parse_policy(limited)[0])
    assert needs_body(gate, "POST", b"/containers/create")
    assert judged(gate, "POST", b"/containers/create", is_read=True).decision.allowed
    granted = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerUpdate,ImageBuild"}
    open_gate = Gate.enforcing(parse_policy(granted)[0])
    assert needs_body(open_gate, "POST", b"/containers/create")
    for target in (b"/containers/x/update", b"/build"):
        assert judged(open_gate, "POST", target).decision.allowed


def test_others_have_their_turn_before_a_body_is_judged() -> None:
    """What was read is compared with lists in a step of its own: all else of a small one is one."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": "/srv"})  # fmt: skip
    asked = Request.parse("POST", b"/containers/create")
    one = judging(Gate.enforcing(policy), asked, has_body=True)
    assert isinstance(go_on(one), NeedBody)
    assert go_on(one, ParsedBody({"HostConfig": {"Binds": ["/srv:/x"]}})) is None
    assert not isinstance(go_on(one), NeedBody | None)


def test_what_is_under_way_is_judged_again_by_what_it_asks_for() -> None:
    """After a reload, what was read of a request counts for the new limits too."""

    granted = {"ALLOW_OPERATIONS": "ContainerCreate,ImageBuild"}

    def gate(**limits: str) -> Gate:
        return Gate.enforcing(parse_policy({**granted, **limits})[0])

    body: Json = {"HostConfig": {"Binds": ["/a:/b"]}}
    create = judged(
        gate(CREATE_BINDS="/a"), "POST", b"/containers/create", body=body, is_read=True
    )
    build = judged(gate(), "POST", b"/build?networkmode=host")
    for verdict in (create, build):
        assert verdict.decision.allowed
        assert replay(gate(), verdict).allowed
    assert replay(gate(CREATE_BINDS="/a,/c"), create).allowed
    assert not replay(gate(CREATE_BINDS="/c"), create).allowed
    assert not replay(gate(BUILD_OPTIONS=""), build).allowed
    marked = judged(gate(), "POST", b"/containers/create", body=body, is_read=True)
    assert replay(gate(), marked).allowed
    assert replay(gate(CREATE_BINDS="/a"), marked).allowed
    assert not replay(gate(CREATE_BINDS="/c"), marked).allowed
    loose: Json = {"tty": True, "TTY": True}
    marked = judged(gate(), "POST", b"/containers/create", body=loose, is_read=True)
    assert replay(gate(), marked).allowed
    assert not replay(gate(CREATE_BINDS="/a"), marked).allowed
    shadow = Gate.trying(parse_policy({**granted, "BUILD_OPTIONS": ""})[0])
    assert replay(shadow, build).would_refuse


def test_what_went_on_is_judged_again_by_words_alone() -> None:
    """What was asked for counts, also without the body; what was not read passes if it is at the Engine."""

    def gate(**limits: str) -> Gate:
        granted = {"ALLOW_OPERATIONS": "ContainerCreate"}
        return Gate.enforcing(parse_policy({**granted, **limits})[0])

    def create(gate: Gate) -> Verdict:
        body: Json = {"HostConfig": {"Binds": ["/a:/b"]}}
        one = judged(gate, "POST", b"/containers/create", body=body, is_read=True)
        assert one.decision.allowed
        words = one.in_words()
        assert words.asked is not None
        assert words.asked.body is None
        assert not words.asked.named
        return words

    limited, marked = create(gate(CREATE_BINDS="/a")), create(gate())
    assert limited.size > marked.size == 0
    # Who keeps what became of it keeps no argument, and nothing twice of what is short.
    kept = outcome_of(limited, 201).short()
    assert kept.verdict is not None
    assert (kept.verdict.asked, kept.verdict.decision) == (None, limited.decision)
    assert kept.short() is kept
    assert replay(gate(CREATE_BINDS="/a,/c"), limited).allowed
    assert not replay(gate(CREATE_BINDS="/c"), limited).allowed
    assert replay(gate(CREATE_BINDS="/c"), marked).allowed
    assert replay(gate(), marked, is_sent=False).allowed
    assert not replay(gate(CREATE_BINDS="/a"), marked, is_sent=False).allowed
    objects = gate(ONLY_CONTAINERS="x", ONLY_OWNER="o")
    for one in (limited, marked):
        assert replay(gate(), one).allowed
        assert not replay(objects, one).allowed


def test_a_creation_on_its_way_keeps_no_form_of_before() -> None:
    """What would now lack MKNOD, or be another's, passes only if it is at the Engine."""

    def gate(operations: str, owner: str = "app") -> Gate:
        limits = {"CREATE_BINDS": "", "ONLY_CONTAINERS": "@own", "ONLY_OWNER": owner}
        granted = {"ALLOW_OPERATIONS": operations}
        return Gate.enforcing(parse_policy({**granted, **limits})[0])

    before = gate("ContainerCreate,NetworkCreate")
    one = judged(before, "POST", b"/containers/create", body={}, is_read=True)
    assert one.decision.allowed
    verdict = one.in_words()
    assert replay(before, verdict, is_sent=False).allowed
    packing = gate("ContainerCreate,ContainerExport")
    for after in (packing, gate("ContainerCreate", owner="other")):
        assert replay(after, verdict, is_sent=True).allowed
        assert not replay(after, verdict, is_sent=False).allowed
    # All that has a form of a build stands in its head.
    build = judged(gate("ImageBuild"), "POST", b"/build?networkmode=none")
    assert replay(gate("ImageBuild", owner="other"), build, is_sent=False).allowed


def test_what_errors_would_tell_is_no_form_of_a_request() -> None:
    """A creation that is still being sent goes on where the lists that it was judged by are gone."""
    granted = {"ALLOW_OPERATIONS": "ContainerCreate,NetworkCreate"}
    lists = {"ONLY_CONTAINERS": "web", "ONLY_NETWORKS": "*", "ONLY_VOLUMES": "*"}
    before, after = (
        Gate.enforcing(parse_policy(one)[0]) for one in (granted | lists, granted)
    )
    target = b"/networks/create"
    one = judged(before, "POST", target, body={"Name": "n"}, is_read=True)
    assert one.decision.allowed
    assert (before.form.conceals, after.form.conceals) == (True, False)
    assert replay(after, one.in_words(), is_sent=False).allowed


def test_what_is_still_to_come_of_a_body_is_refused_by_new_limits() -> None:
    """A body that nothing limited when it began passes only if all of it is at the Engine."""

    granted = {"ALLOW_OPERATIONS": "ContainerExec,ImageLoad"}

    def gate(**limits: str) -> Gate:
        return Gate.enforcing(parse_policy({**granted, **limits})[0])

    verdict = judged(gate(), "POST", b"/containers/x/exec")
    after = gate(EXEC_PRIVILEGED="0")
    assert verdict.decision.allowed
    assert replay(after, verdict, is_sent=True).allowed
    assert not replay(after, verdict, is_sent=False).allowed
    assert replay(gate(), verdict, is_sent=False).allowed
    shadow = Gate.trying(parse_policy({**granted, "EXEC_PRIVILEGED": "0"})[0])
    assert replay(shadow, verdict, is_sent=False).would_refuse


CREATIONS = [
    ("POST", b"/containers/create"), ("POST", b"/networks/create"),
    ("POST", b"/volumes/create"), ("POST", b"/commit"),
]  # fmt: skip
OPEN: list[dict[str, str]] = [
    {**dict.fromkeys(("CONTAINERS", "NETWORKS", "VOLUMES", "COMMIT", "POST"), "1")},
    {"ALLOW_OPERATIONS": "ContainerCreate,NetworkCreate,VolumeCreate,ImageCommit"},
]


@pytest.mark.parametrize(("method", "target"), CREATIONS)
@pytest.mark.parametrize("variables", OPEN, ids=["sections", "exact"])
def test_what_nothing_limits_is_marked(
    variables: dict[str, str], method: str, target: bytes
) -> None:
    """Through every policy, with nothing else added, left out or asked; and no other label
    of ours passes, but is only told of where the policy is tried out."""
    policy, _ = parse_policy(variables)
    # Unknown, old and odd fields, in any case: all go on.
    body: dict[str, Json] = {"Binds": ["/:/x"], "frob": {"A": None, "a": 0}, "Name": ""}
    passed = found_of(Gate.enforcing(policy), method, target, body=body, is_read=True)
    assert isinstance(passed, Passes)
    assert passed.sent is not None
    is_commit = target == b"/commit"
    labels: dict[str, Json] = {} if is_commit else {"Labels": {OWNER_LABEL: ""}}
    assert passed.sent.body == body | labels
    assert bool(passed.sent.query) is is_commit
    given: Json = {**body, "labels": {"trioproxy.policy": "x"}}
    for gate in (Gate.enforcing(policy), Gate.trying(policy)):
        verdict = judged(gate, method, target, body=given, is_read=True)
        is_shadow = gate.only_tries
        assert verdict.decision.word == ("would-refuse" if is_shadow else "refused")
        assert "labels that begin with trioproxy. are the proxy's" in verdict.decision.message  # fmt: skip
    assert judged(
        Gate.learning(), method, target, body={}, is_read=True
    ).decision.allowed


def test_what_is_told_of_a_creation_that_nothing_limits() -> None:
    """For the log it is read as if it were limited; what cannot be read so passes, untold."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate"})
    gate = Gate.enforcing(policy)
    cases: list[tuple[Json, list[str]]] = [
        (["/etc:/x"], ["/etc", "x:latest"]),
        ("no list", []),
    ]
    for binds, told in cases:
        body: Json = {"HostConfig": {"Binds": binds}, "Image": "x"}
        for audits, values in ((True, told), (False, [])):
            one = replace(gate, audits=audits)
            verdict = judged(one, "POST", b"/containers/create", body=body, is_read=True)  # fmt: skip
            assert verdict.decision.allowed
            assert verdict.asked is not None
            assert [each.value for each in verdict.asked.told] == values


def test_what_would_be_refused_is_not_read() -> None:
    """A creation that a shadow's policy does not open goes on as it comes."""
    verdict = judged(Gate.trying(READING), "POST", b"/containers/create")
    assert (verdict.decision.word, verdict.asked) == ("would-refuse", None)


def test_a_ceiling_takes_the_label_of_learning_for_ours() -> None:
    """Learning labels by its own owner, within a policy that has none."""
    ceiling, _ = parse_policy({"ALLOW_OPERATIONS": "NetworkCreate"})
    gate = Gate.learning(ceiling, objects=own_alone("ci"))
    body: Json = {"Name": "n"}
    verdict = judged(gate, "POST", b"/networks/create", body=body, is_read=True)
    assert verdict.asked is not None
    assert not verdict.asked.claims
    assert verdict.decision.allowed


def test_a_fingerprint_tells_limits_apart() -> None:
    """Two policies that differ in a limit alone are two."""
    granted = {"ALLOW_OPERATIONS": "ContainerCreate"}
    prints = {
        parse_policy({**granted, **limits})[0].fingerprint
        for limits in (
            {},
            {"CREATE_BINDS": ""},
            {"CREATE_BINDS": "/a"},
            {"CREATE_CAPS": ""},
        )
    }
    assert len(prints) == 4


def test_a_start_from_a_checkpoint_passes_where_one_may_be_made() -> None:
    """A folder of the host that a container is restored from is limited by no variable, and who
    may only start containers has root by it: it holds processes with all capabilities."""
    granted = {"ALLOW_OPERATIONS": "ContainerStart"}
    both = {"ALLOW_OPERATIONS": "ContainerStart,CheckpointCreate"}
    for file in (
        granted,
        {"ALLOW_START": "1"},
        {**both, "CREATE_BINDS": "/srv"},
        {"CONTAINERS": "1", "POST": "1", "CREATE_BINDS": "/srv"},
    ):
        gate = Gate.enforcing(parse_policy(file)[0])
        for query in (b"checkpoint=c", b"x=y&%63heckpoint-dir=/srv", b"checkpoint=c&a"):
            verdict = judged(gate, "POST", b"/containers/x/start?" + query)
            assert verdict.decision.reason is Reason.UNLIMITABLE
        for query in (b"", b"?detachKeys=x", b"?checkpoint=", b"?Checkpoint=c"):
            assert judged(gate, "POST", b"/containers/x/start" + query).decision.allowed
    start = "/containers/x/start?checkpoint=../../../srv/c"
    named = {"ONLY_CONTAINERS": "x", "ONLY_NETWORKS": "", "ONLY_VOLUMES": ""}
    assert not judge({**granted, **named}, "POST", start).allowed
    for file in (both, {**both, **named}, {"CONTAINERS": "1", "POST": "1"}):
        assert judge(file, "POST", start).allowed


def test_nothing_of_a_container_is_run_to_learn_whose_files_are_copied_in() -> None:
    """By copyUIDGID Engines before 28 run the container's own getent as root: beside limits only keys that are known pass."""
    granted, limits = {"ALLOW_OPERATIONS": "PutContainerArchive"}, {"CREATE_BINDS": ""}
    put = "/containers/web/archive?path=/bin"
    for more in ("copyUIDGID=1", "copyUIDGID=f", "CopyUidGid=t", "copyUIDGI%44=%20x", "copyUIDGID=0&copyUIDGID=1", "rename=%7B%7D", "new=1"):  # fmt: skip
        decision = judge({**granted, **limits}, "PUT", f"{put}&{more}")
        assert decision.reason is Reason.UNLIMITABLE, more
        assert judge(granted, "PUT", f"{put}&{more}").allowed
    for same in ("", "&noOverwriteDirNonDir=true", "&copyUIDGID=false", "&copyUIDGID=0", "&copyUIDGID="):  # fmt: skip
        assert judge({**granted, **limits}, "PUT", put + same).allowed, same


MORE = {
    b"/containers/x/changes": ("GET", b"Parent=f", b"parent=&x=f"),
    b"/images/x/push": ("POST", b"Destination=dir:/etc", b"tag=1&destination="),
    b"/networks/x": ("DELETE", b"force=false&FORCE=t", b"force=0"),
    b"/secrets/x": ("GET", b"%73howsecret=1", b"showsecret=false&x=1"),
}


@pytest.mark.parametrize("path", MORE)
def test_what_podman_alone_does_is_no_part_of_dockers_operations(path: bytes) -> None:
    """A key of which Docker reads nothing writes files, removes containers, tells of others and secrets there."""
    method, more, same = MORE[path]
    names = "ContainerChanges,ImagePush,NetworkDelete,SecretInspect"
    opened = ("CONTAINERS", "IMAGES", "NETWORKS", "SECRETS", "POST")
    sections = dict.fromkeys(opened, "1")
    for variables in ({"ALLOW_OPERATIONS": names}, sections):
        gate = Gate.enforcing(parse_policy(variables)[0])
        decision = judged(gate, method, path + b"?" + more).decision
        assert decision.reason is Reason.UNLIMITABLE
        assert "by which Podman" in decision.message
        assert judged(gate, method, path + b"?" + same).decision.allowed
    closed = Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "SystemPing"})[0])
    decision = judged(closed, method, path + b"?" + more).decision
    assert decision.reason is not Reason.UNLIMITABLE


PUT = ("PUT", b"/containers/c/archive?path=/")


def test_a_tar_is_rewritten_where_creations_are_limited() -> None:
    """Only there, and only by what enforces it: a shadow changes nothing that passes."""
    granted = {"ALLOW_OPERATIONS": "ContainerList,PutContainerArchive"}
    limited, _ = parse_policy(granted | {"CREATE_BINDS": ""})
    execs, _ = parse_policy(granted | {"EXEC_PRIVILEGED": "0"})
    free, _ = parse_policy(granted)
    assert judged(Gate.enforcing(limited), *PUT).unpacks
    assert judged(Gate.learning(limited), *PUT).unpacks
    assert not judged(Gate.enforcing(limited), "GET", b"/containers/json").unpacks
    for gate in (
        *(Gate.enforcing(free), Gate.enforcing(execs), Gate.trying(limited)),
        *(Gate.learning(), Gate.learning(free)),
    ):
        assert not judged(gate, *PUT).unpacks


def test_a_tar_that_passes_as_it_is_ends_with_the_policy_that_let_it() -> None:
    """A policy of now that limits creations cuts it; one that was rewritten goes on."""
    granted = {"ALLOW_OPERATIONS": "PutContainerArchive"}
    free, _ = parse_policy(granted)
    limited, _ = parse_policy(granted | {"CREATE_BINDS": ""})
    verbatim = judged(Gate.enforcing(free), *PUT)
    unread = replay(Gate.enforcing(limited), verbatim)
    assert (unread.allowed, unread.message) == (
        False,
        "what it asks for is limited, and was not read",
    )
    rewritten = judged(Gate.enforcing(limited), *PUT)
    assert replay(Gate.enforcing(limited), rewritten).allowed
    assert replay(Gate.enforcing(free), rewritten).allowed
