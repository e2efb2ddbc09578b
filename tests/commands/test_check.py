"""`trioproxy check`: a request, or only the file."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner

from tests.commands.running import called, run
from trioproxy.commands import check as checking
from trioproxy.commands.check import command
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, route

EXACT = "ALLOW_OPERATIONS=ContainerList,SystemOptions,GET:/frob/{x}\n"
SECTIONS = "CONTAINERS=1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    out: str
    err: str


def check(*args: str | Path) -> Answer:
    result = CliRunner().invoke(
        command, [str(arg) for arg in args], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return Answer(status=result.return_value, out=result.stdout, err=result.stderr)


@pytest.fixture
def exact(tmp_path: Path) -> Path:
    file = tmp_path / "exact.env"
    file.write_text(EXACT)
    return file


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    file = tmp_path / "sections.env"
    file.write_text(SECTIONS)
    return file


def test_allowed(exact: Path) -> None:
    """An allowed request is said to be so, with the variable that decided."""
    answer = check(exact, "HEAD", "/v1.45/containers/json?all=1")
    assert answer == Answer(
        status=0,
        out="allowed: ContainerList (HEAD /containers/json), by ALLOW_OPERATIONS\n",
        err="",
    )


def test_refused(exact: Path) -> None:
    """A refused request is said to be so, in the words of the 403, with status 1."""
    answer = check(exact, "GET", "/images/json")
    assert answer.status == 1
    assert answer.out == (
        "refused: ImageList (GET /images/json) is not allowed:"
        " add ImageList to ALLOW_OPERATIONS\n"
    )


def test_unknown_route(sections: Path) -> None:
    """A route that the table does not know is told apart."""
    answer = check(sections, "GET", "/containers/x/frob")
    assert answer.status == 0
    assert answer.out == (
        "allowed: GET /containers/x/frob, a route that this version does not know,"
        " by CONTAINERS\n"
    )


@pytest.mark.parametrize(
    ("method", "target", "why"),
    [
        ("GET", "//containers/json", "an empty segment"),
        ("GET", "containers/json", "must begin with a slash"),
        ("GET", "/containers/é", "is not allowed in a path"),
        ("GET", "/containers/json/", "no route ends in a slash"),
        ("TRACE", "/containers/json", "the method TRACE is never forwarded"),
    ],
)
def test_unclear(sections: Path, method: str, target: str, why: str) -> None:
    """What is refused with 400 in every mode is said to be so, with status 1."""
    answer = check(sections, method, target)
    assert answer.status == 1
    assert answer.out.startswith("refused: 400, whatever the policy: ")
    assert why in answer.out
    data = json.loads(check(sections, method, target, "--json").out)
    assert (data["allowed"], data["reason"], data["status"]) == (
        False,
        "bad-request",
        400,
    )


def test_unclear_for_some_policies(tmp_path: Path, exact: Path) -> None:
    """What is 400 only where answers are narrowed is not said to be so whatever the policy."""
    target = "/containers/json?limit=1&limit=2"
    narrowed = tmp_path / "narrowed.env"
    narrowed.write_text(f"ONLY_CONTAINERS=@own\nONLY_OWNER=app\n{EXACT}")
    assert check(exact, "GET", target).status == 0
    told = "refused: 400: limit is in the query twice\n"
    answer = check(narrowed, "GET", target)
    assert (answer.status, answer.out) == (1, told)


def test_a_method_in_small_letters(exact: Path) -> None:
    """Who types `get` is told to write GET, and no route that nobody could add."""
    with pytest.raises(UsageError, match="methods are in capitals: write 'GET'"):
        check(exact, "get", "/containers/json")


def test_request_as_json(exact: Path) -> None:
    """A program gets operation, decision, reason and rule."""
    answer = check(exact, "GET", "/frob/a%20b?x", "--json")
    assert json.loads(answer.out) == {
        "file": str(exact),
        "method": "GET",
        "target": "/frob/a%20b",
        "operation": "unknown",
        "template": None,
        "section": None,
        "allowed": True,
        "reason": "route",
        "rule": "ALLOW_OPERATIONS",
        "message": "",
    }
    assert json.loads(check(exact, "GET", "/info", "--json").out)["template"] == "/info"


def test_the_file_alone(sections: Path) -> None:
    """Without a request, the file is read, and its warnings go to stderr."""
    sections.write_text(SECTIONS + "PUID=1\nSOCKET_PATH=/x\n")
    answer = check(sections)
    assert answer.status == 0
    assert answer.out.splitlines()[:2] == [
        f"{sections}: mode=sections operations=11",
        "root on the host: no known way",
    ]
    assert answer.err.splitlines() == [
        f"trioproxy: {sections}: PUID has no effect in a policy file",
        f"trioproxy: {sections}: SOCKET_PATH has no effect in a policy file:"
        " set it in the environment",
    ]
    data = json.loads(check(sections, "--json").out)
    assert (data["mode"], data["operations"], len(data["warnings"])) == (
        "sections",
        11,
        2,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CONTAINERS=yes\n", "is neither 1 nor 0"),
        ("POST=1\nPOST=1\n", "line 2: POST is set twice"),
    ],
    ids=["value", "duplicate"],
)
def test_a_bad_file(tmp_path: Path, text: str, message: str) -> None:
    """A file that is no policy is one clear error."""
    file = tmp_path / "bad.env"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        check(file)


def test_no_file(tmp_path: Path) -> None:
    """A missing file is one clear error that names it."""
    missing = tmp_path / "missing"
    with pytest.raises(ConfigError, match=r"cannot read .*missing: No such file"):
        check(missing)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["GET"], "METHOD needs a TARGET"),
        (["--body", "-"], "need a METHOD and a TARGET"),
        (["GET", "/info", "--strict"], "are about a FILE alone"),
    ],
    ids=["half", "body", "strict"],
)
def test_misuse(exact: Path, args: list[str], message: str) -> None:
    """Half a request is a usage error."""
    result = CliRunner().invoke(command, [str(exact), *args])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_method_alone(exact: Path) -> None:
    """On the command line the message keeps its capitals."""
    done = run("check", str(exact), "GET")
    assert (done.status, done.err.splitlines()[0]) == (
        2,
        "trioproxy: METHOD needs a TARGET, such as /containers/json",
    )


def write_trace(file: Path, *seen: tuple[Sight, str]) -> Path:
    evidence = Evidence()
    evidence.begin("2026-11-24T10:00:00Z-1", 1_000)
    for shape, result in seen:
        evidence.observe(shape, result, When(1_000), Who())
    file.write_text(dump(evidence))
    return file


LIST = route("ContainerList", "GET", "CONTAINERS")
IMAGES = route("ImageList", "GET", "IMAGES")
OPTIONS = route("SystemOptions", "OPTIONS", "CONTAINERS")
UNKNOWN = route("unknown", "GET", "IMAGES")
NOWHERE = route("unknown", "GET", "")


TOO_OLD = (
    "fails without a proxy too: the Engine takes 1.44 and newer; set DOCKER_API_VERSION"
)


@pytest.mark.parametrize(
    ("target", "status", "out"),
    [
        pytest.param("/v1.41/images/json", 1, f"refused: {TOO_OLD}\n", id="refused"),
        pytest.param(
            "/v1.41/containers/json",
            0,
            "allowed: ContainerList (GET /containers/json), by ALLOW_OPERATIONS\n"
            f"{TOO_OLD}\n",
            id="granted",
        ),
    ],
)
def test_a_client_that_was_too_old(
    exact: Path, target: str, status: int, out: str
) -> None:
    """What the Engine took while the file was learned says which requests work nowhere."""
    evidence = Evidence()
    evidence.begin("2026-11-24T10:00:00Z-1", 1_000)
    evidence.observe(LIST, "400", When(1_000), Who(version="1.41"))
    evidence.runs[evidence.run].oldest_api = "1.44"
    exact.with_suffix(".jsonl").write_text(dump(evidence))
    answer = check(exact, "GET", target)
    assert (answer.status, answer.out) == (status, out)
    assert json.loads(check(exact, "GET", target, "--json").out)["outdated"] == TOO_OLD
    newer = check(exact, "GET", target.replace("1.41", "1.44"))
    assert "without a proxy" not in newer.out


def test_a_request_is_judged_without_evidence(exact: Path) -> None:
    """Evidence that cannot be read changes nothing of what is said of a request."""
    expected = check(exact, "GET", "/v1.41/containers/json")
    exact.with_suffix(".jsonl").write_text("no evidence\n")
    assert check(exact, "GET", "/v1.41/containers/json") == expected


LIMITED = (
    "ALLOW_OPERATIONS=ContainerCreate,ImageBuild\nCREATE_BINDS=/srv\nBUILD_OPTIONS=\n"
)


@pytest.mark.parametrize(
    ("target", "body", "status", "said"),
    [
        ("/containers/create", b'{"HostConfig":{"Binds":["/srv:/a"]}}', 0, "allowed: ContainerCreate"),
        ("/containers/create", b'{"HostConfig":{"Binds":["/etc:/a"]}}', 1, "Binds[0]=/etc, which CREATE_BINDS"),
        ("/containers/create", b'{"a":1,"a":2}', 1, "refused: 400: the name 'a' is given twice"),
        ("/containers/create", b"null", 0, "allowed: ContainerCreate"),
        ("/containers/create", b"", 0, "allowed"),
        ("/containers/create", None, 2, "depends on its body: give --body FILE"),
        ("/build?networkmode=host", None, 1, "networkmode=host, which BUILD_OPTIONS"),
        ("/build?memory=1", None, 0, "allowed: ImageBuild"),
    ],
    ids=["within", "beyond", "twice", "null", "empty", "unread", "query", "harmless"],
)  # fmt: skip
def test_a_body_is_judged(
    tmp_path: Path, target: str, body: bytes | None, status: int, said: str
) -> None:
    """A body decides where what it asks for is limited; without it nobody can tell."""
    file = tmp_path / "limited.env"
    file.write_text(LIMITED)
    options: list[str | Path] = []
    if body is not None:
        (tmp_path / "body.json").write_bytes(body)
        options = ["--body", tmp_path / "body.json"]
    answer = check(file, "POST", target, *options)
    assert answer.status == status
    assert said in answer.out


@pytest.mark.parametrize(("more", "status"), [(0, 1), (1, 2)])
def test_a_body_without_an_end_is_not_read_to_it(
    exact: Path, monkeypatch: pytest.MonkeyPatch, more: int, status: int
) -> None:
    """What is piped in has the bound of a file."""
    monkeypatch.setattr(checking, "SIZE_LIMIT", 1 << 20)
    words = ("check", str(exact), "POST", "/containers/create", "--body", "-")
    done = called(*words, piped=b"1".ljust((1 << 20) + more))
    told = "trioproxy: stdin is larger than 1 MiB\n"
    assert (done.status, done.err) == (status, told * more)


def test_an_id_depends_on_the_engine(tmp_path: Path) -> None:
    """Which names an image's id has, the Engine alone can tell."""
    policy = tmp_path / "policy.env"
    policy.write_text("ALLOW_OPERATIONS=ContainerCreate\nCREATE_IMAGES=busybox\n")
    body = tmp_path / "body.json"
    body.write_text('{"Image":"deadbeef"}')
    target = "/containers/create"
    ran = check(policy, "POST", target, "--body", body)
    assert (ran.status, ran.out) == (
        2,
        "cannot tell: ContainerCreate (POST /containers/create) depends on what the"
        " Engine has under deadbeef: give --upstream URL\n",
    )


def test_a_file_with_limits_says_which(exact: Path) -> None:
    """The families that a file limits are named where it is looked at alone."""
    exact.write_text("ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=\nEXEC_USERS=a\n")
    first = check(exact).out.splitlines()[0]
    assert first.endswith("operations=1 limited=CREATE,EXEC")
    assert json.loads(check(exact, "--json").out)["limited"] == ["CREATE", "EXEC"]


NO_ROOT = "# Root on the host: no known way.\n"
CREATES = "ALLOW_OPERATIONS=ContainerCreate,ContainerStart\n"


def test_known_attacks(tmp_path: Path) -> None:
    """The verdict comes first, then how many attacks are shut, and what would shut the others."""
    file = tmp_path / "x.env"
    file.write_text(f"CREATE_BINDS=/etc\n{CREATES}")
    answer = check(file)
    assert answer.status == 0
    _, verdict, shut, *rest = answer.out.splitlines()
    assert verdict.startswith("root on the host: yes, by ContainerCreate: ")
    assert "of 104 known attacks are shut, " in shut
    assert rest[:2] == [
        "  HOST-ROOT: CREATE_BINDS without /etc would shut 1",
        "    a bind of /etc",
    ]
    data = json.loads(check(file, "--json").out)
    opened = [one for one in data["attacks"] if one["standing"] == "open"]
    assert [one["name"] for one in opened if one["gives"] == "host-root"] == ["a bind of /etc"]  # fmt: skip
    assert data["root"]
    assert not data["untrue"]


def test_an_open_attack_that_the_first_line_denies(tmp_path: Path) -> None:
    """A file that says "no known way", below a note of a person too, and was widened by hand,
    fails; --strict fails at any."""
    file = tmp_path / "x.env"
    file.write_text(f"{NO_ROOT}CREATE_BINDS=\nONLY_CONTAINERS=@own\nONLY_OWNER=x\n{CREATES}")  # fmt: skip
    assert check(file).status == check(file, "--strict").status == 0
    for note in ("", "# Reviewed by Ann.\n"):
        file.write_text(f"{note}{NO_ROOT}CREATE_BINDS=/etc\n{CREATES}")
        answer = check(file)
        assert answer.status == 1
        assert "is said to give no known way to root" in answer.out
    file.write_text("ALLOW_OPERATIONS=ContainerInspect\n")
    assert (check(file).status, check(file, "--strict").status) == (0, 1)


def test_within(tmp_path: Path) -> None:
    """A file within a boundary passes; else what goes beyond is listed, and it fails."""
    boundary, file = tmp_path / "company.env", tmp_path / "x.env"
    boundary.write_text(f"CREATE_BINDS=/srv/*\n{CREATES}")
    file.write_text(f"CREATE_BINDS=/srv/a,/srv/{{num}}/x\n{CREATES}")
    answer = check(file, "--within", boundary)
    assert answer.status == 0
    assert answer.out.splitlines()[-1] == f"it grants nothing beyond {boundary}"
    file.write_text("CREATE_BINDS=/srv/a,/opt\nALLOW_OPERATIONS=ContainerCreate,ContainerKill\n")  # fmt: skip
    answer = check(file, "--within", boundary)
    assert answer.status == 1
    at = answer.out.splitlines().index(f"it goes beyond {boundary} by 2 grants:")
    assert [line.split()[1] for line in answer.out.splitlines()[at + 1 :]] == [
        "CREATE_BINDS=/opt",
        "ContainerKill",
    ]
    data = json.loads(check(file, "--within", boundary, "--json").out)
    assert [one["name"] for one in data["beyond"]] == ["CREATE_BINDS=/opt", "ContainerKill"]  # fmt: skip
