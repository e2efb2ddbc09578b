"""Commands that look at files with lists of objects."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trioproxy.cli import group
from trioproxy.learning.evidence import Evidence
from trioproxy.learning.evidencefile import dump

OPEN = "ALLOW_OPERATIONS=ContainerCreate,ContainerExec,ContainerList,ExecStart\nEXEC_PRIVILEGED=0\n"
LISTED = f"{OPEN}CREATE_BINDS=\nONLY_CONTAINERS=@own\nONLY_OWNER=app\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "open.env").write_text(f"{OPEN}CREATE_BINDS=\n")
    (tmp_path / "listed.env").write_text(LISTED)
    return str(tmp_path / "open.env"), str(tmp_path / "listed.env")


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(group, args, standalone_mode=False)
    failed = str(result.exception or "")
    status = result.return_value if isinstance(result.return_value, int) else 0
    return status, result.stdout, failed


def test_explain_says_what_may_be_named(files: tuple[str, str]) -> None:
    """What is listed, what is not set, what is still shown; and that reaching is no way to root."""
    _, out, _ = run("explain", files[1])
    words = " ".join(out.split())
    assert "root on the host: no known way" in words
    assert "ONLY_CONTAINERS=@own: containers that requests may name" in words
    assert "ONLY_NETWORKS=@own,bridge,default,none: networks, as the variable is not set" in words  # fmt: skip
    assert "still shown, listed or not, by ContainerList" in words
    _, out, _ = run("explain", "--json", files[1])
    told = json.loads(out)
    assert told["objects"]["ONLY_CONTAINERS"] == "@own"
    assert told["shows_all"] == ["ContainerList"]
    _, out, _ = run("explain", files[0])
    assert "ContainerExec: reaches into any container" in out
    assert "ONLY_" not in out


def test_a_way_remains_where_what_is_inside_is_not_looked_at(tmp_path: Path) -> None:
    """Without CREATE_* a listed container may have anything, and a command its privileges."""
    file = tmp_path / "a.env"
    file.write_text(
        "ALLOW_OPERATIONS=ExecStart\nEXEC_PRIVILEGED=0\nONLY_CONTAINERS=db\nONLY_OWNER=a\n"
    )
    _, out, _ = run("explain", str(file))
    assert "reaches into each container that is listed" in " ".join(out.split())
    file.write_text(LISTED.replace("EXEC_PRIVILEGED=0\n", ""))
    _, out, _ = run("explain", str(file))
    assert "ContainerExec: nothing limits what it asks for" in " ".join(out.split())


@pytest.mark.parametrize("how", [[], ["--markdown"], ["--json"]], ids=str)
def test_diff_never_passes_over_lists(files: tuple[str, str], how: list[str]) -> None:
    """Lists that differ are shown, and the gate is closed: which is wider is for a person."""
    for pair, sign in ((files, "+"), (files[::-1], "-")):
        status, out, _ = run("diff", *how, *pair)
        assert status == 1
        assert f"{sign} ONLY_CONTAINERS=@own" in out
    status, out, _ = run("diff", *how, files[1], files[1])
    assert status == 0
    assert "ONLY_" not in out


def test_merge_loses_no_list(files: tuple[str, str], tmp_path: Path) -> None:
    """Files with lists of objects are not united, and nothing is written."""
    for file in files:
        Path(file).with_suffix(".jsonl").write_text(dump(Evidence()))
    _, _, failed = run("merge", *files, "-o", str(tmp_path / "all.env"))
    assert "lists of objects are not united yet" in failed
    assert not (tmp_path / "all.env").exists()


def test_export_says_what_it_leaves_out(files: tuple[str, str]) -> None:
    """Other proxies know no objects: what they open is said."""
    result = CliRunner().invoke(group, ["export", files[1], "--to", "cetusguard"])
    assert "ONLY_CONTAINERS" in result.stderr


def test_check_cannot_tell_without_the_engine(files: tuple[str, str]) -> None:
    """What a name means, the Engine alone can tell: status 2."""
    target = "/containers/db/exec"
    args = ["check", files[1], "POST", target, "--body", "/dev/null"]
    status, out, _ = run(*args)
    assert status == 2
    assert "depends on what the Engine has under db" in out
