"""What `REDACT` hides: by the Engine's own documents, and in what these do not say."""

import json
import os
import re
import shutil
import subprocess
import tracemalloc
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.answers import Told, answer_of, documented
from trioproxy.api.families import Hides
from trioproxy.api.redaction import (
    MARKER,
    MARKER_BYTES,
    Redaction,
    holds_marker,
    may_tell_more,
)
from trioproxy.api.routes import OPERATIONS
from trioproxy.http.jsonbody import DEEPEST

ENV: Any = Redaction({Hides.ENV})
COMMANDS: Any = Redaction({Hides.COMMANDS})
ALL: Any = Redaction(Hides)
DOCUMENTED = documented()
BY_OPERATION = {
    name: tuple(told) for name, told in groupby(DOCUMENTED, lambda one: one.operation)
}


@pytest.mark.parametrize("operation", sorted(BY_OPERATION))
def test_each_text_of_each_documented_answer_is_hidden_or_was_looked_at(
    operation: str,
) -> None:
    """A secret in any text that an Engine from 1.25 to 1.56 tells is hidden by just the words
    that its line says; a text of a newer one has no line, and somebody has to write it."""
    left: tuple[Told, ...] = BY_OPERATION[operation]
    while left:
        answer, planted = answer_of(left)
        for word in Hides:
            told = json.dumps(Redaction({word})(answer))
            for secret, one in planted.items():
                assert (secret not in told) == (word in one.hides), (word, one)
        left = tuple(one for one in left if one not in planted.values())


def test_what_tells_anything_that_is_hidden_is_read() -> None:
    """An operation with a field that is hidden is one whose answer is read, in every row."""
    for one in DOCUMENTED:
        if one.hides:
            assert all(row.is_redacted for row in OPERATIONS[one.operation]), one
    assert len(DOCUMENTED) > 1_500


ENVIRONMENTS: list[tuple[object, object]] = [
    (["A=b", "PATH=/bin", "C=", "D"], [f"A={MARKER}", "PATH=/bin", f"C={MARKER}", "D"]),
    (["not a name"], [MARKER]),
    ("A=b", f"A={MARKER}"),
    ({"A": "b", "HOME": "/root"}, {"A": MARKER, "HOME": "/root"}),
    ({"A": ["b", "c"], "N": 1}, {"A": [MARKER], "N": MARKER}),
    ({"PATH": ["b"], "HOME": {"A": "b"}}, {"PATH": [MARKER], "HOME": {"A": MARKER}}),
    ([{"Name": "A", "Value": "b"}], [{"Name": "A", "Value": MARKER}]),
    ([{"name": "TZ", "value": "UTC"}], [{"name": "TZ", "value": "UTC"}]),
    (
        [{"Name": "A", "Settable": ["value"], "X": {"Y": "z"}}],
        [{"Name": "A", "Settable": ["value"], "X": {"Y": MARKER}}],
    ),
    (None, None),
    ([], []),
    (True, True),
    (7, MARKER),
    ([["A=b"]], [[f"A={MARKER}"]]),
]


@pytest.mark.parametrize(
    ("told", "shown"), ENVIRONMENTS, ids=[json.dumps(one[0]) for one in ENVIRONMENTS]
)
@pytest.mark.parametrize("name", ["Env", "env", "ENV", "Environment", "EnvVars"])
def test_environments_are_known_in_each_form(
    name: str, told: object, shown: object
) -> None:
    """Under a name that begins with Env, whatever its case and whatever its form, names stay and
    values do not; readable ones do."""
    assert ENV({name: told}) == {name: shown}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.lists(st.text(min_size=1), max_size=8),
)
def test_at_any_depth(other: object, path: list[str]) -> None:
    """Beside anything, and below any names, an environment is hidden."""
    held: Any = {"Env": ["TOKEN=s3cr3t"]}
    for name in path:
        held = {name: [other, held]}
    assert "s3cr3t" not in json.dumps(ALL(held))


def test_as_deep_as_a_reader_reads() -> None:
    """The depth of a strict reader is none at which this fails."""
    held: object = {"Env": ["A=s3cr3t"]}
    for _ in range(DEEPEST):
        held = [held]
    assert "s3cr3t" not in json.dumps(ENV(held))


STEPS = [
    ("ENV TOKEN=abc", f"ENV TOKEN={MARKER}"),
    ("ENV TOKEN abc", f"ENV TOKEN {MARKER}"),
    ("/bin/sh -c #(nop)  ENV TOKEN=a b=c", f"/bin/sh -c #(nop)  ENV TOKEN={MARKER}"),
    ("ARG TOKEN=abc", f"ARG TOKEN={MARKER}"),
    ("ARG TOKEN", "ARG TOKEN"),
    ("ONBUILD ENV TOKEN=abc", f"ONBUILD ENV TOKEN={MARKER}"),
    ("env token=abc", f"env token={MARKER}"),
    ("RUN |1 TOKEN=abc /bin/sh -c make # buildkit", f"RUN |1 {MARKER}"),
    ("|2 A=abc B=c /bin/sh -c make", f"|2 {MARKER}"),
    ("ENV A=1\nENV TOKEN=abc", f"ENV A={MARKER}"),
    (
        'LABEL a=b "devcontainer.metadata"="abc"',
        f'LABEL a=b "devcontainer.metadata"={MARKER}',
    ),
    ("LABEL token=abc", "LABEL token=abc"),
    ("RUN /bin/sh -c apt-get update", "RUN /bin/sh -c apt-get update"),
    ('CMD ["nginx"]', 'CMD ["nginx"]'),
]


@pytest.mark.parametrize(("told", "shown"), STEPS, ids=[one[0] for one in STEPS])
def test_steps_of_a_build(told: str, shown: str) -> None:
    """In the history of an image a step keeps its name and that of its first variable, and no
    value; a step that sets nothing stays."""
    assert ENV([{"CreatedBy": told}]) == [{"CreatedBy": shown}]
    assert ENV({"History": [{"created_by": told}]}) == {
        "History": [{"created_by": shown}]
    }


def test_labels_of_a_build() -> None:
    """Where labels are hidden the steps of a build that give some tell no value either, whatever
    else is hidden, and in what the classic builder made; a step that gives none stays."""
    steps = ["LABEL a=s3cr3t b=s3cr3t", "ONBUILD LABEL 'a' s3cr3t"]
    steps += [f"/bin/sh -c #(nop)  {steps[0]}"]
    told: Any = {
        "History": [{"created_by": one} for one in steps],
        "Config": {
            "OnBuild": steps,
            "Cmd": ["/bin/sh", "-c", "#(nop) ", steps[0]],
        },
        "Command": steps[-1],
    }
    for words in ({Hides.LABELS}, {Hides.ENV, Hides.LABELS}, set(Hides)):
        assert "s3cr3t" not in json.dumps(Redaction(words)(told))
    plain: Any = [
        {"CreatedBy": "ENV A=b"},
        {"Cmd": ["|1", "A=b"]},
        {"Cmd": ["LABEL a=b"]},
    ]
    labels: Any = Redaction({Hides.LABELS})
    assert labels(plain) == plain
    assert MARKER in json.dumps(Redaction({Hides.ENV, Hides.LABELS})(plain))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (
            ["/bin/sh", "-c", "#(nop) ", "ENV TOKEN=abc"],
            ["/bin/sh", "-c", "#(nop) ", f"ENV TOKEN={MARKER}"],
        ),
        (["|1", "TOKEN=abc", "/bin/sh"], ["|1", MARKER]),
        (["sh", "-c", "env A=b true"], ["sh", "-c", "env A=b true"]),
    ],
)
def test_containers_of_the_classic_builder(told: list[str], shown: list[str]) -> None:
    """What such a container runs is a step of a build; other commands stay as they are, and as
    one line they are the same."""
    assert ENV({"Config": {"Cmd": told}}) == {"Config": {"Cmd": shown}}
    line = json.dumps(ENV({"Command": " ".join(told)}))
    assert ("abc" in line) == ("abc" in " ".join(shown))


def test_what_is_no_text_in_a_command_stays() -> None:
    """An answer with a number in a command is told, with what is behind that hidden."""
    assert ENV({"Cmd": [1, "|1", "A=b"]}) == {"Cmd": [1, "|1", MARKER]}


def test_execs_in_events() -> None:
    """Of an exec an event tells that it was, and not what was run; other events stay."""
    told = {"status": "exec_create: sh -c 'TOKEN=a: b'", "Action": "exec_start: x"}
    shown = {"status": f"exec_create: {MARKER}", "Action": f"exec_start: {MARKER}"}
    assert ENV(told) == COMMANDS(told) == shown
    for one in ("exec_die", "health_status: healthy", "start"):
        assert ENV({"Action": one}) == {"Action": one}
    assert ENV({"Status": "Up 2 hours (healthy)"}) == {"Status": "Up 2 hours (healthy)"}


def test_why_nothing_was_run() -> None:
    """Why a container did not start tells what it was to run; other errors stay."""
    state = {"FinishedAt": "2026", "Error": 'exec: "curl -H TOKEN": file not found'}
    task = {"Timestamp": "2026", "Err": 'starting: exec: "curl -H TOKEN"'}
    for one in (state, task):
        assert "TOKEN" not in json.dumps(COMMANDS(one))
        assert ENV(one) == one
    assert COMMANDS({"Swarm": {"Error": "x"}}) == {"Swarm": {"Error": "x"}}
    assert COMMANDS({"FinishedAt": "2026", "Error": ""})["Error"] == ""


HASHES = [
    "annotation.io.kubernetes.container.hash",
    "annotation.kubectl.kubernetes.io/last-applied-configuration",
    "com.docker.compose.config-hash",
    "devcontainer.metadata",
    "io.kubernetes.container.hash",
    "io.podman.compose.config-hash",
    "kubectl.kubernetes.io/last-applied-configuration",
    "com.microsoft.developer.usvc-dev.lifecycle-key",
    "k3d.cluster.token",
    "net.azure-devices.edge.create-options",
    "net.azure-devices.edge.env",
    "org.testcontainers.container-hash",
    "org.testcontainers.hash",
    "org.testcontainers.reuse-hash",
]


@pytest.mark.parametrize("label", HASHES)
def test_labels(label: str) -> None:
    """Labels stay where only environments are hidden, that of one, or of a digest, does not; a label that is
    called env is one. Attributes of events that are the Engine's own stay anyway."""
    told = {"env": "prod", label: "0123", "a": "b"}
    shown = {"env": "prod", label: MARKER, "a": "b"}
    assert ENV({"Labels": told}) == {"Labels": shown}
    assert ALL({"Labels": told}) == {"Labels": dict.fromkeys(told, MARKER)}
    attributes = {"Attributes": {"name": "web", "image": "x", **told}}
    assert ENV(attributes) == {"Attributes": {"name": "web", "image": "x", **shown}}
    assert ALL(attributes)["Attributes"] == {
        "name": "web",
        "image": "x",
        **dict.fromkeys(told, MARKER),
    }
    for name in ("Labels", "annotations", "Attributes"):
        held: Any = {"env": "prod", "x": {"Env": ["A=b"]}, "Env": ["A=b"]}
        hidden = [f"A={MARKER}"]
        assert ENV({name: held}) == {name: held | {"x": {"Env": hidden}, "Env": hidden}}


READABLE = "PATH HOME HOSTNAME LANG LANGUAGE LC_ALL LC_CTYPE TZ TERM SHELL PUID PGID UMASK DEBIAN_FRONTEND"  # fmt: skip
ATTRIBUTES = "comment container containerdNamespace destination driver execDuration execID exitCode image manifest name name.new name.old oldName propagation read/write replicas.new replicas.old runtime signal state.new state.old type updatestate.new updatestate.old availability.new availability.old"  # fmt: skip


def test_what_is_told_all_the_same() -> None:
    """How programs are run, as the page names it, and what the Engine says itself: who debugs by it finds it as it is."""
    environment = {"Env": [f"{name}=x" for name in READABLE.split()]}
    page = Path(__file__).parents[2] / "docs" / "redacting.md"
    (told,) = re.findall(r"not whose it is stays: ([^.]+)\.", page.read_text())
    assert re.findall(r"`(\w+)`", told) == READABLE.split()
    assert ALL(environment) == environment
    attributes = {"Attributes": dict.fromkeys(ATTRIBUTES.split(), "x")}
    assert ALL(attributes) == attributes
    assert hash(ALL) == hash(Redaction(Hides)) != hash(ENV)


def test_contents_are_bytes_and_stay_so() -> None:
    """Where the API has bytes the marker is bytes, so that clients can read it; a driver's data
    of the same name is none."""
    assert ENV({"Spec": {"Data": "c2VjcmV0"}}) == {"Spec": {"Data": MARKER_BYTES}}
    driver = {"GraphDriver": {"Data": {"LowerDir": "/var/lib"}}}
    assert ENV(driver) == driver


def test_commands() -> None:
    """Programs, arguments, tests and what they said go; paths that are none and descriptions
    stay."""
    told = {
        "Path": "sh",
        "Args": ["-c", "x"],
        "State": {"Health": {"Log": [{"Output": "x", "ExitCode": 0}]}},
        "HostConfig": {"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 1}]},
        "Config": {"Cmd": [], "Entrypoint": None},
    }
    assert ALL(told) == {
        "Path": MARKER,
        "Args": [MARKER],
        "State": {"Health": {"Log": [{"Output": MARKER, "ExitCode": 0}]}},
        "HostConfig": {"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 1}]},
        "Config": {"Cmd": [], "Entrypoint": None},
    }
    assert ENV(told) == told


def test_lists_of_processes() -> None:
    """Columns that are known to be no command line stay, whatever is beside them."""
    told = {
        "Titles": ["PID", "CMD"],
        "Processes": [["1", "sh x"], ["2", "y", "z"], "?"],
    }
    assert ALL(told) == {
        "Titles": ["PID", "CMD"],
        "Processes": [["1", MARKER], ["2", MARKER, MARKER], MARKER],
    }
    assert ALL({"Processes": ["x"]}) == {"Processes": [MARKER]}
    assert ENV(told) == told


def test_nothing_is_hidden_without_a_word() -> None:
    """No words, no change; and what is told is never what was read."""
    told = {"Env": ["A=b"], "Labels": {"a": "b"}}
    nothing: Any = Redaction(())
    assert nothing(told) == told
    ENV(told)
    assert told == {"Env": ["A=b"], "Labels": {"a": "b"}}


def test_what_is_told_in_full_is_not_copied() -> None:
    """It is the very value, and no second list was made to find that out."""
    told = {"Ports": [{"PrivatePort": port} for port in range(10_000)]}
    assert ALL(told) is told
    tracemalloc.start()
    ALL(told)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000


def test_the_marker_is_found_where_it_was_put() -> None:
    """What was made of an answer holds the marker; what it is looked for in may be no JSON."""
    service = {"Spec": {"TaskTemplate": {"ContainerSpec": {"Env": ["A=b"]}}}}
    assert holds_marker(json.dumps(ENV(service)).encode())
    assert holds_marker(json.dumps(ENV({"Data": "c2VjcmV0"})).encode())
    assert not holds_marker(json.dumps(service).encode())
    assert not holds_marker(b"\xff{")


COLUMNS = "pid:PID ppid:PPID pgid:PGID sid:SID user:USER euser:EUSER ruser:RUSER uid:UID euid:EUID gid:GID group:GROUP egroup:EGROUP rgroup:RGROUP pcpu:%CPU c:C pmem:%MEM rss:RSS vsz:VSZ sz:SZ stime:STIME start:START lstart:STARTED etime:ELAPSED etimes:ELAPSED time:TIME tty:TT tt:TT tname:TTY stat:STAT state:S s:S ni:NI pri:PRI psr:PSR nlwp:NLWP lwp:LWP tid:TID wchan:WCHAN f:F"  # fmt: skip


def test_columns_of_processes() -> None:
    """What is no command line may be asked for behind the number, and is told; what has another
    title is not."""
    names, titles = zip(*(one.split(":") for one in COLUMNS.split()), strict=True)
    for name in (*names, "%cpu", "%mem", "comm", "args", "cmd", "command"):
        assert not may_tell_more(f"-eo pid,{name}"), name
    told = [*titles, "ADDR"]
    hides: Any = Redaction([Hides.COMMANDS])
    listed = {"Titles": [*told, "CMD"], "Processes": [["1"] * (len(told) + 1)]}
    assert hides(listed)["Processes"] == [[*["1"] * len(told), MARKER]]


PASSING = [
    "-ef",
    "aux",
    "-aux",
    "auxww",
    "-e",
    "-eo pid,comm",
    "-o pid,args",
    "axo pid",
    "-eo user,pid,lstart,args",
]
REFUSED = ["e", "auxe", "-ef e", "eww", "axe", "-o pid e", "-o environ", "--forest e"]
REFUSED += ["-efx", "-ex", "E", "-o pid=e", "ef", "-e f", "-ef -o pid", "o pid e"]


@pytest.mark.parametrize("arguments", PASSING)
def test_arguments_of_ps_that_pass(arguments: str) -> None:
    """With them the very `ps` that prints environments on request prints none."""
    assert not may_tell_more(arguments)
    assert "TRIOPROXY_SECRET=s3cr3t" not in ps(arguments)


@pytest.mark.parametrize("arguments", REFUSED)
def test_arguments_of_ps_that_do_not(arguments: str) -> None:
    """What prints environments, or might on another host, does not pass."""
    assert may_tell_more(arguments)


MOVED = [
    "-eo lstart,ppid,pgid,sid,pid",
    "-eorss=PID",
    "-eo comm,rss,pid",
    "-eo start,pid",
]


@pytest.mark.parametrize("arguments", MOVED)
def test_columns_that_move_another_one_below_the_title(arguments: str) -> None:
    """The Engine counts words, and shows each line with the number of a process of the container."""
    assert may_tell_more(arguments)


@pytest.mark.parametrize("arguments", PASSING)
def test_numbers_of_processes_stand_below_their_title(arguments: str) -> None:
    """With what passes, the word that Docker takes for the number of a process is another in
    each line; else it can be the year, and who has that number is shown all of the host's."""
    found = read_as_docker(arguments)
    assert len(set(found)) == len(found)
    assert len(set(read_as_docker(MOVED[0]))) == 1


def read_as_docker(arguments: str) -> list[int]:
    """The numbers below the title PID, by words."""
    title, *lines = ps(arguments).splitlines()
    return [int(line.split()[title.split().index("PID")]) for line in lines]


def test_ps_prints_environments_on_request() -> None:
    """Otherwise what passes would prove nothing."""
    assert "TRIOPROXY_SECRET=s3cr3t" in ps("auxeww")


def ps(arguments: str) -> str:
    """What `ps` prints of a process that has a secret in its environment: this one's child."""
    program = shutil.which("ps")
    assert program is not None
    found = subprocess.run(
        [program, *arguments.split()],
        env={**os.environ, "TRIOPROXY_SECRET": "s3cr3t", "COLUMNS": "100000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"(?m)^\s*(?:PID|STARTED|USER|UID|\d)", found.stdout), found
    return found.stdout
