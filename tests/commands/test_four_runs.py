"""A file that was learned from four runs, as every command shows it to a person."""

import re
from pathlib import Path

import pytest

from tests.commands.running import run
from tests.learning.test_lists import File, bind, create, execute
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Who, route_of


@pytest.fixture
def learned(tmp_path: Path) -> File:
    """Four runs: a create in each, an exec in two of them."""
    file = File()
    session = [bind("/srv/app"), execute("ls", User="root")]
    for number in range(4):
        file.learn(*session[: 1 + number % 2])
    write(file, tmp_path / "app.env")
    return file


def write(file: File, path: Path) -> None:
    path.write_text(file.text)
    path.with_suffix(".jsonl").write_text(dump(file.evidence))


def test_one_more_grant_changes_its_lines_alone(learned: File) -> None:
    """What a pull request shows is the row of what is new, and the lines that hold it."""
    before = set(learned.text.split("\n"))
    after = learned.learn(bind("/srv/app"), ("/volumes/create", {"Name": "v"}))
    new = [line for line in after.split("\n") if line not in before]
    assert [re.sub(r"[:=].*", "", line) for line in new] == [
        "#   VolumeCreate           makes a volume",
        "# tecnativa",
        "ALLOW_OPERATIONS",
    ]
    before = set(after.split("\n"))
    after = learned.learn(bind("/srv/app"), create({"Binds": ["/srv/www:/x:ro"]}))
    assert [line for line in after.split("\n") if line not in before] == [
        "CREATE_BINDS=/srv/app,/srv/www:ro"
    ]


def test_a_diff_begins_with_root_and_the_worst(learned: File, tmp_path: Path) -> None:
    """What widened is sorted by risk, and the headline says whether root became reachable."""
    old = tmp_path / "app.env"
    learned.learn(bind("/srv/app", "/etc"), ("/volumes/create", {"Name": "v"}))
    new = tmp_path / "new.env"
    write(learned, new)
    shown = run("diff", str(old), str(new))
    lines = shown.out.splitlines()
    assert shown.status == 1
    assert "root on the host: yes, as before, and in 1 new way" in lines[0]
    assert lines[1] == "  ! ContainerCreate, CREATE_BINDS=/etc: is root's own"
    etc = next(at for at, line in enumerate(lines) if "CREATE_BINDS=/etc" in line)
    volume = next(at for at, line in enumerate(lines) if "VolumeCreate" in line)
    assert etc < volume


def test_drift_says_who_was_refused(learned: File, tmp_path: Path) -> None:
    """A person knows whom to ask."""
    live = Evidence()
    live.begin("2026-1", 1_795_515_300)
    for client in ("10.0.0.5", "10.0.0.7"):
        who = Who("docker/26.1.5", client, "1.45")
        live.observe(route_of("ContainerList"), "refused", When(1_795_515_300), who)
    path = tmp_path / "live.jsonl"
    path.write_text(dump(live))
    shown = run("diff", str(tmp_path / "app.env"), str(path))
    assert ", by 10.0.0.5, 10.0.0.7\n" in shown.out
