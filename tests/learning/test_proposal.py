"""What learning proposes to write, against a model and by hand."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.test_seen import granted
from tests.judge.judging import REACHABLE, passes
from trioproxy.api.matched import shown
from trioproxy.api.routes import OPERATIONS, SECTIONS
from trioproxy.errors import ConfigError, TrioProxyError
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import UNKNOWN, Sight, Who, route
from trioproxy.file.envfile import parse
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import ON_BY_DEFAULT
from trioproxy.learning.learnedfile import keep_foreign
from trioproxy.learning.minimize import opened_operations, uses_of
from trioproxy.learning.proposal import (
    Proposal,
    Quiet,
    check_text,
    decisions_on,
    env_text,
    exceeds,
    excess,
    listed_operations,
    propose,
    refuse_excess,
    refuse_restore,
    refused_operations,
)
from trioproxy.learning.wish import Wish
from trioproxy.learning.wording import describe_watch, span

WISH = Wish(name="app", file="app.env")
NAMES = st.sampled_from(REACHABLE)


def seen_route(operation: str) -> Sight:
    """An operation as it is seen by its first route."""
    endpoint = OPERATIONS[operation][0]
    method = "GET" if endpoint.method == "ANY" else endpoint.method
    section = "IMAGES" if endpoint.section == "ANY" else endpoint.section
    return route(operation, method, section)


def evidence_of(*used: str, failed: frozenset[str] = frozenset()) -> Evidence:
    """Evidence of one run in which some operations worked and some failed."""
    evidence = Evidence()
    evidence.begin("2026-11-24T10:15:00Z-1", 1_795_515_300)
    for operation in used:
        evidence.observe(seen_route(operation), "200", When(1_795_515_300), Who())
    for operation in failed:
        evidence.observe(seen_route(operation), "500", When(1_795_515_300), Who())
    return evidence


def granted_by(evidence: Evidence, old: str = "", wish: Wish = WISH) -> set[str]:
    """What the file grants that would be written, as read back from its text."""
    text = env_text(evidence, propose(evidence, old, wish), old, wish)
    return set(listed_operations(text, "app.env") or ())


@given(
    used=st.sets(NAMES, max_size=6),
    failed=st.sets(NAMES, max_size=3),
    by_hand=st.none() | st.sets(NAMES, max_size=4),
    once_granted=st.sets(NAMES, max_size=4),
    include_failed=st.booleans(),
)
def test_granted_is_what_was_used_and_what_a_person_wants(
    used: set[str],
    failed: set[str],
    by_hand: set[str] | None,
    once_granted: set[str],
    include_failed: bool,
) -> None:
    """Used, plus put in by hand, minus taken out by hand: exactly that, for any evidence."""
    failed -= used
    evidence = evidence_of(*used, failed=frozenset(failed))
    evidence.granted |= granted(*once_granted)
    old, model = "", set(used)
    if include_failed:
        model |= failed
    if by_hand is not None:
        old = f"ALLOW_OPERATIONS={','.join(sorted(by_hand))}\n"
        model = by_hand | (model - (once_granted - by_hand))
    assert (
        granted_by(evidence, old, replace(WISH, include_failed=include_failed)) == model
    )


@given(st.sets(NAMES, max_size=5))
def test_the_variables_of_the_comment_are_a_smallest_set(used: set[str]) -> None:
    """Pasted into tecnativa, the comment lets pass all that was learned; no 1 could be 0,
    and a 0 closes what tecnativa opens by itself."""
    evidence = evidence_of(*used)
    text = env_text(evidence, propose(evidence, "", WISH), "", WISH)
    (said,) = re.findall(r"(?m)^# tecnativa: (.*); opens (\d+) operations?", text)
    words = said[0].split() if said[0] != "as it is" else []
    variables = dict(word.split("=") for word in words)
    uses = [u for name in used for u in uses_of(name) if TECNATIVA.can_allow(*u)]

    def all_pass(values: dict[str, str]) -> bool:
        return all(TECNATIVA.allows(values, *use) for use in uses)

    assert all_pass(variables)
    for name, value in variables.items():
        if value == "1":
            assert not all_pass({**variables, name: "0"})
        else:
            assert TECNATIVA.defaults[name] == "1"
    assert int(said[1]) == len(opened_operations(variables, [TECNATIVA]))
    for name in ON_BY_DEFAULT - variables.keys():
        assert not all_pass({**variables, name: "0"})


def test_writing_is_repeatable() -> None:
    """A file that was written is written again without a change."""
    evidence = evidence_of("ContainerList", failed=frozenset({"ImageList"}))
    text = env_text(evidence, propose(evidence, "", WISH), "", WISH)
    assert env_text(evidence, propose(evidence, text, WISH), text, WISH) == text


def test_a_run_that_saw_nothing_new_changes_nothing() -> None:
    """Another run, on another day, of which something failed: the file stays as it is."""
    evidence = evidence_of("ContainerList")
    before = env_text(evidence, propose(evidence, "", WISH), "", WISH)
    evidence.begin("2026-12-01T00:00:00Z-2", 1_796_083_200)
    for name, status in (("ContainerList", "200"), ("ContainerStart", "404")):
        evidence.observe(seen_route(name), status, When(1_796_083_200), Who())
    assert env_text(evidence, propose(evidence, before, WISH), before, WISH) == before


def test_a_declined_operation_stays_out() -> None:
    """What a reviewer took out is neither granted again nor told of in the file."""
    evidence = evidence_of("ContainerList", "ContainerExec")
    evidence.granted |= granted("ContainerList", "ContainerExec")
    old = "ALLOW_OPERATIONS=ContainerList\n"
    proposal = propose(evidence, old, WISH)
    assert proposal.declined == {"ContainerExec"}
    assert proposal.added == frozenset()
    assert "ContainerExec" not in env_text(evidence, proposal, old, WISH)


def test_restore_grants_a_declined_operation_again() -> None:
    """A person can change their mind by name."""
    evidence = evidence_of("ContainerList", "ContainerExec")
    evidence.granted |= granted("ContainerList", "ContainerExec")
    wish = replace(WISH, restore=frozenset(granted("ContainerExec")))
    old = "ALLOW_OPERATIONS=ContainerList\n"
    assert granted_by(evidence, old, wish) == {"ContainerList", "ContainerExec"}


def test_without_a_list_nothing_counts_as_declined() -> None:
    """A file that was deleted is written anew from the whole evidence; one that lost its
    list, as by a cut, is an error: else what was declined would be granted again."""
    evidence = evidence_of("ContainerList")
    assert propose(evidence, "# notes\nTZ=UTC\n", WISH).declined == frozenset()
    evidence.granted |= granted("ContainerList")
    assert granted_by(evidence) == {"ContainerList"}
    with pytest.raises(ConfigError, match="says nothing of grants"):
        propose(evidence, "# notes\nTZ=UTC\n", WISH)


def test_what_only_ever_failed_is_never_declined_later() -> None:
    """An operation that failed in one run and works in the next is granted then."""
    evidence = evidence_of("ContainerList", failed=frozenset({"ImageList"}))
    proposal = propose(evidence, "", WISH)
    evidence.granted |= proposal.grants
    evidence.observe(seen_route("ImageList"), "200", When(1_795_515_300), Who())
    old = env_text(evidence, proposal, "", WISH)
    assert granted_by(evidence, old) == {"ContainerList", "ImageList"}


def test_routes_by_hand_stay() -> None:
    """What a person wrote as a method and template is kept, and is no operation to mark."""
    old = "ALLOW_OPERATIONS=GET:/images/{name}/sbom\n"
    evidence = evidence_of("ContainerList")
    assert granted_by(evidence, old) == {"ContainerList", "GET:/images/{name}/sbom"}
    assert propose(evidence, old, WISH).marks == {"ContainerList"}


def test_an_unknown_route_is_never_granted() -> None:
    """A route the table does not have is listed, whatever the Engine answered."""
    evidence = evidence_of("ContainerList")
    evidence.observe(
        route(UNKNOWN, "POST", "IMAGES"), "200", When(1_795_515_300), Who()
    )
    text = env_text(evidence, propose(evidence, "", WISH), "", WISH)
    policy, _ = parse_policy(parse(text, name="app.env"))
    assert "POST" not in text
    assert not passes(policy, "POST", "/images/x/frobnicate")


def test_a_ceiling_caps_what_was_used_before() -> None:
    """What older evidence holds beyond the ceiling is not granted, and is told."""
    ceiling, _ = parse_policy({"CONTAINERS": "1", "POST": "0"})
    evidence = evidence_of("ContainerList", "ContainerStart")
    wish = replace(WISH, ceiling=ceiling)
    proposal = propose(evidence, "", wish)
    assert proposal.granted == {"ContainerList"}
    assert proposal.capped == {"ContainerStart"}


def test_what_a_ceiling_hides_the_file_hides() -> None:
    """Else it would go beyond it from the first run on, and stop the second."""
    ceiling, _ = parse_policy(
        {"ALLOW_OPERATIONS": "ContainerInspect", "REDACT": "commands,env"}
    )
    wish = replace(WISH, ceiling=ceiling)
    evidence = evidence_of("ContainerInspect")
    text = env_text(evidence, propose(evidence, "", wish), "", wish)
    assert text.endswith("\nREDACT=env,commands\nALLOW_OPERATIONS=ContainerInspect\n")
    assert not excess(text, wish)
    assert env_text(evidence, propose(evidence, text, wish), text, wish) == text
    open_text = text.replace("REDACT=env,commands", "REDACT=none")
    assert excess(open_text, wish)
    by_hand = "# mine\n\n# a note\n\nALLOW_OPERATIONS=SystemPing\n"
    text = env_text(evidence, propose(evidence, by_hand, wish), by_hand, wish)
    assert text.count("\nREDACT=env,commands\n") == 1
    assert text.startswith("# mine\n\n# a note\n\n# Root")
    ceiling, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerInspect", "REDACT": "env"})
    hides_more = propose(
        evidence, "REDACT=env,commands\n", replace(WISH, ceiling=ceiling)
    )
    assert hides_more.redact == "env,commands"


@pytest.mark.parametrize("line", ["REDACT=env\n", "REDACT=none\n", ""])
def test_what_cannot_be_redacted_is_not_granted_where_answers_hide(line: str) -> None:
    """It could never pass there, and the file would not load; elsewhere it is granted."""
    used = frozenset({"ContainerInspect", "LibpodGenerateKube"})
    capped = frozenset({"LibpodGenerateKube"} if "env" in line else ())
    found = propose(evidence_of(*used), f"{line}ALLOW_OPERATIONS=\n", WISH)
    assert (found.granted, found.capped) == (used - capped, capped)


def test_an_output_beyond_its_ceiling_stops() -> None:
    """A file that already grants more than the ceiling is not quietly kept."""
    ceiling, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList"})
    wish = replace(WISH, ceiling=ceiling, within="max.env")
    refuse_excess("ALLOW_OPERATIONS=ContainerList\n", wish)
    with pytest.raises(
        ConfigError, match=r"app.env already grants what max.env refuses"
    ):
        refuse_excess("ALLOW_OPERATIONS=ImageList\n", wish)


@pytest.mark.parametrize(
    ("item", "variables", "beyond"),
    [
        pytest.param("ImageList", {"IMAGES": "1"}, False, id="section"),
        pytest.param("ImageList", {}, True, id="no-section"),
        pytest.param("SystemOptions", {"IMAGES": "1"}, True, id="in-part"),
        pytest.param("GET:/images/{n}/sbom", {"IMAGES": "1"}, False, id="route"),
        pytest.param("GET:/frob/{n}", {"IMAGES": "1"}, True, id="route-elsewhere"),
    ],
)
def test_what_exceeds_a_ceiling(
    item: str, variables: dict[str, str], beyond: bool
) -> None:
    """An operation is within a ceiling only if all of its routes are."""
    assert exceeds(item, parse_policy(variables)[0]) is beyond
    assert not exceeds(item, None)


def test_restoring_what_was_never_declined_stops() -> None:
    """A typing error in --restore is not passed over; what is granted already is fine."""
    evidence = evidence_of("ContainerList")
    evidence.granted |= granted("ContainerList", "ContainerExec")
    text = "ALLOW_OPERATIONS=ContainerList\n"
    refuse_restore(
        evidence, text, replace(WISH, restore=frozenset(granted("ContainerList")))
    )
    with pytest.raises(ConfigError, match="not among what was declined") as caught:
        refuse_restore(
            evidence, text, replace(WISH, restore=frozenset(granted("ContainrExec")))
        )
    assert caught.value.hint == "declined are: ContainerExec"
    wish = replace(WISH, restore=frozenset(granted("ContainerList")))
    refuse_restore(evidence_of(), text, wish)
    with pytest.raises(ConfigError, match="not among what was declined"):
        refuse_restore(evidence_of(), "", wish)


def test_a_file_of_section_variables_is_not_extended() -> None:
    """A coarse file is neither narrowed nor widened behind its owner's back."""
    with pytest.raises(ConfigError, match="grants by section variables"):
        propose(evidence_of("ContainerList"), "CONTAINERS=1\n", WISH)


def test_a_file_that_cannot_be_read_stops() -> None:
    """A broken file is reported with its line, and nothing is proposed for it; what is torn
    would count as declined."""
    with pytest.raises(ConfigError, match=r"app.env, line 2"):
        propose(evidence_of(), "TZ=UTC\nALLOW_OPERATIONS='x'\n", WISH)
    with pytest.raises(ConfigError, match="does not end in a line end"):
        propose(evidence_of(), "TZ=UTC", WISH)


@pytest.mark.parametrize("end", ["", "ALLOW_OPERATIONS=\n"], ids=["", "list"])
def test_faults_of_a_file_are_told_at_once(end: str) -> None:
    """A file that was begun by hand is judged before there is anything to learn, and not when
    it is written; what learning would add to one without grants is no fault."""
    for fault, said in {
        "allow_operations=ContainerList": "allow_operations in app.env:2 is not known",
        "CREATE_BINDS=srv": "not an absolute path .app.env:2.",
        "REDACT=nonsense": "'nonsense' in app.env:2",
        "ONLY_OWNER=me": "ONLY_OWNER in app.env:2 limits nothing by itself",
    }.items():
        with pytest.raises(ConfigError, match=said):
            listed_operations(f"TZ=UTC\n{fault}\n{end}", "app.env")
        ceiling = replace(WISH, ceiling=parse_policy({})[0])
        with pytest.raises(ConfigError, match=said):
            refuse_excess(f"TZ=UTC\n{fault}\n", ceiling)
    for line in (
        "ONLY_CONTAINERS=@own",
        "CREATE_NETWORK=n",
        "CREATE_BINDS={base}/x",
        "",
    ):
        assert listed_operations(f"TZ=UTC\n{line}\n", "app.env") is None


def test_lines_of_others_survive_starting_over() -> None:
    """--fresh forgets what learning wrote and keeps what others did."""
    old = "# ours\nTZ=UTC\n"
    evidence = evidence_of("ContainerList")
    text = env_text(evidence, propose(evidence, old, WISH), old, WISH)
    assert keep_foreign(text) == old
    assert keep_foreign("") == ""


def test_a_file_that_would_refuse_what_was_learned_is_a_bug() -> None:
    """The text is read back and the evidence replayed, before anything is written."""
    evidence = evidence_of("ContainerList", "ImageList")
    proposal = propose(evidence, "", WISH)
    text = env_text(evidence, proposal, "", WISH)
    check_text(text, proposal, evidence, file="app.env")
    for other, wanted in (
        (text.replace("=ContainerList,", "="), proposal),
        (f"CREATE_CAPS=KILL\n{text}", proposal),
        ("CONTAINERS=1\n", Proposal()),
    ):
        with pytest.raises(TrioProxyError, match="would not grant what was learned"):
            check_text(other, wanted, evidence, file="app.env")


@pytest.mark.parametrize("operation", REACHABLE)
def test_every_operation_can_be_replayed(operation: str) -> None:
    """What a shape stands for is allowed by its own grant, and by no list without it."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": operation})
    nothing, _ = parse_policy({"ALLOW_OPERATIONS": ""})
    decisions = list(decisions_on(policy, seen_route(operation)))
    assert decisions
    assert all(one.allowed for one in decisions)
    assert not any(one.allowed for one in decisions_on(nothing, seen_route(operation)))


@pytest.mark.parametrize("operation", REACHABLE)
def test_each_request_that_a_shape_may_have_been_is_replayed(operation: str) -> None:
    """A shape does not say by which of its routes it came: none of them is left out."""
    shape = seen_route(operation)
    nothing, _ = parse_policy({"ALLOW_OPERATIONS": ""})
    refused = [one.message for one in decisions_on(nothing, shape)]
    assert refused == [
        f"{shown(shape.method, one, '')} is not allowed: add {operation} to ALLOW_OPERATIONS"
        for one in shape.endpoints
    ]


@pytest.mark.parametrize("section", SECTIONS)
def test_options_are_replayed_in_their_own_section(section: str) -> None:
    """Where it was seen, it has to pass: that another section is open is not enough."""
    shape = route("SystemOptions", "OPTIONS", section)
    for name in SECTIONS:
        policy, _ = parse_policy(
            {"POST": "1", "PING": "0", "EVENTS": "0", "VERSION": "0", name: "1"}
        )
        (decision,) = decisions_on(policy, shape)
        assert decision.allowed is (name == section)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (720, "12 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
    ids=["seconds", "minutes", "hours", "days"],
)
def test_spans_are_for_people(seconds: int, text: str) -> None:
    """A time span has one or two units."""
    assert span(seconds) == text


def test_a_run_that_used_nothing_names_no_newest() -> None:
    """There is no run 0: who used nothing is told that nothing was new."""
    assert describe_watch(evidence_of().completeness()).endswith(" s, nothing new")
    used = evidence_of("ContainerList").completeness()
    assert describe_watch(used).endswith(" s, last new in run 1")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("90s", Quiet(seconds=90), id="seconds"),
        pytest.param("30m", Quiet(seconds=1_800), id="minutes"),
        pytest.param("2h", Quiet(seconds=7_200), id="hours"),
        pytest.param("1d", Quiet(seconds=86_400), id="days"),
        pytest.param("3runs", Quiet(runs=3), id="runs"),
        pytest.param("1 run", Quiet(runs=1), id="one-run"),
    ],
)
def test_quiet_is_read(text: str, wanted: Quiet) -> None:
    """A time or a number of runs says when evidence is taken as complete."""
    assert Quiet.parse(text) == wanted


@pytest.mark.parametrize("text", ["", "30", "0m", "-1h", "30min", "runs", "1.5h"])
def test_quiet_that_is_not_understood_stops(text: str) -> None:
    """No wish is guessed."""
    with pytest.raises(ConfigError, match="bad value --until-quiet"):
        Quiet.parse(text)


def test_ready_is_said_honestly() -> None:
    """Ready after enough watching without anything new; never where nothing was used."""
    evidence = evidence_of("ContainerList")
    quiet = Quiet.parse("30m")
    assert quiet.describe(evidence.completeness()) == (
        "not ready: nothing new in 0 s only (asked: 30 min)"
    )
    evidence.end(When(1_795_515_300 + 2_400, 2_400))
    assert quiet.describe(evidence.completeness()) == (
        "ready: nothing new in 40 min (asked: 30 min)"
    )
    runs = Quiet.parse("1runs")
    assert not runs.is_reached(evidence.completeness())
    evidence.begin("2026-12-01", 1_796_083_200)
    assert runs.describe(evidence.completeness()) == (
        "ready: nothing new in 1 run (asked: 1 run)"
    )
    assert not Quiet(seconds=1).is_reached(Evidence().completeness())


CLIENT_TEXT = st.text(
    st.sampled_from("aZ9./-_ \n\r\t\0\"'`$(){}#=,;%\\*\u00e9\u2028\x7f"), max_size=40
)


@given(name=CLIENT_TEXT, agent=CLIENT_TEXT, client=CLIENT_TEXT)
def test_no_text_from_outside_makes_a_line(name: str, agent: str, client: str) -> None:
    """Whatever a client or a name says, the file has the lines that learning wrote."""
    evidence = evidence_of("ContainerList")
    evidence.observe(
        seen_route("ImageList"), "200", When(1_795_515_300), Who(agent, client, name)
    )
    wish = replace(WISH, name=name)
    text = env_text(evidence, propose(evidence, "", wish), "", wish)
    plain = env_text(evidence, propose(evidence, "", WISH), "", WISH)
    assert text.partition("\n#\n")[2] == plain.partition("\n#\n")[2]
    assert re.fullmatch(r"[ -~\n]*", text)
    assert {*parse(text, name="x")} == {"ALLOW_OPERATIONS"}


def test_a_policy_that_refuses_what_was_used_is_a_bug() -> None:
    """The replay stops a file whose policy would refuse a request that was used."""
    evidence = evidence_of("ContainerList", "ImageList")
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ImageList"})
    assert not [*refused_operations(policy, evidence, frozenset({"ImageList"}))]
    refused = [*refused_operations(policy, evidence, frozenset({"ContainerList"}))]
    assert refused == ["ContainerList, which was used"]
    proposal = Proposal(granted=frozenset({"ContainerList"}))
    with pytest.raises(TrioProxyError, match=r"bug: app\.env would not grant"):
        check_text("ALLOW_OPERATIONS=ImageList\n", proposal, evidence, file="app.env")
