"""`trioproxy diff` with evidence: a file beside what really happens."""

import json
import time
from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.learning.test_proposal import seen_route
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, route

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
            seen_route(operation),
            result,
            When(now - age * DAY, (50 - age) * DAY),
            Who(),
        )
    path = tmp_path / "live.jsonl"
    path.write_text(dump(evidence))
    (tmp_path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList,SystemInfo\n")
    return path


def drift(live: Path, *options: str) -> Finished:
    """Run the command on the two files."""
    return run("diff", str(live.parent / "app.env"), str(live), *options)


def test_refused_and_unused_are_shown(live: Path) -> None:
    """What is refused comes with the line that allows it; what is unused is reported."""
    done = drift(live)
    assert done.status == 1
    assert "2x ImageList (GET /images/json) is not allowed" in done.out
    assert "  ALLOW_OPERATIONS=ContainerList,ImageList,SystemInfo\n" in done.out
    assert (
        "granted, and not used in the last 30 days that were watched:\n  SystemInfo, last "
        in done.out
    )
    assert "proves little" not in done.out


def test_what_a_shadow_would_hide_is_told(live: Path) -> None:
    """Beside what would be refused, `diff` and `explain` say how many strangers answers told of."""
    assert "strangers" not in drift(live).out
    text = live.read_text().replace(
        '"source"', '"hidden": {"ContainerList": 7}, "source"'
    )
    live.write_text(text)
    told = "strangers that lists of objects leave out, in one answer at most: ContainerList 7"
    assert told in drift(live).out
    done = run("explain", str(live.parent / "app.env"), "--evidence", str(live))
    assert told in " ".join(done.out.split())


def test_days_can_be_chosen(live: Path) -> None:
    """Over a longer time nothing may be unused; a short watch is said to prove little."""
    assert "granted, and not used" not in drift(live, "--days", "46").out
    (live.parent / "app.env").write_text("ALLOW_OPERATIONS=ImageList,VolumeList\n")
    done = drift(live, "--days", "60")
    assert (
        "not used in 50 d 0 h, which proves little:\n  ImageList\n  VolumeList\n"
        in done.out
    )


def test_no_drift_is_status_0(live: Path) -> None:
    """A policy that refuses nothing is well, whatever is unused."""
    (live.parent / "app.env").write_text(
        "ALLOW_OPERATIONS=ContainerList,ImageList,SystemInfo\n"
    )
    done = drift(live)
    assert (done.status, "refuses nothing that was needed" in done.out) == (0, True)


def test_nothing_that_is_recorded_proves_nothing(tmp_path: Path) -> None:
    """Where nobody asked for anything, it is not said that the file refuses nothing that was needed; what was not used for long is told."""
    (tmp_path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    live, evidence = tmp_path / "live.jsonl", Evidence()
    live.touch()
    done = drift(live)
    assert done.out == f"nothing is recorded in {live}: 0 runs, watched for 0 s\n"
    evidence.begin("r1", 50 * DAY)
    evidence.end(When(100 * DAY, 50 * DAY))
    live.write_text(dump(evidence))
    done = drift(live)
    assert "nothing that was needed" not in done.out
    assert done.out.splitlines()[1:] == [
        "granted, and not used in the last 30 days that were watched:",
        "  ContainerList",
    ]
    page = drift(live, "--as", "html").out
    assert "Nothing is recorded there." in page


def test_json_for_programs(live: Path) -> None:
    """A program finds counts, dates and the line."""
    data = json.loads(drift(live, "--as", "json").out)
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
        one = Sight("CREATE_BINDS", value, "ContainerCreate")
        when = When(now - age * DAY, (50 - age) * DAY)
        evidence.observe(one, result, when)
    sight = seen_route("ContainerCreate")
    evidence.observe(sight, "201", When(now, 50 * DAY), Who())
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
    assert "\n     that gives root on the host: is root's own\n" in done.out
    assert "\n  # root: CREATE_BINDS=/srv/a,/srv/b,/etc\n" in done.out
    assert "\n  CREATE_BINDS=/srv/a, last" in done.out
    assert "  CREATE_BINDS=/srv/b\n" in done.out
    data = json.loads(drift(live, "--as", "json").out)
    assert data["refused"][0]["why"] == "is root's own"
    assert data["lines"] == [
        {"line": "CREATE_BINDS=/srv/a,/srv/b,/etc", "root": "is root's own"}
    ]
    assert [one["item"] for one in data["unused"] if one["item"][0] == "/"] == [
        *("/srv/a", "/srv/b")
    ]
    (live.parent / "app.env").write_text(
        "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=\n"
    )
    assert "  1x ContainerCreate asks for /srv/a, which CREATE_BINDS" in drift(live).out


def test_a_name_that_own_alone_does_not_hold_is_told(live: Path) -> None:
    """No other label is listed beside @own, and so what was named and is not its own is refused: it counted as if some label might hold it, and no line that would allow it was shown."""
    evidence = Evidence()
    evidence.begin("r1", 1_000)
    for one in (
        seen_route("ContainerLogs"),
        Sight("ONLY_CONTAINERS", "db", "ContainerLogs"),
    ):
        evidence.observe(one, "200", When(1_000), Who())
    live.write_text(dump(evidence))
    lists = "ALLOW_OPERATIONS=ContainerLogs\nONLY_OWNER=app\nONLY_CONTAINERS="
    told = "ContainerLogs names container db, which ONLY_CONTAINERS does not list"
    for items, is_refused in (
        ("@own", True),
        ("@own,@project:shop", True),
        ("@own,db", False),
        ("@own,@label:a=b", False),
    ):
        (live.parent / "app.env").write_text(f"{lists}{items}\n")
        done = drift(live)
        assert (done.status, told in done.out) == (is_refused, is_refused)


def test_what_only_ever_failed_is_no_need(live: Path) -> None:
    """What the Engine itself never let succeed is told apart, and changes no exit status."""
    evidence = Evidence()
    evidence.begin("r1", 1_000)
    evidence.observe(seen_route("ContainerList"), "200", When(1_000), Who())
    evidence.observe(seen_route("VolumeDelete"), "500", When(1_000), Who())
    live.write_text(dump(evidence))
    done = drift(live)
    assert done.status == 0
    _, _, told = done.out.partition("and what only ever failed:\n")
    assert "  1x VolumeDelete (DELETE /volumes/{name}) is not allowed" in told


def test_options_are_judged_in_their_section(tmp_path: Path) -> None:
    """OPTIONS is judged in the section where it was seen."""
    evidence, live = Evidence(), tmp_path / "live.jsonl"
    evidence.begin("r1", 1_000)
    options = route("SystemOptions", "OPTIONS", "CONTAINERS")
    evidence.observe(options, "200", When(1_000), Who())
    live.write_text(dump(evidence))
    (tmp_path / "app.env").write_text("CONTAINERS=1\nPOST=1\n")
    assert drift(live).status == 0
    (tmp_path / "app.env").write_text("IMAGES=1\nPOST=1\n")
    assert drift(live).status == 1


@pytest.mark.parametrize(("result", "status"), [("200", 1), ("unrouted", 0)])
def test_unknown_routes(live: Path, result: str, status: int) -> None:
    """A route that no table has is refused by a list, unless the Engine has none either."""
    evidence = Evidence()
    evidence.begin("r1", 1_000)
    shape = route("unknown", "GET", "IMAGES")
    evidence.observe(shape, result, When(1_000), Who())
    live.write_text(dump(evidence))
    done = drift(live)
    assert done.status == status
    assert "an unknown route, GET in IMAGES, is not allowed" in done.out


def test_either_may_come_first(live: Path) -> None:
    """File and evidence are told apart by their names, in any form."""
    file = str(live.parent / "app.env")
    for form in ("text", "markdown", "json", "html"):
        one, other = (
            run("diff", *names, "--as", form)
            for names in ((file, str(live)), (str(live), file))
        )
        assert one == other
        assert (one.status, one.err) == (1, "")
        assert "ImageList" in one.out
    shown = run("explain", file, "--evidence", str(live)).out
    assert run("diff", file, str(live)).out in shown


def test_two_of_evidence(live: Path) -> None:
    """Two of evidence are compared by what would be learned from each."""
    evidence, other = Evidence(), live.parent / "other.jsonl"
    evidence.begin("r1", 1_000)
    evidence.observe(seen_route("ImageList"), "200", When(1_000), Who())
    other.write_text(dump(evidence))
    done = run("diff", str(live), str(other))
    assert done.status == 1
    assert "  + ImageList" in done.out
    assert "  - ContainerList" in done.out
