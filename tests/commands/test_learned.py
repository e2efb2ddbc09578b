"""`trioproxy explain` of what there is, and `learned:NAME` wherever a policy is named."""

import json
from pathlib import Path

import pytest

from tests.commands.running import Finished, run, running
from tests.commands.test_enforce import ANY_PORT, status_of
from tests.fakes import FakeEngine
from tests.learned.pages import catalogue, learned, learned_on, operations
from tests.markdown import ROOT
from trioproxy.api.routes import ENDPOINTS
from trioproxy.commands import catalogue as places
from trioproxy.commands.catalogue import locate
from trioproxy.errors import ConfigError

NAMES = [profile.name for profile in learned()]
FOLDER = ROOT / "learned"


def test_the_list_and_the_pages_have_one_source() -> None:
    """What ships says of each file what the tables of the documents say."""
    assert (FOLDER / "catalogue.json").read_text() == catalogue()


def test_the_list() -> None:
    """Each file has two lines: name, day and risk, and the client with its version; each
    operation has two: its route, and what it does with effect and risk."""
    done = run("explain")
    assert (done.status, done.err) == (0, "")
    files, known, *sections = done.out.split("\n\n")
    lines = files.splitlines()[1:]
    assert [line.split()[0] for line in lines[::2]] == NAMES
    at = NAMES.index("kind")
    day = learned_on(FOLDER / "kind.env")
    assert lines[2 * at].split() == ["kind", day, "DESTRUCTIVE"]
    assert lines[2 * at + 1] == "      kind 0.27.0, partial"
    assert "Traefik, docker" in known
    routes = [line for one in sections for line in one.splitlines()[1::2]]
    assert [line.split() for line in routes] == [
        [one.operation, one.method, one.template] for one in ENDPOINTS
    ]
    (commit,) = (one for one in sections if one.startswith("operations, COMMIT:"))
    assert commit.splitlines()[2].endswith(" [writes, HOST-ROOT]")
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_list_for_programs() -> None:
    """A program gets what each was learned from, what it opens, and whether that is root;
    and each endpoint with all that is known of it."""
    told = json.loads(run("explain", "--as", "json").out)
    data = {one["name"]: one for one in told["learned"]}
    assert list(data) == NAMES
    (glances,) = (profile for profile in learned() if profile.name == "glances")
    assert data["glances"] == {
        "name": "glances",
        "client": "Glances",
        "version": glances.version,
        "learned": learned_on(FOLDER / "glances.env"),
        "missing": "",
        "point": "`DOCKER_HOST`",
        "power": "secret-leak",
        "root": False,
        "operations": operations(glances),
    }
    for one in data.values():
        assert one["root"] is (one["power"] == "host-root")
    assert len(told["operations"]) == len(ENDPOINTS)
    (auth,) = [one for one in told["operations"] if one["operation"] == "SystemAuth"]
    assert auth.pop("summary")
    assert auth == {
        "operation": "SystemAuth",
        "method": "POST",
        "template": "/auth",
        "section": "AUTH",
        "effect": "read",
        "stream": "none",
        "files": "-",
        "risk": "info-leak",
        "connects": True,
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_list_and_the_file_agree(name: str) -> None:
    """What is listed as root is what `explain` of that file says, and nothing else is."""
    listed = run("explain").out.partition(f"\n  {name} ")[2].partition("\n")[0]
    answer = run("explain", f"learned:{name}").out.partition("\n")[0]
    is_root = "root on the host: yes" in answer
    assert ("HOST-ROOT" in listed) is is_root


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_list_has_two_forms(form: str) -> None:
    """What there is is text or JSON; another form is of a file."""
    done = run("explain", "--as", form)
    assert (done.status, "without FILE there is --as text" in done.err) == (2, True)


CALLS = {
    "explain": ("explain", "FILE"),
    "check": ("check", "FILE", "GET", "/containers/json"),
    "diff": ("diff", "FILE", str(FOLDER / "kind.env")),
    "diff-new": ("diff", str(FOLDER / "kind.env"), "FILE"),
    "diff-evidence": ("diff", "FILE", str(FOLDER / "glances.jsonl")),
    "export": ("export", "FILE", "--to", "tecnativa"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_wherever_a_file_is_named(call: tuple[str, ...]) -> None:
    """`learned:glances` is that file to every command that reads a policy."""

    def with_file(file: str) -> Finished:
        done = run(*(file if word == "FILE" else word for word in call))
        out, err = (text.replace(file, "FILE") for text in (done.out, done.err))
        return Finished(status=done.status, out=out, err=err)

    ours = with_file("learned:glances")
    assert ours == with_file(str(FOLDER / "glances.env"))
    assert ours.status in {0, 1}
    assert "Traceback" not in ours.err


@pytest.mark.parametrize("where", ["argument", "option", "variable"])
async def test_enforcing_one(fake: FakeEngine, where: str) -> None:
    """A proxy enforces it by its name, given as an argument, an option or ENV_FILE."""
    named = {
        "argument": ("learned:glances",),
        "option": ("--env-file", "learned:glances"),
        "variable": (),
    }[where]
    variables = {"ENV_FILE": "learned:glances"} if where == "variable" else {}
    options = ("--listen", ANY_PORT, "--upstream", f"unix://{fake.path}", "--watch")
    async with running("enforce", *named, *options, variables=variables) as proxy:
        line = await proxy.line(" start ")
        assert "mode=exact" in line
        assert "source=learned:glances" in line
        address = line.partition("listen=")[2].split()[0]
        assert await status_of(address, "/containers/json") == 200
        assert await status_of(address, "/images/json") == 403


def test_a_start_for_ones_own(tmp_path: Path) -> None:
    """One of them may be a ceiling, or be merged with what was learned here."""
    mine = str(tmp_path / "mine.env")
    done = run("merge", "learned:glances", "learned:kind", "-o", mine)
    assert done.status == 0, done.err
    assert "ContainerDelete" in Path(mine).read_text()
    done = run("learn", "-o", mine, "--within", "learned:glances", "--", "true")
    assert done.status == 2
    assert "already grants what learned:glances refuses: ContainerDelete" in done.err


NO_SUCH = {
    "near": ("learned:glance", "did you mean learned:glances?"),
    "part": (
        "learned:compose",
        "did you mean learned:docker-compose or learned:docker-compose-build?",
    ),
    "far": ("learned:xyz", "trioproxy explain lists those there are"),
    "none": ("learned:", "trioproxy explain lists those there are"),
    "up": ("learned:../learned/glances", "trioproxy explain lists those there are"),
    "root": ("learned:/etc/passwd", "trioproxy explain lists those there are"),
    "suffix": ("learned:glances.env", "did you mean learned:glances?"),
    "case": ("learned:Glances", "did you mean learned:glances?"),
    "pattern": ("learned:*", "trioproxy explain lists those there are"),
}


@pytest.mark.parametrize("name", ["learned:traefik", "learned:Traefik, docker"])
@pytest.mark.parametrize("command", [("explain",), ("enforce", "--env-file")])
def test_a_name_that_only_the_documents_have(
    name: str, command: tuple[str, ...]
) -> None:
    """Who is known from sources or documentation is told of as that page tells."""
    done = run(*command, name)
    assert done.status == 2
    assert f"there is no {name!r}: it was not learned yet" in done.err
    needs = "ContainerInspect,ContainerList,SystemEvents,SystemPing,SystemPingHead"
    assert f"Traefik, docker: ALLOW_OPERATIONS={needs},SystemVersion" in done.err
    assert "read in its source" in done.err


@pytest.mark.parametrize(("name", "hint"), NO_SUCH.values(), ids=NO_SUCH)
def test_a_name_that_there_is_not(name: str, hint: str) -> None:
    """Only the names of the list are names; what is like one is said, no path is made."""
    done = run("explain", name)
    assert done.status == 2
    assert done.err.splitlines() == [
        f"trioproxy: there is no {name!r}",
        f"hint: {hint}",
    ]


def test_a_file_that_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of one's own whose name begins like that is named with its folder."""
    monkeypatch.chdir(tmp_path)
    Path("learned:glances").write_text("PING=1\n")
    assert locate("./learned:glances") == Path("learned:glances")
    assert locate("learned:glances") == FOLDER / "glances.env"


def test_none_is_written(tmp_path: Path) -> None:
    """Learning does not write over what comes with the program."""
    done = run("learn", "-o", "learned:glances", "--", "true")
    assert done.status == 2
    assert "learned:glances comes with the program and is not written" in done.err


def test_an_installation_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the files are not there, that is said, and nothing else is looked for."""
    monkeypatch.setattr(places, "PLACES", (tmp_path,))
    with pytest.raises(ConfigError, match="this installation has no learned files"):
        locate("learned:glances")
