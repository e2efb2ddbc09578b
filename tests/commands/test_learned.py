"""`trioproxy explain` of what there is, and `learned:NAME` or `documented:NAME` wherever a
policy is named."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands.running import Finished, run, running
from tests.commands.test_enforce import ANY_PORT, status_of
from tests.fakes import FakeEngine
from tests.learned.documented import CLIENTS
from tests.learned.pages import catalogue, learned, learned_on, operations
from tests.markdown import ROOT
from trioproxy.api.routes import ENDPOINTS
from trioproxy.commands import catalogue as places
from trioproxy.commands.catalogue import locate
from trioproxy.commands.explain import UNSEEN
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
    files, documented, known, *sections = done.out.split("\n\n")
    lines = files.splitlines()[1:]
    assert [line.split()[0] for line in lines[::2]] == NAMES
    at = NAMES.index("kind")
    day = learned_on(FOLDER / "kind.env")
    assert lines[2 * at].split() == ["kind", day, "DESTRUCTIVE"]
    assert lines[2 * at + 1] == "      kind 0.27.0, partial"
    lines = documented.splitlines()[1:]
    names = [line.split()[0] for line in lines if re.match(r"  \S", line)]
    assert names == [one.name for one in CLIENTS]
    at = lines.index("  portainer-buttons        DESTRUCTIVE")
    told = "      Portainer with its buttons: portainer/portainer 2.23.0"
    assert lines[at + 1] == told
    assert "Promtail, Alloy" in known
    assert "Traefik, docker" not in known
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
    read = {one["name"]: one for one in told["documented"]}
    assert list(read) == [one.name for one in CLIENTS]
    assert not any(one["learned"] or one["root"] for one in read.values())
    assert read["glance"]["version"] == "glanceapp/glance v0.8.5"
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


OURS = {
    "learned:glances": FOLDER / "glances.env",
    "documented:traefik": FOLDER / "documented" / "traefik.env",
}


@pytest.mark.parametrize(("name", "path"), OURS.items(), ids=OURS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_wherever_a_file_is_named(call: tuple[str, ...], name: str, path: Path) -> None:
    """`learned:glances` is that file to every command that reads a policy."""

    def with_file(file: str) -> Finished:
        done = run(*(file if word == "FILE" else word for word in call))
        # A line is broken by how long the name in it is.
        told = (" ".join(text.split()) for text in (done.out, done.err))
        out, err = (text.replace(file, "FILE") for text in told)
        return Finished(status=done.status, out=out, err=err)

    ours = with_file(name)
    without = replace(ours, out=ours.out.replace(f"{UNSEEN} ", ""))
    assert without == with_file(str(path))
    assert ours.status in {0, 1}
    assert "Traceback" not in ours.err


def test_what_was_read_is_told_as_that() -> None:
    """`explain` says of a file that nobody learned that it was never seen at work."""
    assert UNSEEN in run("explain", "documented:traefik").out
    assert UNSEEN not in run("explain", "learned:glances").out


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("where", ["argument", "option", "variable"])
async def test_enforcing_one(fake: FakeEngine, where: str, name: str) -> None:
    """A proxy enforces it by its name, given as an argument, an option or ENV_FILE."""
    named = {
        "argument": (name,),
        "option": ("--env-file", name),
        "variable": (),
    }[where]
    variables = {"ENV_FILE": name} if where == "variable" else {}
    options = ("--listen", ANY_PORT, "--upstream", f"unix://{fake.path}", "--watch")
    async with running("enforce", *named, *options, variables=variables) as proxy:
        line = await proxy.line(" start ")
        assert "mode=exact" in line
        assert f"source={name}" in line
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
    "near": ("learned:zabbix-agent", "did you mean learned:zabbix-agent2?"),
    "other": ("learned:traefik", "did you mean documented:traefik?"),
    "otherwise": ("documented:glances", "did you mean learned:glances?"),
    "bare-part": (
        "documented:portaner",
        "did you mean documented:portainer?",
    ),
    "below": (
        "learned:documented/traefik",
        "trioproxy explain lists those there are",
    ),
    "part": (
        "learned:compose",
        "did you mean learned:docker-compose or learned:docker-compose-build?",
    ),
    "far": ("learned:xyz", "trioproxy explain lists those there are"),
    "none": ("learned:", "trioproxy explain lists those there are"),
    "up": ("learned:../learned/glances", "trioproxy explain lists those there are"),
    "root": ("learned:/etc/passwd", "trioproxy explain lists those there are"),
    "suffix": (
        "learned:glances.env",
        "did you mean learned:glances or documented:glance?",
    ),
    "case": ("learned:Glances", "did you mean learned:glances?"),
    "case-without-file": ("documented:Traefik", "did you mean documented:traefik?"),
    "client": ("documented:gitea", "did you mean documented:act-runner?"),
    "pattern": ("learned:*", "trioproxy explain lists those there are"),
}


@pytest.mark.parametrize("name", ["learned:promtail", "documented:Promtail, Alloy"])
@pytest.mark.parametrize("command", [("explain",), ("enforce", "--env-file")])
def test_a_name_that_only_the_documents_have(
    name: str, command: tuple[str, ...]
) -> None:
    """Who is known from sources or documentation is told of as that page tells."""
    done = run(*command, name)
    assert done.status == 2
    assert f"there is no {name!r}: that client has no file yet" in done.err
    needs = "ContainerInspect,ContainerList,ContainerLogs,NetworkList,SystemPing"
    assert f"Promtail, Alloy: ALLOW_OPERATIONS={needs},SystemPingHead" in done.err
    assert "told in an issue or a log" in done.err


KNOWN = {
    "gatus": "Gatus: asks no Engine anything (v5.36.0) (read in its source)",
    "dockge": "Dockge: begin with learned:docker-compose; 1.5.0: docker compose and docker network ls (read in its source)",
    "openclaw": "OpenClaw: begin with learned:docker-cli-run; 00a15a8: docker image inspect, create, start, exec, inspect and rm, for its sandboxes; docker pull and tag for the first one (read in its source)",
}


@pytest.mark.parametrize(("name", "told"), KNOWN.items(), ids=KNOWN)
def test_who_has_no_file_is_told_why(name: str, told: str) -> None:
    """Who asks nothing, who asks for everything and who is unread has a word, too."""
    done = run("explain", f"documented:{name}")
    assert (
        done.err.splitlines()[1] == f"hint: docs/clients.md has, to begin with, {told}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", [("explain",), ("enforce", "--env-file")])
def test_a_name_without_its_prefix(command: tuple[str, ...]) -> None:
    """Who types the client's name alone is told which of ours that is; a file of that
    name is that file."""
    done = run(*command, "traefik")
    assert done.status == 2
    assert "there is no file 'traefik'" in done.err
    assert "hint: did you mean documented:traefik?" in done.err
    assert locate("./traefik") == Path("traefik")
    said = run(*command, "traefic").err
    assert "hint: did you mean documented:traefik?" in said
    said = run(*command, "komodo").err
    assert "there is no file 'komodo': that client has no file yet" in said
    said = run(*command, "ContainerList").err
    assert "no file 'ContainerList': it is an operation, GET /containers/json" in said
    for far in ("mine", "nofile", "-", "d"):
        assert run(*command, far).err == (
            f"trioproxy: cannot read {far}: No such file or directory\n"
        )


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


def test_a_name_without_the_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`app` beside one's own `app.env` was said to be Nextcloud AppAPI, with what that may create."""
    monkeypatch.chdir(tmp_path)
    Path("app.env").write_text("PING=1\n")
    with pytest.raises(ConfigError, match="no file 'app'") as raised:
        locate("app")
    assert raised.value.hint == "did you mean app.env?"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("learn -o learned:glances -- true", id="learn"),
        pytest.param("merge learned:ansible -o learned:glances", id="merge"),
        pytest.param("approve learned:glances live.jsonl", id="approve"),
    ],
)
def test_none_is_written(words: str) -> None:
    """No command writes what comes with the program: what it wrote under that name would be
    read by none, and each hint names it."""
    done = run(*words.split())
    assert done.status == 2
    assert "learned:glances comes with the program and is not written" in done.err


def test_an_installation_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the files are not there, that is said, and nothing else is looked for."""
    monkeypatch.setattr(places, "PLACES", (tmp_path,))
    with pytest.raises(ConfigError, match="this installation has no learned files"):
        locate("learned:glances")
