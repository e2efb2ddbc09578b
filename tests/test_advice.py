"""Every advice that is printed, taken as text: it is applied, the file loads, and what was
refused passes.

The advices are those of refusals, of what was recorded beside a file (`review.sheet`), of
the questions of `approve`, of the end of a learning, and of its errors; files are the
shipped ones and random ones of every kind.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.commands.running import run
from tests.deciding import Door
from tests.depth import by_depth
from tests.judge import within
from tests.judge.judging import REACHABLE, judged, of_endpoint, outcome_of
from tests.learned.learning import LEARNED
from tests.learning.test_lists import File, bind, create, execute
from tests.test_shipped_files import every_file
from trioproxy.api.decoding import Json
from trioproxy.api.families import FAMILIES, Family, Kind
from trioproxy.api.matched import Request
from trioproxy.api.nodes import MAKE_IT_ANEW
from trioproxy.api.routes import OPERATIONS, OPTIONS
from trioproxy.errors import ConfigError
from trioproxy.evidence import evidencefile
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy_file
from trioproxy.file.variables import LIBPOD_VARIABLES, SWITCHES, VERBS
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Policy
from trioproxy.learning.flows import unseen_states
from trioproxy.limits.objects import OWNER_LABEL
from trioproxy.limits.things import Known, Missing, describe
from trioproxy.proxy.holding import wanted
from trioproxy.review.sheet import additions, sheet_of

OPERATIONS_OF_A_FILE = 12
"""So many of each file are asked for."""
ALLOW = "ALLOW_OPERATIONS"


# --- Following ------------------------------------------------------------------------


def loaded(text: str) -> Policy:
    return parse_policy_file(text, name="app.env")[0]


def with_line(text: str, line: str) -> str:
    """Put a line into a file: in the place of the one that sets the same, or above the list."""
    name, _, _ = line.partition("=")
    lines = text.splitlines()
    names = [one.partition("=")[0] for one in lines]
    if name in names:
        lines[names.index(name)] = line
    else:
        lines.insert(names.index(ALLOW) if ALLOW in names else len(names), line)
    return "".join(f"{one}\n" for one in lines)


def with_item(text: str, variable: str, item: str) -> str:
    """Add an item to a list, or begin it."""
    listed = envfile.parse(text, name="app.env").get(variable, "")
    return with_line(text, f"{variable}={listed},{item}" if listed else f"{variable}={item}")  # fmt: skip


def followed(text: str, said: str) -> str:
    """Do what an advice says, and nothing that it does not say."""
    if found := re.search(r"add (\w+(?: and \w+)*) to (ALLOW_OPERATIONS)", said):
        for name in found[1].split(" and "):
            text = with_item(text, found[2], name)
    elif found := re.search(r": set (\w+=1(?: and \w+=1)*)$", said):
        for line in found[1].split(" and "):
            text = with_line(text, line)
    elif found := re.search(r"^(\w+) \(.*: name it in (ALLOW_OPERATIONS)$", said):
        text = with_item(text, found[2], found[1])
    elif found := re.search(r"\badd ([A-Z_]+=\S*)(?: and ([A-Z_]+=\S*))?$", said):
        for line in filter(None, found.groups()):
            text = with_line(text, line)
    else:
        raise AssertionError(f"no advice: {said}")
    return text


def refused(text: str, names: list[str]) -> Iterator[tuple[Request, str]]:
    """The requests of some operations that a file refuses by their routes, and its words."""
    gate = Gate.enforcing(loaded(text))
    for name in names:
        for request in of_endpoint(OPERATIONS[name][0]):
            decision = gate.decide(request)
            if not decision.allowed:
                yield request, decision.message


# --- Refusals -------------------------------------------------------------------------


@every_file
def test_a_refusal_by_a_shipped_file(file: Path) -> None:
    """What a refusal says lets the request pass, in each file that is shipped."""
    text = file.read_text()
    policy = loaded(text)
    closed = [name for name in REACHABLE if not policy.opens(name)]
    names = random.Random(file.stem).sample(closed, OPERATIONS_OF_A_FILE)
    taken = list(refused(text, names))
    assert taken
    for request, said in taken:
        gate = Gate.enforcing(loaded(followed(text, said)))
        assert gate.decide(request).allowed, said


SOME = st.lists(st.sampled_from(REACHABLE), max_size=OPERATIONS_OF_A_FILE, unique=True)
LISTS = {
    "CREATE_BINDS": ["", "/srv/app", "/srv/*:ro", "*"],
    "CREATE_IMAGES": ["busybox", "nginx:*"],
    "CREATE_CAPS": ["", "NET_ADMIN"],
    "CREATE_PRIVILEGED": ["0", "1"],
    "EXEC_COMMANDS": ["ls", "*"],
    "PULL_IMAGES": ["", "busybox"],
    "BUILD_OPTIONS": [""],
    "ONLY_CONTAINERS": ["@own", "web-*", "*", ""],
    "ONLY_NETWORKS": ["@own,bridge", "front"],
    "ONLY_VOLUMES": ["@own", ""],
}


def lines_of(names: dict[str, list[str]]) -> st.SearchStrategy[list[str]]:
    """Lines that set some of these variables."""
    lines = [f"{name}={value}" for name, values in names.items() for value in values]
    return st.lists(
        st.sampled_from(lines),
        max_size=5,
        unique_by=lambda line: line.partition("=")[0],
    )


def text_of(parts: tuple[list[str], ...]) -> str:
    """A file of these lines; its own objects have an owner where it lists such."""
    lines = [line for part in parts for line in part]
    if any("@own" in line for line in lines):
        lines.insert(0, "ONLY_OWNER=app")
    return "".join(f"{line}\n" for line in lines)


def can_load(text: str) -> bool:
    try:
        loaded(text)
    except ConfigError:
        return False
    return True


SWITCHED = {name: ["0", "1"] for name in (*SWITCHES, *VERBS, *LIBPOD_VARIABLES)}
EXACT = st.tuples(
    lines_of(LISTS), SOME.map(lambda names: [f"{ALLOW}={','.join(names)}"])
).map(text_of)
SECTIONS = st.tuples(
    lines_of(SWITCHED),
    st.sampled_from([[], ["COMPAT=linuxserver"]]),
    st.sampled_from([["POST=0"], ["POST=1"]]),
    lines_of(LISTS),
).map(text_of)
RANDOM = st.one_of(EXACT, SECTIONS).filter(can_load)


@pytest.mark.deep
@settings(max_examples=by_depth(25, 500), deadline=None)
@given(RANDOM, SOME)
def test_a_refusal_by_any_file(text: str, names: list[str]) -> None:
    """What a refusal says lets the request pass, whatever the file is made of."""
    for request, said in refused(text, names):
        if only := re.search(r"no section variable opens it, only (\w+)$", said):
            assert request.operation != OPTIONS.operation
            after = with_item(text, only[1], request.operation)
        else:
            after = followed(text, said)
        decision = Gate.enforcing(loaded(after)).decide(request)
        assert decision.allowed, (said, decision.message)


HOST: list[dict[str, Any]] = [
    {"NetworkMode": "host", "PidMode": "container:db", "VolumesFrom": ["db"]},
    {"CapAdd": ["cap_net_admin"], "Privileged": True},
    {"Binds": ["/srv/a b,*:/x:rshared"], "CgroupParent": "x", "Frob": 1},
    {"LogConfig": {"Type": "syslog", "Config": {"a": "b"}}, "VolumeDriver": "nfs"},
    {"Devices": [{"PathOnHost": "/dev/fuse"}], "PublishAllPorts": True},
    {"SecurityOpt": ["label=disable", 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']},
    {"Mounts": [{"Type": "image", "Source": f"a/b@sha256:{'1' * 64}", "Target": "/x"}]},
]


@pytest.mark.parametrize("host", HOST, ids=lambda one: "-".join(one))
def test_what_a_refusal_tells_is_what_the_list_takes(host: dict[str, Any]) -> None:
    """What is asked for is told as its list takes it: put there as told, it passes."""
    text, request = (
        f"CREATE_IMAGES=busybox:latest\n{ALLOW}=ContainerCreate\n",
        create(host, Image="busybox"),
    )
    for _ in range(6):
        verdict = judged(
            Gate.enforcing(loaded(text)),
            "POST",
            request[0].encode(),
            body=request[1],
            is_read=True,
        )
        if verdict.decision.allowed:
            return
        said = re.fullmatch(
            r"ContainerCreate asks for [^=]*=?(.*), which (\w+) does not list(?: as (.*) yet)?",
            verdict.decision.message,
        )
        assert said, verdict.decision.message
        text = with_item(text, said[2], said[3] or said[1])
    raise AssertionError(text)


# --- What was recorded ----------------------------------------------------------------

ASKED = [
    bind("/srv/app"),
    bind("/srv/www", "/etc"),
    create({"CapAdd": ["net_admin"], "Privileged": True}),
    create({"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}, Image="busybox"),
    create({"NetworkMode": "host", "PidMode": "host"}),
    create({"Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse"}]}),
    execute("ls"),
    execute("sh", User="root"),
    ("/v1.45/volumes/create", {"Name": "v"}),
    ("/v1.45/networks/create", {"Name": "n"}),
]


NOTHING_THERE = {(Kind.VOLUME, "v"): Missing(404, "no such volume")}


def recorded(text: str, asked: list[tuple[str, Json]]) -> Evidence:
    """What `enforce --record` keeps of these requests."""
    evidence = Evidence()
    evidence.begin("2026-0001", 100)
    recorder = Recorder(
        evidence, now=lambda: 100.0, wake=lambda: None, clock=lambda: 0.0
    )
    gate = Gate.enforcing(loaded(text))
    for target, body in asked:
        verdict = judged(
            *(gate, "POST", target.encode()),
            body=body,
            is_read=True,
            known=NOTHING_THERE,
        )
        recorder.note(outcome_of(verdict, 201))
    return evidence


def allows(text: str, request: tuple[str, Json]) -> bool:
    gate, (target, body) = Gate.enforcing(loaded(text)), request
    verdict = judged(
        gate, "POST", target.encode(), body=body, is_read=True, known=NOTHING_THERE
    )
    return verdict.decision.allowed


ARGUED = {one: values for one, values in LISTS.items() if not one.startswith("ONLY")}
LIMITED = st.tuples(
    lines_of(ARGUED),
    st.lists(
        st.sampled_from(["ContainerCreate", "ContainerExec", "VolumeCreate"]),
        unique=True,
    ).map(lambda names: [f"{ALLOW}={','.join(names)}"]),
).map(text_of)


@pytest.mark.deep
@settings(max_examples=by_depth(25, 500), deadline=None)
@given(
    LIMITED.filter(can_load), st.lists(st.sampled_from(ASKED), min_size=1, max_size=4)
)
def test_the_lines_for_what_was_recorded(
    text: str, asked: list[tuple[str, Json]]
) -> None:
    """The lines that are shown for what was refused, pasted, let it pass: in as many
    rounds as a request has reasons, for a refusal by its route tells of no value."""
    for _ in range(3):
        for one in additions(sheet_of(loaded(text), recorded(text, asked))):
            text = with_line(text, str(one.grant))
        loaded(text)
    for request in asked:
        assert allows(text, request), (text, request)


@pytest.mark.parametrize(
    "file",
    [pytest.param(one, id=one.stem) for one in sorted(LEARNED.glob("*.env"))],
)
def test_what_is_approved(file: Path, tmp_path: Path) -> None:
    """A yes to each question about what a shipped file refuses lets it pass, and the file
    keeps all of its lines but those that grant more."""
    text, mine = file.read_text(), tmp_path / file.name
    names = random.Random(file.stem).sample(REACHABLE, OPERATIONS_OF_A_FILE)
    taken = list(refused(text, names))
    evidence = recorded(text, [])
    recorder = Recorder(
        evidence, now=lambda: 100.0, wake=lambda: None, clock=lambda: 0.0
    )
    gate = Gate.enforcing(loaded(text))
    for request, _ in taken:
        verdict = judged(gate, request.method, request.target.path.encode())
        recorder.note(outcome_of(verdict, 200))
    live = tmp_path / "live.jsonl"
    live.write_text(evidencefile.dump(evidence))
    mine.write_text(text)
    evidence_path(mine).write_text(evidence_path(file).read_text())
    asked = json.loads(run("approve", str(mine), str(live), "--json").out)
    yes = [word for one in asked for word in ("--yes-root", one["name"])]
    done = run("approve", str(mine), str(live), *yes)
    assert done.status == 0, done.err
    after = mine.read_text()
    for request, _ in taken:
        assert Gate.enforcing(loaded(after)).decide(request).allowed
    kept = [one for one in text.splitlines() if one[0] != "#" and not one.startswith(ALLOW)]  # fmt: skip
    assert [one for one in after.splitlines() if one in kept] == kept


def test_nobody_is_told_to_list_what_no_file_with_redact_loads() -> None:
    """Of what nobody can hide secrets in, a refusal, what was recorded, and `approve` name no list:
    named beside `REDACT` it stops the start."""
    text = "REDACT=env\nALLOW_OPERATIONS=SystemPing\n"
    policy, evidence = loaded(text), Evidence()
    evidence.begin("2026-0001", 100)
    recorder = Recorder(evidence, now=lambda: 100.0, wake=lambda: None)
    for target in (b"/libpod/generate/kube", b"/frob"):
        verdict = judged(Gate.enforcing(policy), "GET", target)
        assert "and this file has REDACT" in verdict.decision.message
        assert ALLOW not in verdict.decision.message
        recorder.note(outcome_of(verdict, 403))
    sheet = sheet_of(policy, evidence)
    assert len(sheet.refused) == 2
    assert not any(one.is_nameable or ALLOW in one.told for one in sheet.refused)
    assert not list(additions(sheet))


def test_a_refusal_names_approve_where_a_file_can_be_approved() -> None:
    """It names the command behind what it says, for what a person can be asked about."""
    policy = loaded("CREATE_BINDS=\nALLOW_OPERATIONS=ContainerCreate\n")
    command = "trioproxy approve app.env live.jsonl"
    gate = Gate.enforcing(policy, approve=command)
    for raw, end in (
        (
            "/images/json",
            f"add ImageList to ALLOW_OPERATIONS; {command} # asks about it",
        ),
        ("/frob", "add a GET:/path/{template} for it to ALLOW_OPERATIONS"),
    ):
        assert judged(gate, "GET", raw.encode()).decision.message.endswith(f": {end}")
    target, body = bind("/etc")
    said = judged(
        gate, "POST", target.encode(), body=body, is_read=True
    ).decision.message
    assert said.endswith(f"which CREATE_BINDS does not list; {command} # asks about it")


NO_LIST_HOLDS = [
    {"HostConfig": {"UTSMode": "frob"}},
    {"HostConfig": {"Devices": [{"PathOnHost": "fuse"}]}},
    {"HostConfig": {"PortBindings": {"1/tcp": [{"HostIp": "::1%a", "HostPort": "1"}]}}},
    {"Image": "a b"},
]


@pytest.mark.parametrize("body", NO_LIST_HOLDS, ids=str)
def test_of_what_no_list_can_hold_nobody_is_asked(body: dict[str, Any]) -> None:
    """Its refusal names no command: `approve` had nothing to ask about there."""
    policy = loaded("CREATE_IMAGES=busybox\nALLOW_OPERATIONS=ContainerCreate\n")
    gate = Gate.enforcing(policy, approve="trioproxy approve app.env live.jsonl")
    asked = {"Image": "busybox", **body}
    said = judged(
        gate, "POST", b"/containers/create", body=asked, is_read=True
    ).decision
    assert said.message.endswith(" does not list")


def test_a_refused_name_of_what_is_made_is_asked_about(tmp_path: Path) -> None:
    """A creation that no list of names holds passes after a yes to its question, and one without
    a name has none."""
    text = "ONLY_CONTAINERS=web\nONLY_NETWORKS=*\nONLY_VOLUMES=\nALLOW_OPERATIONS=ContainerCreate\n"
    gate = Gate.enforcing(loaded(text), approve="approve")
    body: Json = {"Image": "busybox"}
    tried = [
        judged(gate, "POST", target, body=body, is_read=True).decision
        for target in (b"/containers/create?name=db", b"/containers/create")
    ]
    assert ["approve" in one.message for one in tried] == [True, False]
    file, live = tmp_path / "app.env", tmp_path / "live.jsonl"
    file.write_text(text)
    asked: list[tuple[str, Json]] = [("/containers/create?name=db", body)]
    live.write_text(evidencefile.dump(recorded(text, asked)))
    done = run("approve", str(file), str(live), "--yes", "ONLY_CONTAINERS=db")
    assert done.status == 0, done.err
    after = Gate.enforcing(loaded(file.read_text()))
    again = judged(
        after, "POST", b"/containers/create?name=db", body=body, is_read=True
    )
    assert again.decision.allowed


@pytest.mark.parametrize(
    "made", ["", "1970-01-01T00:00:42Z"], ids=["another's", "its own, left"]
)
@pytest.mark.parametrize(
    ("host", "item"),
    [
        ({"Privileged": True}, "CREATE_PRIVILEGED=1"),
        ({"Binds": ["/srv/x:/x"]}, "CREATE_BINDS=/srv/x"),
        ({}, ""),
    ],
    ids=["privileged", "a bind", "to be made anew"],
)
def test_what_is_reached_into_is_asked_about(
    tmp_path: Path, host: Json, item: str, made: str
) -> None:
    """What was recorded of it can be read again, has the question that the refusal names, and
    after a yes it passes. What is to be made anew has neither, and no person is asked live."""
    text = (
        "CREATE_IMAGES=busybox\nONLY_CONTAINERS=@own,db\nONLY_NETWORKS=\nONLY_VOLUMES=\n"
        "ONLY_OWNER=app\nALLOW_OPERATIONS=ContainerStart,PutContainerArchive\n"
    )
    labels: Json = {OWNER_LABEL: "app"} if made else {}
    value: Json = {"Id": "1" * 64, "Name": "/db", "Config": {"Labels": labels}, "HostConfig": host, "Image": "sha256:0", "Created": made}  # fmt: skip
    thing = describe(Kind.CONTAINER, value)._replace(inherited={})
    known: Known = {(Kind.CONTAINER, one): thing for one in ("db", "1" * 64)}
    request = ("POST", b"/containers/db/start")
    verdict = judged(
        Gate.enforcing(loaded(text), approve="approve"), *request, known=known
    )
    assert ("approve" in verdict.decision.message) is bool(item)
    endpoint = verdict.request.endpoint
    assert endpoint
    assert bool(wanted(verdict.decision, endpoint)) is bool(item)
    evidence = Evidence()
    evidence.begin("2026-0001", 100)
    recorder = Recorder(evidence, now=lambda: 100.0, wake=lambda: None)
    recorder.note(outcome_of(verdict, 403))
    file, live = tmp_path / "app.env", tmp_path / "live.jsonl"
    file.write_text(text)
    live.write_text(evidencefile.dump(evidence))
    asked = json.loads(run("approve", str(file), str(live), "--json").out)
    assert [one["name"] for one in asked] == [item] * bool(item)
    if item:
        done = run("approve", str(file), str(live), "--yes-root", item)
        assert done.status == 0, done.err
        after = Gate.enforcing(loaded(file.read_text()))
        again = judged(after, *request, known=known).decision
        assert again.allowed or again.message.endswith(MAKE_IT_ANEW)


ASKS = "; trioproxy approve # asks about it"
ROUNDS = 8
"""A request is refused for one reason at a time."""


@pytest.mark.deep
def test_approve_asks_about_what_a_refusal_says_that_it_asks_about(
    tmp_path: Path,
) -> None:
    """Whatever a file refuses with these words, approve has a question for it, and after a yes
    to each the request passes, in the end."""
    chance, names = random.Random(25), sorted(within.REQUESTS)
    file, live = tmp_path / "app.env", tmp_path / "live.jsonl"
    for number in range(by_depth(25, 600)):
        variables = within.exact(chance)
        lines = sorted(variables.items(), key=lambda one: one[0] == ALLOW)
        file.write_text("".join(f"{name}={value}\n" for name, value in lines))
        evidence_path(file).unlink(missing_ok=True)
        name = chance.choice(names)
        for _ in range(ROUNDS):
            gate = Gate.enforcing(loaded(file.read_text()), approve="trioproxy approve")
            door, evidence = Door(gate=gate, own=corpus.OWN), Evidence()
            trio.run(door.ask, within.REQUESTS[name], corpus.WORLD)
            said = door.verdict.decision if door.verdict else None
            if door.verdict is None or not (said and said.message.endswith(ASKS)):
                break
            evidence.begin(f"2026-{number:04}", 100)
            recorder = Recorder(evidence, now=lambda: 100.0, wake=lambda: None)
            recorder.note(outcome_of(door.verdict.in_words(), 403))
            live.write_text(evidencefile.dump(evidence))
            asked = json.loads(run("approve", str(file), str(live), "--json").out)
            assert asked, (name, said.message, variables)
            yes = [arg for one in asked for arg in ("--yes-root", one["name"])]
            done = run("approve", str(file), str(live), *yes)
            assert "lists " in done.err, (name, said.message, variables)
        else:
            raise AssertionError((name, variables))


# --- Learning -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [pytest.param(one, id=one.stem) for one in sorted(LEARNED.glob("*.env"))],
)
def test_what_was_never_seen(file: Path) -> None:
    """What `learn` and `explain` say to add for a state that never came up is granted then."""
    text, stored = file.read_text(), evidence_path(file)
    evidence = evidencefile.load(stored.read_bytes(), name=stored.name).evidence
    for one in unseen_states(evidence, loaded(text).opened_operations):
        after = loaded(followed(text, str(one)))
        assert set(one.lacks) <= after.opened_operations
        assert one not in unseen_states(evidence, after.opened_operations)


def test_what_was_taken_out_is_closed_again() -> None:
    """The line that is told for a family that was left open closes it, with all of its lists."""
    file = File()
    session = [bind("/srv/app"), execute("ls")]
    file.learn(*session)
    closed = file.text
    for variable in FAMILIES[Family.CREATE]:
        for line in re.findall(rf"(?m)^{variable}=.*$", file.text):
            file.edit(line, "")
    file.learn(*session)
    (said,) = file.proposal.lists.open.values()
    file.text = followed(file.text, said)
    file.evidence.granted = set()
    file.learn(*session)
    assert sorted(file.text.splitlines()) == sorted(closed.splitlines())
    assert all(map(file.allows, session))


LOG = '172.18.0.5:1 [20/Nov/2026:08:00:00.123] f b/s 0/0/0/3/3 200 12 - - ---- 1/1/0/0/0 0/0 "GET /v1.24/containers/json HTTP/1.1"\n'


@pytest.mark.parametrize(
    ("text", "first"),
    [
        pytest.param("CONTAINERS=1\n", "which learning cannot extend", id="sections"),
        pytest.param("TZ=UTC\n", "lists 1 operation", id="settings"),
    ],
)
def test_the_hints_of_learn(text: str, first: str, tmp_path: Path) -> None:
    """What `learn` says of a file that it cannot extend lets it go on."""
    log, file = tmp_path / "proxy.log", tmp_path / "my app.env"
    log.write_text(LOG)
    file.write_text(text)
    options = ("learn", "-o", str(file), "--from-log", str(log))
    done = run(*options)
    assert first in done.err
    if done.status:
        other = tmp_path / "other.env"
        assert f"learn --within '{file}' -o ANOTHER" in done.err
        assert (
            run("learn", "--within", str(file), "-o", str(other), *options[3:]).status
            == 0
        )
        assert loaded(other.read_text()).opened_operations == {"ContainerList"}
        assert f"learn --fresh -o '{file}' starts it over" in done.err
        done = run(*options, "--fresh")
    assert done.status == 0, done.err
    assert loaded(file.read_text()).opened_operations == {"ContainerList"}


@pytest.mark.parametrize(
    "damage", ['{"format": 4}\n', '{"format": 3}\n{\n{}\n'], ids=["newer", "torn"]
)
def test_the_hint_of_evidence_that_cannot_be_read(damage: str, tmp_path: Path) -> None:
    """Whichever command says it, it has no option of another one, and following it works."""
    file, log = tmp_path / "app.env", tmp_path / "proxy.log"
    log.write_text(LOG)
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    evidence = evidence_path(file)
    for words in (
        ("explain", str(file)),
        ("diff", str(LEARNED / "glances.env"), str(file)),
        ("merge", str(file), "-o", str(tmp_path / "out.env")),
        ("approve", str(file), str(LEARNED / "glances.jsonl"), "--yes", "ImageInspect"),
        ("learn", "-o", str(file), "--from-log", str(log)),
    ):
        evidence.write_text(damage)
        said = run(*words)
        assert said.status == 2, words
        assert "or remove it: an env file next to it grants as before" in said.err
        assert "--fresh" not in said.err
        evidence.unlink()
        assert run(*words).status in {0, 1}, words
        assert "ContainerList" in loaded(file.read_text()).opened_operations
