"""`trioproxy diff`: what one file grants more or less than another."""

import json
from pathlib import Path

import pytest

from tests.commands.running import Finished, run

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
    first, create, route = done.out.splitlines()
    assert first == "large.env grants 2 more than small.env"
    assert create.startswith("  + ContainerCreate ")
    assert "POST /containers/create  HOST-ROOT: " in create
    assert route == "  + GET:/new/{x}"


def test_less_is_status_0(folder: Path) -> None:
    """A file that grants less passes the gate."""
    done = diff(folder, "large.env", "small.env")
    assert done.status == 0
    assert done.out.startswith("small.env grants 2 less than large.env\n  - Cont")


def test_more_and_less(folder: Path) -> None:
    """Both directions are counted."""
    (folder / "other.env").write_text("IMAGES=1\nPING=0\nVERSION=0\nEVENTS=0\n")
    done = diff(folder, "small.env", "other.env")
    assert "more and 1 less than" in done.out
    assert "  + unknown reading routes in IMAGES\n" in done.out
    assert done.status == 1


@pytest.mark.parametrize("options", [(), ("--markdown",)], ids=["text", "markdown"])
def test_no_difference_is_said(folder: Path, options: tuple[str, ...]) -> None:
    """Files that decide alike are told so, however they are written."""
    (folder / "other.env").write_text(f"# the same\n{SMALL}CONTAINERS=1\n")
    done = diff(folder, "small.env", "other.env", *options)
    assert done.status == 0
    assert "grants what" in done.out


def test_json_for_programs(folder: Path) -> None:
    """A program finds names, routes and risks."""
    done = diff(folder, "small.env", "large.env", "--json")
    data = json.loads(done.out)
    assert [one["name"] for one in data["more"]] == ["ContainerCreate", "GET:/new/{x}"]
    assert data["more"][0]["risk"] == "host-root"
    assert data["less"] == []


def test_markdown_for_a_pull_request(folder: Path) -> None:
    """A reviewer finds a table; a hostile file name cannot leave its place."""
    (folder / "b|`\nx`.env").write_text(LARGE)
    done = diff(folder, "small.env", "b|`\nx`.env", "--markdown")
    lines = done.out.splitlines()
    assert lines[0] == "**`b x.env` grants 2 more than `small.env`:**"
    assert lines[4].startswith(
        "| **+** | `ContainerCreate` | `POST /containers/create` | **HOST-ROOT** | "
    )
    assert lines[5] == "| **+** | `GET:/new/{x}` |  |  |  |"
    assert lines[-1] == "2 grants to review before this is merged."
    assert {line.count("|") for line in lines[2:6]} == {6}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(("small.env", "none.env"), "cannot read", id="missing"),
        pytest.param(("small.env",), "missing argument", id="one-file"),
        pytest.param(
            ("--json", "--markdown", "small.env", "large.env"), "exclude", id="both"
        ),
    ],
)
def test_bad_input(args: tuple[str, ...], said: str, folder: Path) -> None:
    """What cannot be compared ends with status 2 and says why."""
    done = run("diff", *(str(folder / one) if "." in one else one for one in args))
    assert (done.status, said in done.err) == (2, True), done.err
