"""`trioproxy diff`: what one file grants more or less than another."""

import json
from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.learning.test_proposal import seen_route
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who
from trioproxy.file.policyfile import PolicyFile
from trioproxy.review.attacking import try_all

SMALL = "ALLOW_OPERATIONS=ContainerList\n"
LARGE = "ALLOW_OPERATIONS=ContainerCreate,ContainerList,GET:/new/{x}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two policies."""
    (tmp_path / "small.env").write_text(SMALL)
    (tmp_path / "large.env").write_text(LARGE)
    return tmp_path


def diff(folder: Path, old: str, new: str, *options: str) -> Finished:
    """Compare two files of a folder; its path is left out of what is said."""
    done = run("diff", *options, str(folder / old), str(folder / new))
    return Finished(
        status=done.status, out=done.out.replace(f"{folder}/", ""), err=done.err
    )


def test_more_is_status_1(folder: Path) -> None:
    """A file that grants more is shown with its risks, and fails the gate."""
    done = diff(folder, "small.env", "large.env")
    assert done.status == 1
    first, way, create, route = done.out.splitlines()
    assert first == "large.env grants 2 more than small.env; root on the host: new"
    assert way == "  ! ContainerCreate: nothing limits what it asks for"
    assert create.startswith("  + ContainerCreate ")
    assert "POST /containers/create  HOST-ROOT: " in create
    assert route == "  + GET:/new/{x}"


def test_less_is_status_0(folder: Path) -> None:
    """A file that grants less passes the gate."""
    done = diff(folder, "large.env", "small.env")
    assert done.status == 0
    assert done.out.startswith(
        "small.env grants 2 less than large.env;"
        " root on the host: no known way any more\n  - Cont"
    )


def test_more_and_less(folder: Path) -> None:
    """Both directions are counted."""
    (folder / "other.env").write_text("IMAGES=1\nPING=0\nVERSION=0\nEVENTS=0\n")
    done = diff(folder, "small.env", "other.env")
    assert "more and 1 less than" in done.out
    assert "  + unknown reading routes in IMAGES\n" in done.out
    assert done.status == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        (
            "--as",
            "markdown",
        ),
    ],
    ids=["text", "markdown"],
)
def test_no_difference_is_said(folder: Path, options: tuple[str, ...]) -> None:
    """Files that decide alike are told so, however they are written."""
    (folder / "other.env").write_text(f"# the same\n{SMALL}CONTAINERS=1\n")
    done = diff(folder, "small.env", "other.env", *options)
    assert done.status == 0
    assert "grants what" in done.out


def test_json_for_programs(folder: Path) -> None:
    """A program finds names, routes and risks."""
    done = diff(folder, "small.env", "large.env", "--as", "json")
    data = json.loads(done.out)
    assert [one["name"] for one in data["more"]] == ["ContainerCreate", "GET:/new/{x}"]
    assert data["more"][0]["risk"] == "host-root"
    assert data["less"] == []
    assert data["root"]["new"] is True
    assert data["root"]["new_ways"][0]["operation"] == "ContainerCreate"


def test_markdown_for_a_pull_request(folder: Path) -> None:
    """A reviewer finds a table; a hostile file name cannot leave its place."""
    (folder / "b|`\nx`.env").write_text(LARGE)
    done = diff(folder, "small.env", "b|`\nx`.env", "--as", "markdown")
    lines = done.out.splitlines()
    headline = "grants 2 more than `small.env`; root on the host: new**"
    assert lines[0] == f"**`b\\x0ax.env` {headline}"
    assert lines[2] == "- `ContainerCreate`: nothing limits what it asks for"
    before, after = lines[6:8]
    assert before.startswith("| `small.env` | `root on the host: no known way")
    assert " known attacks are shut, " in before
    assert after.startswith("| `b\\x0ax.env` | `root on the host: yes, by ContainerCre")
    _, opened = lines[9].removesuffix(".").split("Open now: ")
    large = PolicyFile.of(LARGE, "")
    judged = try_all(large.variables, large.policy)
    assert opened.split("; ") == [one.attack.name for one in judged.opened]
    assert lines[13].startswith(
        "| **+** | `ContainerCreate` | `POST /containers/create` | **HOST-ROOT** | "
    )
    assert lines[14] == "| **+** | `GET:/new/{x}` |  |  |  |"
    assert lines[-1] == "2 grants to review before this is merged."
    assert {line.count("|") for line in lines[11:15]} == {6}


LIMITED = "ALLOW_OPERATIONS=ContainerCreate,ContainerList\nCREATE_BINDS="
ROOTS = [
    ("/srv/a", "/srv/a,/srv/b", "no known way", "+ CREATE_BINDS=/srv/b"),
    ("/srv/a", "/srv/a,/srv/a/x", "new", "! ContainerCreate, CREATE_BINDS=/srv/a: a link planted in one of its folders leads anywhere when it is bound"),
    ("/srv/a", "/etc,/srv/a", "new", "+ CREATE_BINDS=/etc  HOST-ROOT: is root's own"),
    ("/etc", "/etc,/usr", "yes, as before, and in 1 new way", "+ CREATE_BINDS=/usr  HOST-ROOT: is root's own"),
    ("/etc,/srv/a", "/etc", "yes, as before", "- CREATE_BINDS=/srv/a"),
    ("/etc,/srv/a", "/srv/a", "no known way any more", "- CREATE_BINDS=/etc  HOST-ROOT: is root's own"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "root", "line"), ROOTS, ids=[f"{r[0]}-{r[1]}" for r in ROOTS]
)
def test_the_headline_says_whether_root_is_new(
    old: str, new: str, root: str, line: str, folder: Path
) -> None:
    """Root on the host is told first, and each value that gives it says why."""
    (folder / "old.env").write_text(f"{LIMITED}{old}\n")
    (folder / "new.env").write_text(f"{LIMITED}{new}\n")
    done = diff(folder, "old.env", "new.env")
    lines = done.out.splitlines()
    assert lines[0].endswith(f"; root on the host: {root}")
    assert f"  {line}" in lines
    assert done.status == int(" more than " in lines[0])
    markdown = diff(folder, "old.env", "new.env", "--as", "markdown").out
    assert f"root on the host: {root}**\n" in markdown


def test_the_worst_is_first(folder: Path) -> None:
    """What gives root comes first, then what is asked for, then the rest by its risk."""
    (folder / "new.env").write_text(
        "ALLOW_OPERATIONS=ContainerCreate,ContainerInspect,ContainerList,SystemPing,"
        "VolumeDelete\nCREATE_BINDS=/etc,/srv/a\nCREATE_IMAGES=nginx\n"
    )
    lines = diff(folder, "small.env", "new.env").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  +")] == [
        "CREATE_BINDS=/etc",
        "CREATE_BINDS=/srv/a",
        "CREATE_IMAGES=nginx",
        "ContainerCreate",
        "VolumeDelete",
        "ContainerInspect",
        "SystemPing",
        "SystemPingHead",
    ]
    (create,) = (line for line in lines if "+ ContainerCreate" in line)
    assert "  limited: makes a container" in create
    (folder / "tags.env").write_text(
        "ALLOW_OPERATIONS=ContainerList,ImageBuild\nCREATE_TAGS=\n"
    )
    out = diff(folder, "small.env", "tags.env").out
    assert "  + ImageBuild               POST /build  HOST-ROOT, connects: " in out
    data = json.loads(diff(folder, "small.env", "new.env", "--as", "json").out)
    worst = data["more"][0]
    assert (worst["name"], worst["power"], worst["why"]) == (
        *("CREATE_BINDS=/etc", "host-root", "is root's own"),
    )
    powers = {one["name"]: one["power"] for one in data["more"]}
    assert powers["ContainerCreate"] == "limited"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(("small.env", "none.env"), "cannot read", id="missing"),
        pytest.param(("small.env",), "missing argument", id="one-file"),
        pytest.param(
            ("--as", "json", "--as", "text", "small.env", "large.env"),
            "--as is given twice",
            id="both",
        ),
        pytest.param(
            ("small.env", "large.env", "-o", "page.html"), "is for the page", id="page"
        ),
    ],
)
def test_bad_input(args: tuple[str, ...], said: str, folder: Path) -> None:
    """What cannot be compared ends with status 2 and says why."""
    done = run("diff", *(str(folder / one) if "." in one else one for one in args))
    assert (done.status, said in done.err) == (2, True), done.err


DAY = 86_400
BEGIN = 1_795_515_300


def observed(folder: Path, name: str, days: int) -> None:
    """Evidence next to a file: operations and a value, watched for so many days."""
    evidence = Evidence()
    evidence.begin("2026-11-24T10:15:00Z-1", BEGIN)
    who = Who("docker/26.1.5", "10.0.0.5", "1.45")
    for one in ("ContainerList", "ContainerCreate", "ContainerCreate"):
        evidence.observe(seen_route(one), "200", When(BEGIN), who)
    evidence.observe(
        Sight("CREATE_BINDS", "/srv/a", "ContainerCreate"), "200", When(BEGIN)
    )
    seconds = days * DAY
    evidence.observe(
        seen_route("ContainerList"), "200", When(BEGIN + seconds, seconds), who
    )
    (folder / name).with_suffix(".jsonl").write_text(dump(evidence))


def test_what_an_edit_flips(folder: Path) -> None:
    """With evidence next to a file it is said what of that is decided otherwise, and how often it came up."""
    observed(folder, "large.env", 2)
    done = diff(folder, "large.env", "small.env")
    assert done.status == 0
    assert done.out.splitlines()[-4:-1] == [
        "it decides 1 of 3 recorded in large.jsonl otherwise, the last of 2026-11-24",
        "small.env alone refuses:",
        "  2x ContainerCreate (POST /containers/create) is not allowed: add ContainerCreate"
        " to ALLOW_OPERATIONS, last 2026-11-24, by 10.0.0.5",
    ]
    back = diff(folder, "small.env", "large.env")
    assert "small.env alone refuses:" in back.out
    data = json.loads(diff(folder, "large.env", "small.env", "--as", "json").out)
    names = [one["name"] for one in data["observed"]["refused"]]
    assert (data["observed"]["recorded"], names) == (3, ["ContainerCreate"])
    assert data["observed"]["allowed"] == data["observed"]["unused"] == []
    text = diff(folder, "large.env", "small.env", "--as", "markdown").out
    assert "```text\nit decides 1 of 3 recorded" in text


def test_what_both_files_allow_alone_counts(folder: Path) -> None:
    """What the new file refuses and what it allows are two things that are decided otherwise."""
    for name, one in (("a.env", "ContainerList"), ("b.env", "ContainerCreate")):
        (folder / name).write_text(f"CREATE_BINDS=/srv/a\nALLOW_OPERATIONS={one}\n")
    observed(folder, "b.env", 2)
    told = diff(folder, "a.env", "b.env").out
    assert "it decides 2 of 3 recorded in b.jsonl otherwise" in told


def test_a_value_that_an_edit_flips(folder: Path) -> None:
    """A value that both could ask for is decided by itself; what nobody sent flips nothing."""
    observed(folder, "large.env", 2)
    limited = "CREATE_BINDS={}\nALLOW_OPERATIONS=ContainerCreate,ContainerList\n"
    (folder / "a.env").write_text(limited.format("/srv/a"))
    (folder / "large.env").write_text(limited.format("/srv/b"))
    done = diff(folder, "a.env", "large.env")
    assert "it decides 1 of 3 recorded" in done.out
    assert (
        "  1x ContainerCreate asks for /srv/a, which CREATE_BINDS does not list"
        in done.out
    )
    (folder / "large.env").write_text(limited.format("/srv/a,/srv/b"))
    done = diff(folder, "a.env", "large.env")
    assert (
        done.out.splitlines()[-1]
        == "it decides all 3 recorded in large.jsonl as before"
    )


def test_evidence_of_nothing_decides_nothing(folder: Path) -> None:
    """Beside evidence in which nothing is recorded that is said, and not that all of it is decided as before."""
    evidence = Evidence()
    evidence.begin("r1", 1_000)
    (folder / "large.jsonl").write_text(dump(evidence))
    done = diff(folder, "small.env", "large.env")
    assert done.out.splitlines()[-1] == "nothing is recorded in large.jsonl"


def test_what_is_unused_is_suggested_after_a_long_time(folder: Path) -> None:
    """What nobody used for 30 days is named, if so much was watched."""
    (folder / "new.env").write_text(
        "ALLOW_OPERATIONS=ContainerCreate,ContainerList,ImageList\n"
    )
    for days, suggested in ((29, False), (31, True)):
        observed(folder, "new.env", days)
        done = diff(folder, "small.env", "new.env")
        told = "not used in the last 30 days of it, to be struck out perhaps: ContainerCreate, ImageList"
        assert (told in done.out.splitlines()) is suggested
    (folder / "new.env").with_suffix(".jsonl").unlink()
    assert "recorded" not in diff(folder, "small.env", "new.env").out
