"""`trioproxy explain`: grants by risk, price, flows and differences of one file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.commands.running import run
from tests.learning.test_lists import File, bind, execute
from tests.markdown import ROOT
from trioproxy.api.routes import MEANINGS, OPERATIONS, Risk
from trioproxy.commands.explain import UNSEEN, command
from trioproxy.evidence.evidencefile import dump
from trioproxy.file.incumbents import INCUMBENTS, TECNATIVA
from trioproxy.file.variables import SWITCHES
from trioproxy.judge.meaning import ONE_PROXY
from trioproxy.learning.learnedfile import Learned, render
from trioproxy.learning.minimize import price, price_of


def explain(path: Path, text: str, *options: str) -> Result:
    path.write_text(text)
    result = CliRunner().invoke(command, [str(path), *options], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.env"


LEARNED = render(
    Learned(
        name="app",
        file="app.env",
        operations=["ContainerCreate", "ContainerList", "SystemPing"],
    )
)


PRICE = price_of(["ContainerCreate", "ContainerList", "SystemPing"], TECNATIVA)


def test_a_learned_file(file: Path) -> None:
    """A learned file is shown with its grants, worst first, what it opens elsewhere and half flows."""
    lines = explain(file, LEARNED).stdout.splitlines()
    head = lines.index(
        f"mode exact, opens 4 of {len(OPERATIONS)} operations, 1 of them writes"
    )
    said = " ".join(" ".join(lines[:head]).split())
    assert said == (
        f"{file}: root on the host: yes, by ContainerCreate: nothing limits what it asks for"
        " ContainerCreate: nothing limits what it asks for"
    )
    assert lines[head:] == [
        f"mode exact, opens 4 of {len(OPERATIONS)} operations, 1 of them writes",
        "",
        "HOST-ROOT, gives root on the host:",
        "  ContainerCreate          POST    /containers/create",
        "      nothing limits what it asks for",
        "",
        "secret-leak, reads secrets:",
        "  ContainerList            GET     /containers/json",
        f"      {OPERATIONS['ContainerList'][0].summary}",
        "",
        "low, harmless:",
        "  SystemPing               GET     /_ping",
        f"      {OPERATIONS['SystemPing'][0].summary}",
        "  SystemPingHead           HEAD    /_ping",
        f"      {OPERATIONS['SystemPingHead'][0].summary}",
        "",
        "in tecnativa/docker-socket-proxy the same client would have"
        f" {PRICE.operations} operations, {PRICE.writes} of",
        "  them writes",
        "",
        "half granted: ContainerCreate without ContainerStart: a container can be created",
        "  but not started",
    ]


def test_a_file_of_sections(file: Path) -> None:
    """A file of section variables is shown with what the other proxies do with it."""
    text = explain(file, "CONTAINERS=1\nALLOW_START=1\n").stdout
    assert (
        "routes that this version does not know pass too, in: CONTAINERS, EVENTS"
        in text
    )
    opened = price({"CONTAINERS": "1", "ALLOW_START": "1"}, INCUMBENTS)
    assert opened.writes == 2
    assert f"in the other proxies this file opens {opened}" in text


def test_routes_of_a_list(file: Path) -> None:
    """Routes that are named are shown."""
    text = explain(file, "ALLOW_OPERATIONS=DebugVars,GET:/frob/{x}\n").stdout
    assert "routes that this version does not know:\n  GET:/frob/{x}\n" in text


def test_warnings(file: Path) -> None:
    """What has no effect is said on stderr and stays out of the result."""
    result = explain(file, "PUID=1\nPOST=0\n")
    assert "PUID has no effect in a policy file" in result.stderr
    assert "PUID" not in result.stdout


@pytest.mark.parametrize(
    "text",
    ["".join(f"{name}=1\n" for name in SWITCHES), LEARNED, "POST=0\n"],
    ids=["everything", "learned", "empty"],
)
def test_eighty_columns(file: Path, text: str) -> None:
    """No line is longer than 80 columns, a file name aside."""
    for line in explain(file, text).stdout.splitlines():
        assert len(line.replace(str(file), "app.env")) <= 80


SHIPPED = sorted(
    path.relative_to(ROOT)
    for folder in ("learned", "examples")
    for path in (ROOT / folder).rglob("*.env")
)


@pytest.mark.parametrize("shipped", SHIPPED, ids=str)
def test_shipped_files_fit_eighty_columns(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shipped file is explained in lines of at most 80 columns, lists and all."""
    monkeypatch.chdir(ROOT)
    text = run("explain", str(shipped)).out
    assert max(map(len, text.splitlines())) <= 80
    told = "".join(text.split())
    for line in shipped.read_text().splitlines():
        if line.startswith("CREATE_") and not line.startswith(BASES):
            assert line in told, line


BASES = ("CREATE_BASE=", "CREATE_TMP=", "CREATE_PROJECT=")


def test_json(file: Path) -> None:
    """A program gets the same facts."""
    data = json.loads(explain(file, f"{LEARNED}PUID=1\n", "--as", "json").stdout)
    assert [one["operation"] for one in data["lines"]] == [
        "ContainerCreate",
        "ContainerList",
        "SystemPing",
        "SystemPingHead",
    ]
    assert (data["mode"], data["total"], data["writes"]) == (
        "exact",
        len(OPERATIONS),
        1,
    )
    assert data["elsewhere"].endswith(f"the same client would have {PRICE}")
    assert [flow["lacks"] for flow in data["half_granted"]] == ["ContainerStart"]
    assert len(data["warnings"]) == 1
    data = json.loads(explain(file, "CONTAINERS=1\n", "--as", "json").stdout)
    assert data["unknown_routes_in"] == ["CONTAINERS", "EVENTS", "PING", "VERSION"]


def test_every_risk_has_a_title() -> None:
    """No operation is left out for want of a heading."""
    assert set(MEANINGS) == set(Risk)


def test_what_connects_is_marked(file: Path) -> None:
    """A read by which the Engine connects to hosts of the client's choice says so."""
    text = explain(file, "ALLOW_OPERATIONS=ImageSearch,ImageList\n").stdout
    assert "  searches any registry host [connects]\n" in text
    assert text.count("[connects]") == 1


def test_a_limited_file(file: Path) -> None:
    """A file with limits begins with root or not, and says what may be asked for."""
    limited = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv/app\nCREATE_CAPS=NET_ADMIN\n"
    text = explain(file, limited).stdout
    said = " ".join(text.split())
    assert (
        "root on the host: no known way, for a client that runs only in containers or elsewhere"
        in said
    )
    assert "CREATE_BINDS=/srv/app: folders and files of the host" in said
    assert "nothing of CREATE_DEVICES, CREATE_DRIVERS" in said
    assert "values combine: each of them may be asked for with any other" in said
    assert "limited to what is harmless or in the lists:\n  ContainerCreate" in text
    assert "HOST-ROOT" not in text
    data = json.loads(explain(file, limited, "--as", "json").stdout)
    assert data["root"]["known"] is False
    assert data["limits"]["CREATE_BINDS"] == "/srv/app"
    assert data["limits"]["CREATE_PRIVILEGED"] == ""


def test_an_operation_whose_tags_alone_are_limited_keeps_its_risk(file: Path) -> None:
    """A build that may ask for anything is not told as limited because its tags are."""
    text = explain(file, "ALLOW_OPERATIONS=ImageBuild\nCREATE_TAGS=a\n").stdout
    assert "limited to what" not in text
    assert "HOST-ROOT, gives root on the host:\n  ImageBuild" in text


def told_in_all_or_none(told: list[bool]) -> bool:
    """Whether all say it; none may say it alone."""
    assert len({*told}) == 1, told
    return told[0]


def test_a_second_proxy_is_told_of(file: Path) -> None:
    """What no known way relies on is said in every form of a file that creates, and of no other: two proxies share no reservation."""
    limited = "CREATE_BINDS=/srv/app\nALLOW_OPERATIONS={}\n"
    forms = ((), ("--as", "markdown"), ("--as", "json"), ("--as", "html", "-o", "-"))
    told = {
        granted: told_in_all_or_none(
            [
                ONE_PROXY in " ".join(explain(file, text, *form).stdout.split())
                for form in forms
            ]
        )
        for granted, text in (
            ("creates", limited.format("ContainerCreate,ContainerStart")),
            ("creates none", limited.format("ContainerStart,VolumeCreate")),
            ("root", "ALLOW_OPERATIONS=ContainerCreate\n"),
        )
    }
    assert told == {"creates": True, "creates none": False, "root": False}
    page = " ".join((ROOT / "docs" / "objects.md").read_text().split())
    assert "Two proxies at one Engine share none" in page


def test_a_way_to_root_is_named(file: Path) -> None:
    """A listed value that gives root is named first, with the reason."""
    text = explain(
        file, "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/var/run/docker.sock\n"
    ).stdout
    said = " ".join(text.split())
    assert "yes, by ContainerCreate: CREATE_BINDS=/var/run/docker.sock" in said
    assert "is an engine, and whoever reaches it is root" in said


def test_what_was_seen_stands_beside_what_is_granted(tmp_path: Path) -> None:
    """A file that was learned from four runs tells how often, in how many of them, when and
    by which programs each grant was used, and which one nobody ever used."""
    file = File()
    session = [bind("/srv/app"), execute("ls", User="root")]
    for number in range(4):
        file.learn(*session[: 1 + number % 2])
    file.edit("=ContainerCreate", "=ContainerCreate,ContainerTop")
    file.edit("CREATE_BINDS=/srv/app", "CREATE_BINDS=/srv/app,/srv/other")
    path = tmp_path / "app.env"
    path.write_text(file.text)
    path.with_suffix(".jsonl").write_text(dump(file.evidence))
    text = run("explain", str(path)).out
    assert "      seen 4x in 4 of 4 runs, 1970-01-01\n" in text
    assert "      seen 2x in 2 of 4 runs, 1970-01-01\n" in text
    assert "      NEVER USED: added by hand or by approve\n" in text
    assert "    /srv/app: seen 4x in 4 of 4 runs, 1970-01-01\n" in text
    assert "    /srv/other: NEVER USED: added by hand or by approve\n" in text
    assert "    root: seen 2x in 2 of 4 runs, 1970-01-01\n" in text
    table = run("explain", str(path), "--as", "markdown").out
    assert "| `ContainerTop` `GET /containers/{id}/top` |" in table
    assert (
        "|  | `CREATE_BINDS=/srv/other` |  | NEVER USED: added by hand or by approve |\n"
        in table
    )
    data = json.loads(run("explain", str(path), "--as", "json").out)
    seen = {one["name"]: one["seen"] for one in data["lines"]}
    assert seen["ContainerTop"]["last"] is None
    assert (seen["ContainerExec"]["count"], seen["ContainerExec"]["runs"]) == (2, 2)
    path.with_suffix(".jsonl").unlink()
    assert " seen " not in run("explain", str(path)).out


def test_a_build_goes_around_lists(file: Path) -> None:
    """Which lists a granted build does not keep to stands behind them, and in the JSON."""
    around = "ALLOW_OPERATIONS=ImageBuild\nBUILD_OPTIONS=\nPULL_IMAGES=nginx\n"
    said = (
        "a build goes around PULL_IMAGES: it pulls any image and connects to any host"
    )
    assert said in " ".join(explain(file, around).stdout.split())
    assert (
        json.loads(explain(file, around, "--as", "json").stdout)["gone_around"] == said
    )


def test_limits_in_markdown(file: Path) -> None:
    """A reviewer reads in a table what is limited, what is listed, and what is closed."""
    limited = "ALLOW_OPERATIONS=ContainerCreate,ImageBuild\nCREATE_BINDS=/etc\nCREATE_CAPS=*\n"
    text = explain(file, limited, "--as", "markdown").stdout
    assert "| limited | `ContainerCreate` `POST /containers/create` |" in text
    assert "| HOST-ROOT | `ImageBuild` `POST /build` |" in text
    assert "| HOST-ROOT | `CREATE_BINDS=/etc` | is root's own |  |\n" in text
    assert "\nAnything of `CREATE_CAPS`.\n" in text
    assert "\nNothing of `CREATE_DEVICES`, `CREATE_DRIVERS`, " in text
    hostile = file.with_name("a`|b.env")
    assert explain(hostile, limited, "--as", "markdown").stdout.startswith("**`")
    assert (
        "`|" not in explain(hostile, limited, "--as", "markdown").stdout.splitlines()[0]
    )


def test_a_page_is_all_that_is_written(tmp_path: Path) -> None:
    """Of what is written as a page nothing is said besides, in a file as on stdout."""
    words = ("explain", "learned:glances", "--as", "html")
    page = tmp_path / "page.html"
    assert run(*words, "-o", str(page)).out == ""
    assert run(*words, "-o", "-").out == page.read_text()


def test_a_file_that_nobody_learned() -> None:
    """What was read in a client's source is said to be so, of what was learned it is not."""
    for name, is_read in (("documented:traefik", True), ("learned:glances", False)):
        assert (f"\n{UNSEEN}\n" in run("explain", name).out) is is_read


def test_a_name_that_is_too_long(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no file can have is told of in a line, and of one whose evidence can have none
    there is no evidence."""
    monkeypatch.chdir(file.parent)
    name = "a" * 256
    for words, told in (
        (("explain", name), f"cannot read {name}: File name too long"),
        (
            ("merge", "learned:glances", "-o", f"{name}.jsonl"),
            f"cannot write {name}.jsonl: File name too long",
        ),
    ):
        done = run(*words)
        assert (done.status, done.err) == (2, f"trioproxy: {told}\n")
    longest = file.with_name(f"{'a' * 251}.env")
    longest.write_text("ALLOW_OPERATIONS=SystemPing\n")
    assert run("explain", str(longest)).status == 0
