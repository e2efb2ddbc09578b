"""Commands that look at files with lists of objects."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trioproxy.cli import group
from trioproxy.commands.closing import _named
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence
from trioproxy.file.envfile import parse
from trioproxy.learning.only import ObjectLists
from trioproxy.limits.grant import Grant

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
    """What is listed, what is not set, that others are not shown; and that reaching is no way to root."""
    _, out, _ = run("explain", files[1])
    words = " ".join(out.split())
    assert "root on the host: no known way" in words
    assert "ONLY_CONTAINERS=@own: containers that requests may name" in words
    assert "ONLY_NETWORKS=@own,bridge,default,none: networks that requests may name, as the variable is not set" in words  # fmt: skip
    assert "not listed is left out of the answers of ContainerList" in words
    _, out, _ = run("explain", "--as", "json", files[1])
    told = json.loads(out)
    assert told["objects"]["ONLY_CONTAINERS"] == "@own"
    assert told["shows_listed"] == ["ContainerList"]
    _, out, _ = run("explain", files[0])
    assert "ContainerExec: reaches into any container" in out
    assert "ONLY_" not in out


@pytest.mark.parametrize("item", ["NetworkCreate:Options.parent", "NetworkCreate:Options.parent=br-a", "NetworkCreate:Options.com.docker.network.bridge.name=br-a"])  # fmt: skip
def test_explain_says_what_an_interface_reaches(item: str, tmp_path: Path) -> None:
    """A macvlan on another network's bridge is on that network, which no list of networks holds; so
    is who names the bridge of virtual machines."""
    file, told = tmp_path / "a.env", f"all that is on it, listed or not: {item}"
    lists = f"CREATE_DRIVERS=network:macvlan\nCREATE_OPTIONS={item}\nONLY_CONTAINERS=@own\nONLY_OWNER=a\n"
    file.write_text(f"{lists}ALLOW_OPERATIONS=NetworkCreate\n")
    assert told in " ".join(run("explain", str(file))[1].split())
    file.write_text(f"{lists}ONLY_NETWORKS=*\nALLOW_OPERATIONS=NetworkCreate\n")
    assert told not in " ".join(run("explain", str(file))[1].split())


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


MORE = [
    # Nothing was limited, or nothing is any more.
    ("", "@own", []),
    ("@own", "", ["ONLY_CONTAINERS=*", "ONLY_NETWORKS=*", "ONLY_VOLUMES=*"]),
    ("@own", "*", ["ONLY_CONTAINERS=*"]),
    ("*", "@own,db", []),
    # A name more, and one that fits what was listed.
    ("@own", "@own,db", ["ONLY_CONTAINERS=db"]),
    ("web-*", "web-1", []),
    ("web-*", "web-*-x,web-a*", []),
    ("web-1", "web-*", ["ONLY_CONTAINERS=web-*"]),
    ("web-*", "web", ["ONLY_CONTAINERS=web"]),
    ("@project:shop", "@project:shop", []),
    ("shop-*", "@project:shop", ["ONLY_CONTAINERS=@project:shop"]),
    ("@label:a=b", "@label:a=c", ["ONLY_CONTAINERS=@label:a=c"]),
]


@pytest.mark.parametrize(("old", "new", "more"), MORE)
def test_diff_proves_which_lists_hold_more(
    tmp_path: Path, old: str, new: str, more: list[str]
) -> None:
    """More is what the old file is not proven to list; where it is not, the gate closes."""
    names = []
    for name, value in (("old.env", old), ("new.env", new)):
        lists = f"ONLY_CONTAINERS={value}\nONLY_OWNER=app\n" if value else ""
        (tmp_path / name).write_text(f"{OPEN}CREATE_BINDS=\n{lists}")
        names.append(str(tmp_path / name))
    status, out, _ = run("diff", "--as", "json", *names)
    told = json.loads(out)
    assert [one["name"] for one in told["more"]] == more
    assert status == bool(more)


def test_what_is_anothers_own_is_more(tmp_path: Path) -> None:
    """With another owner, `@own` holds other objects: that is more, and less as well."""
    names = []
    for owner in ("a", "b"):
        file = tmp_path / f"{owner}.env"
        file.write_text(LISTED.replace("ONLY_OWNER=app", f"ONLY_OWNER={owner}"))
        names.append(str(file))
    status, out, _ = run("diff", *names)
    assert status == 1
    assert "+ ONLY_CONTAINERS=@own by ONLY_OWNER=b" in out
    assert "- ONLY_CONTAINERS=@own by ONLY_OWNER=a" in out


def test_a_prune_counts_as_naming_any(tmp_path: Path) -> None:
    """A file that grants a prune alone grants more without lists than with them."""
    (tmp_path / "a.env").write_text(
        "ALLOW_OPERATIONS=VolumePrune\nONLY_VOLUMES=@own\nONLY_OWNER=a\n"
    )
    (tmp_path / "b.env").write_text("ALLOW_OPERATIONS=VolumePrune\n")
    status, out, _ = run("diff", str(tmp_path / "a.env"), str(tmp_path / "b.env"))
    assert (status, "+ ONLY_VOLUMES=*" in out) == (1, True)


def merged(folder: Path, *texts: str) -> tuple[dict[str, str], str]:
    """Unite files; the lists of objects in what was written, and what was told."""
    names = []
    for number, text in enumerate(texts):
        file = folder / f"{number}.env"
        file.write_text(text)
        file.with_suffix(".jsonl").write_text(dump(Evidence()))
        names.append(str(file))
    result = CliRunner().invoke(group, ["merge", *names, "-o", str(folder / "all.env")])
    assert result.exit_code == 0, result.stderr
    variables = parse((folder / "all.env").read_text(), name="all.env")
    lists = {name: variables[name] for name in variables if name.startswith("ONLY_")}
    return lists, result.stderr


def test_merge_unites_lists(tmp_path: Path) -> None:
    """What any of the files lists is listed; what one leaves open is open, and told."""
    db = LISTED.replace("ONLY_CONTAINERS=@own", "ONLY_CONTAINERS=@own,db")
    lists, told = merged(tmp_path, LISTED, db)
    assert lists == {
        "ONLY_CONTAINERS": "@own,db",
        "ONLY_NETWORKS": "@own,bridge,default,none",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": "app",
    }
    assert "ONLY_OWNER differs" not in told


def test_merge_leaves_open_what_one_file_does(tmp_path: Path) -> None:
    """Where one of the files says nothing of objects, the result says nothing either."""
    lists, told = merged(tmp_path, LISTED, f"{OPEN}CREATE_BINDS=\n")
    assert not lists
    assert "ONLY_* is open, because" in " ".join(told.split())


def test_merge_tells_of_many_owners(tmp_path: Path) -> None:
    """One owner is left of two, so nothing widens in silence."""
    other = LISTED.replace("ONLY_OWNER=app", "ONLY_OWNER=other")
    lists, told = merged(tmp_path, LISTED, other)
    assert lists["ONLY_OWNER"] == "app"
    assert "what was made by other is not its own" in " ".join(told.split())


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


def test_an_empty_list_is_not_new_in_each_run() -> None:
    """What lists nothing brought nothing; what lists something is new until the file has it."""
    lists = ObjectLists(values={"ONLY_CONTAINERS": "web", "ONLY_NETWORKS": ""})
    web = Grant("ONLY_CONTAINERS", "web")
    for known, new in ((frozenset[Grant](), "  new"), (frozenset({web}), "")):
        told = list(_named(lists, known))[1:]
        assert told == [f"  ONLY_CONTAINERS=web{new}", "  ONLY_NETWORKS="]
