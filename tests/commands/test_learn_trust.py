"""How far a learned file can be trusted, as `learn` says it, and what it does not grant."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.commands.test_learn import (
    EXEC,
    INFO,
    LIST,
    Learning,
    client_sending,
)
from tests.fakes import FakeEngine
from trioproxy.api.matched import Request
from trioproxy.commands.closing import Closing
from trioproxy.evidence.seen import Evidence
from trioproxy.learning.lists import Lists
from trioproxy.learning.only import ObjectLists
from trioproxy.learning.proposal import Proposal
from trioproxy.learning.store import Store, Written
from trioproxy.learning.wish import Wish

CREATE, START = "POST /containers/create", "POST /containers/x/start"
MISSING_IMAGE = "no missing image"


@pytest.fixture
def learn(fake: FakeEngine, tmp_path: Path) -> Learning:
    return Learning(fake, tmp_path)


def ready_line(done: Finished) -> str:
    """The line that says whether more watching is needed."""
    lines = done.err.splitlines()
    return next(line for line in lines if line.startswith(("ready:", "not ready:")))


async def test_what_was_learned_with_set_e_passes_when_enforced(
    learn: Learning,
) -> None:
    """A removal of what is not there and a name that is taken are needs."""
    done = await learn(
        "--",
        *client_sending(
            "DELETE /containers/status-404",
            "POST /containers/create?name=status-409",
            "POST /exec/x/resize?status-409",
            "POST /containers/status-404/stop",
        ),
    )
    assert learn.granted == {
        "ContainerCreate", "ContainerDelete", "ContainerStop", "ExecResize",
    }  # fmt: skip
    assert "only ever failed" not in done.err


@pytest.mark.slow
async def test_a_failing_command_is_no_quiet_run(learn: Learning) -> None:
    """A run that stopped in the middle is told and does not count towards ready."""
    fails = "\nsys.exit(3)"
    code = (sys.executable, "-c", client_sending()[2] + fails, LIST)
    await learn("--", *client_sending(LIST))
    done = await learn("--until-quiet", "1run", "--", *code)
    assert done.status == 3
    assert "the command failed (status 3)" in done.err
    assert "2 runs (run 2 failed), watched for" in done.err
    assert ready_line(done) == "not ready: nothing new in 0 runs only (asked: 1 run)"
    assert "learned in 2 runs (run 2 failed), " in run("explain", str(learn.file)).out
    done = await learn("--until-quiet", "1run", "--", *client_sending(LIST))
    assert ready_line(done) == "ready: nothing new in 1 run (asked: 1 run)"
    assert [one.status for _, one in sorted(learn.evidence.runs.items())] == [0, 3, 0]


async def test_states_that_were_never_seen_hold_ready_back(learn: Learning) -> None:
    """On a warm Engine no number of runs shows the pull; the answer names it."""
    command = ("--until-quiet", "1run", "--", *client_sending(CREATE, START))
    await learn(*command)
    done = await learn(*command)
    assert ready_line(done) == (
        "not ready: nothing new in 1 run (asked: 1 run),"
        " but no missing image, no taken name seen"
    )
    assert "ImageCreate would go with it" in done.err
    assert "ImageCreate" not in learn.file.read_text()
    said = " ".join(run("explain", str(learn.file)).out.split())
    assert "never seen: a missing image; ImageCreate would go with it" in said
    assert "or learn with --never missing-image" in said
    done = await learn("--never", "missing-image", "--never", "taken-name", *command)
    assert ready_line(done).startswith("ready: ")
    assert learn.granted == {"ContainerCreate", "ContainerStart"}
    said = run("explain", str(learn.file)).out
    assert "\nready: nothing new in " in said
    assert "never seen" not in said
    await learn(*command)
    assert "never seen: a missing image" in run("explain", str(learn.file)).out


async def test_a_state_that_was_seen_holds_nothing_back(learn: Learning) -> None:
    """Whoever met a missing image and a taken name has shown what it does then."""
    seen = ("GET /images/missing/json", "POST /containers/create?name=status-409")
    command = ("--until-quiet", "1run", "--", *client_sending(CREATE, START, *seen))
    await learn(*command)
    assert ready_line(await learn(*command)).startswith("ready: ")


async def test_whoever_is_granted_what_goes_with_a_state_is_prepared(
    learn: Learning,
) -> None:
    """What a person added or declined is decided: nothing is to be found out."""
    await learn("--", *client_sending(CREATE, START, "DELETE /containers/x"))
    names = (
        "ContainerCreate,ContainerInspect,ContainerStart,ContainerDelete,ImageCreate"
    )
    learn.file.write_text(f"ALLOW_OPERATIONS={names}\n")
    command = ("--until-quiet", "1run", "--", *client_sending(CREATE, START))
    assert ready_line(await learn(*command)).startswith("ready: ")


def test_a_state_that_there_is_not(tmp_path: Path) -> None:
    """A misspelt state is not quietly waited for."""
    done = run("learn", "-o", str(tmp_path / "x.env"), "--never", "x", "--", "true")
    assert (done.status, "there is no state 'x'" in done.err) == (2, True)


async def test_what_could_not_be_read_is_told(learn: Learning) -> None:
    """A 400 of ours is in the table with its reason, also beside what was learned."""
    bad = "GET /containers//json"
    done = await learn("--", *client_sending(LIST, bad, bad))
    told = "not understood, and refused: 2 requests: the path holds an empty segment"
    assert told in done.err
    assert learn.granted == {"ContainerList"}


async def test_what_could_not_be_read_is_told_where_nothing_was_seen(
    learn: Learning,
) -> None:
    """Nobody is asked for -H or --context whose requests came and were refused."""
    done = await learn("--", *client_sending("GET /containers//json"))
    assert "nothing seen: no request could be read" in done.err
    assert "the path holds an empty segment" in done.err
    assert "--context" not in done.err


async def test_new_is_what_the_file_did_not_grant(learn: Learning) -> None:
    """A line that somebody wrote into the evidence is not granted in silence."""
    await learn("--", *client_sending(LIST))
    path = learn.file.with_suffix(".jsonl")
    line = next(one for one in path.read_text().splitlines() if '"by"' in one)
    tampered = line.replace("ContainerList", "ContainerExec").replace("GET", "POST")
    path.write_text(f"{path.read_text()}{tampered}\n")
    done = await learn("--", *client_sending(LIST))
    assert f"{learn.file} lists 2 operations, 1 of them new" in done.err
    told = "new, but not used in this run: the evidence file says that it was"
    assert f"{told}: ContainerExec\n" in done.err


@pytest.mark.slow
async def test_a_grant_by_hand_is_told_apart(learn: Learning) -> None:
    """What a person added stays, and is marked until a run has used it."""
    await learn("--", *client_sending(LIST))
    text = learn.file.read_text().replace(
        "=ContainerList", "=ContainerList,ContainerTop"
    )
    learn.file.write_text(text)
    done = await learn("--", *client_sending(LIST))
    assert "lists 2 operations, 0 of them new" in done.err
    (line,) = [one for one in done.err.splitlines() if "  ContainerTop" in one]
    assert "0x  by hand" in line
    assert "#   ContainerTop " in learn.file.read_text()
    done = await learn("--", *client_sending(LIST, "GET /containers/x/top"))
    assert "by hand" not in done.err


async def test_a_reviewers_note_stays(learn: Learning) -> None:
    """What a person writes behind the comment on an operation survives each run."""
    await learn("--", *client_sending(EXEC, INFO))
    text = learn.file.read_text()
    text = text.replace(
        "# reads about the host and its containers:",
        "# as of #11\n# reads about the host and its containers:",
    )
    text = text.replace(
        "SystemInfo", "\n#   SystemInfo             # asked for in #12", 1
    )
    text = re.sub(r"(?m)^#   ContainerExec .*", r"\g<0>   why? Ann.", text)
    learn.file.write_text(text)
    for _ in range(2):
        await learn("--", *client_sending(LIST, EXEC, INFO))
        text = learn.file.read_text()
        assert re.findall(r"   # (.*)", text) == ["why? Ann.", "asked for in #12"]
        assert "\n# as of #11\n# reads about the host and its containers:" in text


async def test_what_reads_secrets_is_flagged(learn: Learning) -> None:
    """The closing table does not let an inspection pass as harmless."""
    done = await learn("--quiet", "--", *client_sending("GET /containers/x/json"))
    (line,) = [one for one in done.err.splitlines() if "  ContainerInspect" in one]
    assert "secret-leak: " in line


async def test_programs_are_bounded(learn: Learning) -> None:
    """A client that calls itself by many names does not fill the screen."""
    code = client_sending()[2].replace("app/1", "{sys.argv.index(line)}app/1")
    lines = [f"GET /{name}/x/json" for name in ("containers", "images")]
    lines += ["GET /info", "GET /version", "GET /networks/x", "GET /volumes/x"]
    lines += ["GET /events/", "GET /system/df", "GET /containers/json", "GET /nodes"]
    done = await learn("--quiet", "--", sys.executable, "-c", code, *lines)
    (line,) = [one for one in done.err.splitlines() if one.startswith("programs: ")]
    assert line.count(",") == 7
    assert line.endswith(" and 1 more")


async def test_what_cannot_be_written_is_shown(learn: Learning) -> None:
    """The table and the line are on the screen, and the status says that no file has them."""
    blocks = f"open({str(learn.file.parent)!r}, 'w').close()"
    code = f"{blocks}\n{client_sending()[2]}"
    done = await learn("--", sys.executable, "-c", code, LIST, INFO)
    assert done.status == 2
    assert f"{learn.file} would list 2 operations, 2 of them new" in done.err
    line = "ALLOW_OPERATIONS=ContainerList,SystemInfo\n"
    assert f"what was learned is this:\n{line}" in done.err
    assert f"clients: unix:uid={os.geteuid()}" in done.err


async def test_a_removed_folder_is_made_anew(learn: Learning) -> None:
    """Whoever cleans up while it learns loses what was there, and not the run."""
    gone = (
        f"import shutil; shutil.rmtree({str(learn.file.parent)!r}, ignore_errors=True)"
    )
    code = f"{client_sending()[2]}\n{gone}"
    await learn("--", *client_sending(LIST))
    done = await learn("--", sys.executable, "-c", code, INFO)
    assert done.status == 0
    assert learn.granted == {"ContainerList", "SystemInfo"}


@pytest.mark.parametrize(
    ("method", "target", "limits"),
    [
        pytest.param("PUT", b"/containers/x/archive?copyUIDGID=1", True, id="copy"),
        pytest.param("GET", b"/containers/x/top?ps_args=axe", True, id="ps"),
        pytest.param("DELETE", b"/networks/x?force=1", False, id="podman"),
        pytest.param(
            "POST", b"/containers/x/rename?name=0123456789ab", True, id="name"
        ),
        pytest.param("POST", b"/containers/create?name=0123456789ab", True, id="made"),
    ],
)
def test_what_passed_and_is_refused_from_now_on_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    method: str,
    target: bytes,
    limits: bool,
) -> None:
    """The table has the words of the refusal, where the file that is written refuses it."""
    request = Request.parse(method, target)
    store = Store(tmp_path / "app.env", Wish(name="app", file="app.env"))
    tars = {"the tar is packed": 2}
    closing = Closing(store=store, asked_more=[request], unfit=tars)
    lists = Lists(values={"CREATE_BINDS": ""})
    objects = ObjectLists(values={"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app-1234"})
    granted = frozenset({request.operation})

    def told(proposal: Proposal) -> bool:
        closing.show(
            Written(
                evidence=Evidence(), others=Evidence(), damage="", proposal=proposal
            )
        )
        words = " ".join(capsys.readouterr().err.split())
        is_told = "passed, but app.env refuses it: the tar is packed " in words
        is_limited = bool(proposal.lists.values)
        assert is_told is (is_limited and "PutContainerArchive" in proposal.granted)
        refused = (f"{request.shown} with ", f"{request.operation} names a container ")
        return any(f"passed, but app.env refuses it: {one}" in words for one in refused)

    assert told(Proposal(granted=granted, lists=lists, objects=objects))
    assert told(Proposal(granted=granted)) is not limits
    assert not told(Proposal(lists=lists, objects=objects))
