"""`trioproxy drift`: a file beside what really happens."""

import json
import time
from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.learning.test_proposal import shape_of
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Argument, Evidence, When
from trioproxy.evidence.shape import Who

DAY = 86_400


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Evidence of a run of 50 days that ended just now."""
    now = int(time.time())
    evidence = Evidence()
    evidence.begin("r1", now - 50 * DAY)
    for operation, result, age in (
        ("ContainerList", "200", 0),
        ("SystemInfo", "200", 45),
        ("ImageList", "refused", 3),
        ("ImageList", "refused", 2),
    ):
        evidence.observe(
            shape_of(operation), result, When(now - age * DAY, (50 - age) * DAY), Who()
        )
    path = tmp_path / "live.jsonl"
    path.write_text(dump(evidence))
    (tmp_path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList,SystemInfo\n")
    return path


def drift(live: Path, *options: str) -> Finished:
    """Run the command on the two files."""
    return run("drift", str(live.parent / "app.env"), "--evidence", str(live), *options)


def test_refused_and_unused_are_shown(live: Path) -> None:
    """What is refused comes with the line that allows it; what is unused is reported."""
    done = drift(live)
    assert done.status == 1
    assert "2x ImageList (GET /images/json) is not allowed" in done.out
    assert "  ALLOW_OPERATIONS=ContainerList,ImageList,SystemInfo\n" in done.out
    assert "granted, and not used for 30 days:\n  SystemInfo, last " in done.out
    assert "proves little" not in done.out


def test_days_can_be_chosen(live: Path) -> None:
    """Over a longer time nothing may be unused; a short watch is said to prove little."""
    assert "granted, and not used" not in drift(live, "--days", "46").out
    (live.parent / "app.env").write_text("ALLOW_OPERATIONS=ImageList,VolumeList\n")
    done = drift(live, "--days", "60")
    assert "  VolumeList, never seen" in done.out
    assert "(only 50 d 0 h were watched: that proves little)" in done.out


def test_no_drift_is_status_0(live: Path) -> None:
    """A policy that refuses nothing is well, whatever is unused."""
    (live.parent / "app.env").write_text(
        "ALLOW_OPERATIONS=ContainerList,ImageList,SystemInfo\n"
    )
    done = drift(live)
    assert (done.status, "refuses nothing that was sent" in done.out) == (0, True)


def test_json_for_programs(live: Path) -> None:
    """A program finds counts, dates and the line."""
    data = json.loads(drift(live, "--json").out)
    assert data["refused"][0]["operation"] == "ImageList"
    assert data["refused"][0]["seen"]["count"] == 2
    line = "ALLOW_OPERATIONS=ContainerList,ImageList,SystemInfo"
    assert data["lines"] == [{"line": line, "root": ""}]
    assert [one["name"] for one in data["unused"]] == ["SystemInfo"]
    assert data["watched_seconds"] >= 49 * DAY


def test_torn_evidence_is_reported(live: Path) -> None:
    """A file that is being written to can be looked at."""
    with live.open("a") as file:
        file.write('{"run": "r')
    assert "the last line is cut off" in drift(live).err


def test_missing_evidence(live: Path) -> None:
    """What is not there is an error, not an empty answer."""
    live.unlink()
    done = drift(live)
    assert (done.status, "cannot read" in done.err) == (2, True)


def test_values_are_told(live: Path) -> None:
    """Values that are refused and values that nobody asks for are shown with dates and lines."""
    now = int(time.time())
    evidence = Evidence()
    evidence.begin("r1", now - 50 * DAY)
    for value, result, age in (("/etc", "refused", 3), ("/srv/a", "201", 45)):
        one = Argument("CREATE_BINDS", value, "ContainerCreate")
        when = When(now - age * DAY, (50 - age) * DAY)
        evidence.observe_argument(one, result, when)
    live.write_text(dump(evidence))
    (live.parent / "app.env").write_text(
        "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv/a,/srv/b\n"
    )
    done = drift(live)
    assert done.status == 1
    assert (
        "  1x ContainerCreate asks for /etc, which CREATE_BINDS does not list, last "
        in done.out
    )
    assert "\n     that gives root on the host: is /etc\n" in done.out
    assert "\n  # root: CREATE_BINDS=/srv/a,/srv/b,/etc\n" in done.out
    assert "\n  CREATE_BINDS=/srv/a, last" in done.out
    assert "  CREATE_BINDS=/srv/b, never seen\n" in done.out
    data = json.loads(drift(live, "--json").out)
    assert data["refused"][0]["why"] == "is /etc"
    assert data["lines"] == [
        {"line": "CREATE_BINDS=/srv/a,/srv/b,/etc", "root": "is /etc"}
    ]
    assert [one["item"] for one in data["unused"] if one["item"][0] == "/"] == [
        *("/srv/a", "/srv/b")
    ]
    trace = run("check", str(live.parent / "app.env"), "--trace", str(live))
    assert "does not list" not in trace.out  # the Engine never saw it
    (live.parent / "app.env").write_text(
        "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=\n"
    )
    trace = run("check", str(live.parent / "app.env"), "--trace", str(live))
    assert trace.status == 1
    assert "  1x ContainerCreate asks for /srv/a, which CREATE_BINDS" in trace.out
