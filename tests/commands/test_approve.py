"""`trioproxy approve`: what was refused, asked about, allowed or not, and remembered."""

import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.commands.running import Finished, run, running
from tests.commands.screen import Screen, screen
from tests.engine import Engine
from tests.learning.test_proposal import seen_route
from trioproxy.commands import approve as approving
from trioproxy.commands.terminal import fitted
from trioproxy.evidence.evidencefile import dump, load
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who
from trioproxy.file import envfile
from trioproxy.judge.power import Power
from trioproxy.limits.grant import Grant
from trioproxy.review.adding import Adding

ENV = """\
ALLOW_OPERATIONS=ContainerCreate,ContainerList
CREATE_BASE=/home/me/app
CREATE_BINDS=/srv/a
"""
REFUSED = [
    "VolumeList",
    "CREATE_BINDS={base}/data:ro",
    "ContainerExec",
    "CREATE_BINDS=/etc",
]
"""What gives root comes last, and the worst first of what does."""


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A file, and evidence of what it refused."""
    evidence = Evidence()
    evidence.begin("2026-11-24T10:15:00Z-1", 1_795_515_300)
    who = Who("docker/26.1.5", "10.0.0.5", "1.45")
    for day, name in enumerate(("VolumeList", "ContainerExec", "VolumeList")):
        when = When(1_795_515_300 + day * 86_400, day)
        evidence.observe(seen_route(name), "refused", when, who)
    evidence.observe(seen_route("ContainerCreate"), "refused", When(1_795_515_300), who)
    for value in ("/etc", "/home/me/app/data:ro", "/srv/a"):
        argument = Sight("CREATE_BINDS", value, "ContainerCreate")
        evidence.observe(argument, "refused", When(1_795_515_300))
    path = tmp_path / "live.jsonl"
    path.write_text(dump(evidence))
    (tmp_path / "app.env").write_text(ENV)
    return path


def approve(live: Path, *options: str) -> Finished:
    file = live.with_name("app.env")
    return run("approve", str(file), str(live), *options)


def lists(live: Path) -> dict[str, str]:
    text = live.with_name("app.env").read_text()
    names = ("ALLOW_OPERATIONS", "CREATE_BASE", "CREATE_BINDS")
    return {name: envfile.parse(text, name="app.env")[name] for name in names}


def test_questions_for_programs(live: Path) -> None:
    """JSON has what a question shows, what gives root last, and writes nothing."""
    done = approve(live, "--json")
    asked = json.loads(done.out)
    assert (done.status, [one["name"] for one in asked]) == (1, REFUSED)
    assert asked[3] == {
        "name": "CREATE_BINDS=/etc",
        "variable": "CREATE_BINDS",
        "item": "/etc",
        "standing": "refused",
        "power": "host-root",
        "root": True,
        "why": "is root's own",
        "told": "ContainerCreate asks for /etc, which CREATE_BINDS does not list",
        "note": "",
        "seen": {
            "count": 1,
            "runs": 1,
            "of_runs": 1,
            "first": "2026-11-24T10:15:00Z",
            "last": "2026-11-24T10:15:00Z",
            "clients": ["10.0.0.5"],
            "programs": ["docker/26.1.5"],
        },
    }
    assert live.with_name("app.env").read_text() == ENV


def test_what_is_named_is_allowed_and_nothing_else(live: Path) -> None:
    """`--yes` writes the names into their lines, and the status says that more is refused."""
    done = approve(live, "--yes", "VolumeList", "--yes", "CREATE_BINDS={base}/data:ro")
    assert done.status == 1
    assert "lists VolumeList, CREATE_BINDS={base}/data:ro now" in done.err
    assert lists(live) == {
        "ALLOW_OPERATIONS": "ContainerCreate,ContainerList,VolumeList",
        "CREATE_BASE": "/home/me/app",
        "CREATE_BINDS": "/srv/a,{base}/data:ro",
    }
    text = live.with_name("app.env").read_text()
    assert text.splitlines()[-1].startswith("ALLOW_OPERATIONS=")
    asked = json.loads(approve(live, "--json").out)
    assert [one["name"] for one in asked] == ["ContainerExec", "CREATE_BINDS=/etc"]


def test_what_is_allowed_already_may_be_named_again(live: Path) -> None:
    """A script may run twice: what the file lists by then is told, and changes nothing."""
    root = ("--yes-root", "CREATE_BINDS=/etc")
    named = ("--yes", "VolumeList", "--yes", "CREATE_BINDS={base}/data:ro", *root)
    approve(live, *named)
    text = live.with_name("app.env").read_text()
    done = approve(live, *named)
    there = "CREATE_BINDS=/etc, CREATE_BINDS={base}/data:ro, VolumeList"
    assert f"app.env allows already: {there}\n" in done.err
    assert (done.status, live.with_name("app.env").read_text()) == (1, text)
    done = approve(live, *named, "--yes-root", "ContainerExec", "--json")
    assert done.status == 0
    assert json.loads(done.out) == {"allowed": ["ContainerExec"], "left": []}


def test_what_was_approved_is_no_run_that_was_learned(live: Path) -> None:
    """A file that one run was learned for is not ready by the runs in which it was refused, or
    tried out; they count for what is taken over from them, and for nothing else."""
    file, began = live.with_name("app.env"), 1_795_000_000
    own, tried, who = Evidence(), load(live.read_bytes(), name="x").evidence, Who()
    own.begin("2026-11-18T10:15:00Z-1", began)
    own.observe(seen_route("ContainerList"), "200", When(began, 1), who)
    own.end(When(began, 1), 0)
    for run_name in ("2026-11-25T10:15:00Z-1", "2026-11-26T10:15:00Z-1"):
        tried.begin(run_name, began)
        for name in ("ContainerList", "ImageList"):
            tried.observe(seen_route(name), "200", When(began, 1), who)
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    file.with_suffix(".jsonl").write_text(dump(own))
    live.write_text(dump(tried))
    done = approve(live, "--yes", "ImageList", "--yes", "VolumeList")
    assert "ImageList" in done.err
    said = run("explain", str(file)).out
    assert "learned in 1 run, " in said
    assert "seen 1x in 1 of 1 run, " in said
    assert "seen 2x in 2 of 3 runs, " in said
    assert "not ready: " in said


def test_a_torn_line_is_told_of(live: Path) -> None:
    """What a power cut left of the last line of the file's own evidence is told before it is gone."""
    known = live.with_name("app.jsonl")
    known.write_text(live.read_text() + '{"grant": ["ALLOW_OPER')
    done = approve(live, "--yes", "VolumeList")
    assert done.err.count("the last line is cut off: it is ignored") == 1
    assert not load(known.read_bytes(), name="x").damage


def test_what_has_no_room_is_not_said_to_be_listed(live: Path) -> None:
    """What is allowed where a line has no room for it is refused as before, and that is told."""
    binds = ",".join(f"/srv/{number:0100}" for number in range(309))
    live.with_name("app.env").write_text(ENV.replace("/srv/a", binds))
    named = ("--yes", "VolumeList", "--yes", "CREATE_BINDS={base}/data:ro")
    done = approve(live, *named, "--json")
    assert "app.env has no room for CREATE_BINDS={base}/data:ro" in done.err
    assert "app.env lists VolumeList now" in done.err
    assert json.loads(done.out)["allowed"] == ["VolumeList"]
    assert "CREATE_BINDS={base}/data:ro" in json.loads(done.out)["left"]
    assert lists(live)["CREATE_BINDS"] == binds


def refused(live: Path, variables: str, *sights: Sight, also: str = "refused") -> None:
    """Another file, and evidence of what it refused; `also`: what else became of that."""
    evidence = Evidence()
    evidence.begin("2026-11-24T10:15:00Z-1", 1_795_515_300)
    for one in sights:
        evidence.observe(one, "refused", When(1_795_515_300))
        evidence.observe(one, also, When(1_795_515_300))
    live.write_text(dump(evidence))
    live.with_name("app.env").write_text(variables)


def test_one_yes_behind_another_is_listed(live: Path) -> None:
    """Where all lists of objects are those of an earlier yes, and nothing passed yet, the next
    one goes into them as well."""
    own = Sight("ONLY_CONTAINERS", "@own", "ContainerCreate")
    front = Sight("ONLY_NETWORKS", "front", "ContainerCreate", is_named=True)
    variables = "ONLY_CONTAINERS=\nONLY_OWNER=app\nALLOW_OPERATIONS=ContainerCreate\n"
    refused(live, variables, own, front)
    for one in (own, front):
        done = approve(live, "--yes", str(one.grant))
        assert f"lists {one.grant} now" in done.err
    text = live.with_name("app.env").read_text()
    assert "\nONLY_NETWORKS=@own,bridge,default,none,front\n" in text


def test_an_option_that_is_listed_with_another_value_is_asked_about(live: Path) -> None:
    """Of an option evidence may have the name alone: where it was refused each time it had none
    of the values that are listed, and where it passed it may have had one."""
    parent = Sight("CREATE_OPTIONS", "NetworkCreate:Options.parent", "NetworkCreate")
    variables = f"CREATE_OPTIONS={parent.item}=eth0\nALLOW_OPERATIONS=NetworkCreate\n"
    refused(live, variables, parent)
    asked = json.loads(approve(live, "--json").out)
    assert [one["name"] for one in asked] == [str(parent.grant)]
    refused(live, variables, parent, also="201")
    assert not json.loads(approve(live, "--json").out)


def test_only_binds_are_listed_below_the_base(live: Path) -> None:
    """A program in the folder of the base is allowed by its path: only binds know `{base}`."""
    file = live.with_name("app.env")
    file.write_text(
        "ALLOW_OPERATIONS=ContainerExec\nCREATE_BASE=/home/me/app\nEXEC_COMMANDS=sh\n"
    )
    evidence = Evidence()
    evidence.begin("2026-11-24T10:15:00Z-1", 1_795_515_300)
    evidence.observe(
        Sight("EXEC_COMMANDS", "/home/me/app/run", "ContainerExec"),
        "refused",
        When(1_795_515_300),
    )
    live.write_text(dump(evidence))
    done = approve(live, "--yes", "EXEC_COMMANDS=/home/me/app/run")
    assert done.status == 0
    assert "lists EXEC_COMMANDS=/home/me/app/run now" in done.err
    assert "EXEC_COMMANDS=/home/me/app/run,sh\n" in file.read_text()


@pytest.mark.parametrize(("mode", "says"), [("", True), (":ro", False)])
def test_it_says_what_keeps_the_proxy_from_starting(
    live: Path, mode: str, says: bool
) -> None:
    """Whoever allows a client to write the folder that the file lies in reads that, and what to do."""
    item = f"{live.parent}{mode}"
    variables = "CREATE_BINDS=/srv/a\nALLOW_OPERATIONS=ContainerCreate\n"
    refused(live, variables, Sight("CREATE_BINDS", item, "ContainerCreate"))
    done = approve(live, "--yes", f"CREATE_BINDS={item}")
    told = f"enforce will not start so: {live.with_name('app.env')} lies in a folder"
    assert f"lists CREATE_BINDS={item} now" in done.err
    assert (told in done.err, "hint: keep it in " in done.err) == (says, says)


def test_what_varies_by_a_rule_is_one_question(live: Path) -> None:
    """Folders that were made up are asked about as the item that fits the next one too, while
    one that is named is allowed by itself."""
    evidence = Evidence()
    for day, made in enumerate(("ab12cd34", "zz99yy88", "q1w2e3r4")):
        evidence.begin(f"2026-11-2{day}T10:15:00Z-1", 1_795_515_300 + day)
        for value in (f"/tmp/tmp{made}", "/srv/config-prod"):
            argument = Sight("CREATE_BINDS", value, "ContainerCreate")
            evidence.observe(argument, "refused", When(1_795_515_300 + day))
    live.write_text(dump(evidence))
    names = [one["name"] for one in json.loads(approve(live, "--json").out)]
    assert names == ["CREATE_BINDS=/srv/config-prod", "CREATE_BINDS=/tmp/tmp{rand8}"]
    done = approve(live, "--yes", "CREATE_BINDS=/tmp/tmpab12cd34")
    assert "lists CREATE_BINDS=/tmp/tmpab12cd34 now" in done.err
    done = approve(live, "--yes", "CREATE_BINDS=/tmp/tmp{rand8}")
    assert done.status == 1
    assert lists(live)["CREATE_BINDS"] == "/srv/a,/tmp/tmp{rand8}"


def test_a_name_that_was_not_refused_stops(live: Path) -> None:
    """A typing error allows nothing, and what was refused is named."""
    done = approve(live, "--yes", "VolumeLst")
    assert done.status == 2
    assert "'VolumeLst' is not among what can be allowed" in done.err
    assert "ContainerExec, VolumeList" in done.err
    assert live.with_name("app.env").read_text() == ENV


def test_without_a_terminal_nothing_is_asked(live: Path) -> None:
    """Whoever pipes something in has not read the questions."""
    done = approve(live)
    assert done.status == 2
    assert "--yes NAME" in done.err
    assert live.with_name("app.env").read_text() == ENV


@pytest.mark.parametrize("command", ["approve", "learn", "merge"])
def test_a_torn_file_is_not_extended(live: Path, command: str) -> None:
    """What was cut while it was written is an error, and stays as it is: what is missing
    would count as taken out by a person."""
    file = live.with_name("app.env")
    done = approve(live, "--yes", "VolumeList")
    whole, known = file.read_text(), file.with_suffix(".jsonl").read_bytes()
    words = {
        "approve": ("approve", str(file), str(live), "--json"),
        "learn": ("learn", "-o", str(file), "--", "true"),
        "merge": ("merge", str(file), "-o", str(live.with_name("other.env"))),
    }[command]
    for text, said in (
        (whole[:-1], "does not end in a line end"),
        (whole.partition("ALLOW_OPERATIONS=")[0], "(says nothing of grants|no ALLOW_)"),
    ):
        file.write_text(text)
        done = run(*words, variables={"DOCKER_HOST": "unix:///no/such.sock"})
        assert (done.status, file.read_text()) == (2, text)
        assert file.with_suffix(".jsonl").read_bytes() == known
        assert re.match(f"trioproxy: {file} (is not there, or has )?{said}", done.err)


def test_a_file_of_sections_is_not_extended(live: Path) -> None:
    """There is no list to be added to."""
    live.with_name("app.env").write_text("CONTAINERS=1\n")
    done = approve(live, "--json")
    assert (done.status, "learning cannot extend" in done.err) == (2, True)


@asynccontextmanager
async def begun(live: Path, tmp_path: Path) -> AsyncIterator[Screen]:
    """A terminal in which a person has said yes to the first of four questions, and sees the second."""
    program = (sys.executable, "-m", "trioproxy", "approve")
    async with screen(tmp_path, 80) as shown:
        await shown.run(*program, str(live.with_name("app.env")), str(live))
        await shown.until(r"1 of 4: VolumeList\n(.*\n)*allow it\? \[y\]es.*uit:$")
        await shown.type("yes", "Enter")
        await shown.until(r"2 of 4: .*data:ro\n(.*\n)*allow it\? .*uit:$")
        yield shown


async def test_a_person_answers(live: Path, tmp_path: Path) -> None:
    """Yes, no, always no and quit: the file has what was allowed, the evidence what was
    declined, and what was put off is asked again. To what gives root, y is no answer."""
    file = live.with_name("app.env")
    async with begun(live, tmp_path) as shown:
        await shown.type("x", "Enter", "n", "Enter")
        text = await shown.until(r"3 of 4: ContainerExec\n(.*\n)*allow it\? .*uit:$")
        assert "HOST-ROOT: reaches into any container, whatever it was given" in text
        assert "asked for 1x, 2026-11-25, by 10.0.0.5, docker/26.1.5" in text
        assert "  + ContainerExec in ALLOW_OPERATIONS" in text
        assert "allow it? type root for yes, [n]o, [a]lways no, [q]uit:" in text
        assert max(map(len, text.split("\n"))) <= 80
        await shown.type("y", "Enter", "yes", "Enter", "roo", "Enter", "a", "Enter")
        await shown.until(r"4 of 4: CREATE_BINDS=/etc\n(.*\n)*allow it\? .*uit:$")
        await shown.type("q", "Enter")
        text = await shown.until("remembered as a no: ContainerExec")
        assert "lists VolumeList now" in " ".join(text.split())
    assert lists(live)["ALLOW_OPERATIONS"] == "ContainerCreate,ContainerList,VolumeList"
    known = load(file.with_suffix(".jsonl").read_bytes(), name="x").evidence
    assert "ContainerExec" in known.granted_operations
    assert "ContainerExec" not in file.read_text()
    asked = json.loads(approve(live, "--json").out)
    assert [one["name"] for one in asked] == [
        "CREATE_BINDS={base}/data:ro",
        "CREATE_BINDS=/etc",
    ]
    done = approve(live, "--yes-root", "ContainerExec")
    assert "lists ContainerExec now" in done.err


async def test_who_interrupts_has_said_nothing(live: Path, tmp_path: Path) -> None:
    """Behind Ctrl-C nothing that was said is written, which is told, with how it would be."""
    file = live.with_name("app.env")
    async with begun(live, tmp_path) as shown:
        await shown.type("C-c")
        text = await shown.until(r"hint: .*by then")
        assert "trioproxy: interrupted: nothing was written\n" in text
    assert file.read_text() == ENV
    assert not file.with_suffix(".jsonl").exists()


def test_what_waits_to_be_asked_last_is_weighed_no_more_until_then(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each question all was weighed anew that gives root and is asked about last: of a thousand such, for 1.4 s."""
    wanted = [("CREATE_BINDS", f"/etc/{at}") for at in range(9)] + [
        ("CREATE_IMAGES", f"made:{at}") for at in range(9)
    ]
    refused(
        live,
        "CREATE_BINDS=\nCREATE_IMAGES=a:1\nALLOW_OPERATIONS=ContainerCreate\n",
        *(Sight(name, item, "ContainerCreate") for name, item in wanted),
    )
    weighed, power, asked = list[Grant](), Adding.power, list[bool]()
    weighed_before = list[int]()

    def counted(self: Adding, grant: Grant) -> Power:
        weighed.append(grant)
        return power(self, grant)

    def answer(*, gives_root: bool) -> approving.Choice:
        weighed_before.append(len(weighed))
        asked.append(gives_root)
        return approving.Choice.NO

    monkeypatch.setattr(Adding, "power", counted)
    monkeypatch.setattr(approving, "_ask", answer)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(approving, "sys", SimpleNamespace(stdin=terminal))
    assert approve(live).status == 1
    assert asked == [False] * 9 + [True] * 9
    first, *_, last = weighed_before
    assert last - first < 3 * len(asked)


def test_what_nobody_is_asked_about_is_refused(live: Path) -> None:
    """Where all that was refused is beyond the ceiling, it is not said that nothing was."""
    file, ceiling = live.with_name("app.env"), live.with_name("ceiling.env")
    ceiling.write_text(ENV)
    done = approve(live, "--within", str(ceiling))
    assert done.status == 1
    assert "does not allow, and nobody is asked: VolumeList, " in done.err
    assert done.out == f"nothing that {file} refuses is left to be asked about\n"


def test_half_a_letter_is_no_answer(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed and is no UTF-8, as where a terminal erased half of a letter, is asked again."""
    typed = [b"\xc3y", b"n", b"n", b"n", b"q"]
    monkeypatch.setattr("builtins.input", lambda _: typed.pop(0).decode())
    monkeypatch.setattr(
        approving, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    assert (approve(live).status, typed) == (1, [])


async def test_root_is_typed(live: Path, tmp_path: Path) -> None:
    """The word allows what gives root, and every line that is written is shown."""
    file = live.with_name("app.env")
    program = (sys.executable, "-m", "trioproxy", "approve")
    async with screen(tmp_path, 200) as shown:
        await shown.run(*program, str(file), str(live))
        for number in (1, 2, 3):
            await shown.until(rf"{number} of 4: .*\n(.*\n)*allow it\? .*uit:$")
            await shown.type("n", "Enter")
        await shown.until(r"4 of 4: CREATE_BINDS=/etc\n(.*\n)*allow it\? .*uit:$")
        await shown.type("root", "Enter")
        text = await shown.until("lists CREATE_BINDS=/etc now")
    assert "-CREATE_BINDS=/srv/a\n" in text
    assert "+CREATE_BINDS=/etc,/srv/a\n" in text
    assert lists(live)["CREATE_BINDS"] == "/etc,/srv/a"


@pytest.mark.parametrize("name", ["ContainerExec", "CREATE_BINDS=/etc"])
def test_what_gives_root_has_a_word_of_its_own(live: Path, name: str) -> None:
    """`--yes` allows no root, and says what it would give; `--yes-root` does."""
    done = approve(live, "--yes", "VolumeList", "--yes", name)
    assert (done.status, live.with_name("app.env").read_text()) == (2, ENV)
    assert f"{name} gives root on the host: " in done.err
    assert f"--yes-root {name}" in done.err
    done = approve(live, "--yes", "VolumeList", "--yes-root", name)
    assert done.status == 1
    assert f"lists VolumeList, {name} now" in done.err


def test_what_gives_root_together_is_told(live: Path) -> None:
    """Two names of which neither gives root alone: beside the first, the second does."""
    file = live.with_name("app.env")
    text = "ALLOW_OPERATIONS=SystemPing\nBUILD_OPTIONS=\nCREATE_BINDS=\n"
    file.write_text(text)
    evidence = Evidence()
    evidence.begin("r1", 1_795_515_300)
    who = Who("docker/26.1.5", "10.0.0.5", "1.45")
    for name in ("ImageBuild", "ContainerStart"):
        evidence.observe(seen_route(name), "refused", When(1_795_515_300), who)
    live.write_text(dump(evidence))
    asked = json.loads(approve(live, "--json").out)
    assert {one["name"]: one["root"] for one in asked} == {
        "ImageBuild": False,
        "ContainerStart": False,
    }
    done = approve(live, "--yes", "ImageBuild", "--yes", "ContainerStart")
    assert (done.status, file.read_text()) == (2, text)
    assert "gives root on the host: ImageBuild: commits containers" in done.err
    done = approve(live, "--yes", "ImageBuild", "--yes-root", "ContainerStart")
    assert done.status == 2  # it is the first one that is not named as root
    assert "--yes-root ImageBuild" in done.err


def test_many_names_at_once_are_no_policy_each(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each `--yes` was weighed beside those before it as another policy: 600 took 40 s."""
    items = [f"made:{at}" for at in range(30)]
    refused(
        live,
        "CREATE_IMAGES=a:1\nALLOW_OPERATIONS=ContainerCreate\n",
        *(Sight("CREATE_IMAGES", item, "ContainerCreate") for item in items),
    )
    made, with_more = list[Adding](), Adding.with_more

    def counted(self: Adding, *grants: Grant) -> Adding:
        made.append(with_more(self, *grants))
        return made[-1]

    monkeypatch.setattr(Adding, "with_more", counted)
    words = [word for one in items for word in ("--yes", f"CREATE_IMAGES={one}")]
    assert approve(live, *words).status == 0
    assert len(made) < 5


def test_every_line_that_changes_is_shown(live: Path) -> None:
    """The old file with what is told of it is the new one: nothing is written in silence."""
    file = live.with_name("app.env")
    for name in ("VolumeList", "CREATE_BINDS={base}/data:ro"):
        before = Counter(file.read_text().splitlines())
        told = approve(live, "--yes", name).err.splitlines()
        gone = Counter(line[1:] for line in told if line.startswith("-"))
        new = Counter(line[1:] for line in told if line.startswith("+"))
        assert before - gone + new == Counter(file.read_text().splitlines())
        lines = [one for one in told if one[1:].startswith(("ALLOW_", "CREATE_BINDS="))]
        assert lines
        assert all(fitted(one, 12) == [one] for one in lines)
        # What was refused was seen, and is not used so far.
        assert (
            "NEVER USED: added by hand or by approve" in run("explain", str(file)).out
        )


async def test_a_question_that_is_broken_off_writes_nothing(
    live: Path, tmp_path: Path
) -> None:
    """Ctrl-C leaves the file as it was, whatever was answered before."""
    program = (sys.executable, "-m", "trioproxy", "approve")
    async with screen(tmp_path, 80) as shown:
        await shown.run(*program, str(tmp_path / "app.env"), str(live))
        await shown.until("1 of 4")
        await shown.type("y", "Enter")
        await shown.until("2 of 4")
        await shown.type("C-c")
        text = await shown.until(r"^ready>")
        assert "Traceback" not in text
    assert (tmp_path / "app.env").read_text() == ENV


@pytest.mark.engine
async def test_refused_approved_passed(engine: Engine, tmp_path: Path) -> None:
    """One session, without a restart: a refusal, an answer, and the proxy that watches
    its file lets it pass."""
    file, live = tmp_path / "app.env", tmp_path / "live.jsonl"
    file.write_text(
        "ALLOW_OPERATIONS=ContainerCreate,ContainerDelete,SystemPingHead\n"
        "CREATE_BINDS=\nONLY_CONTAINERS=@own\nONLY_OWNER=app\n"
    )
    engine.docker("create", "--name", "others", "busybox")
    listen = f"unix://{tmp_path}/proxy.sock"
    options = ("--watch", "--record", str(live))
    async with running(
        *("enforce", str(file), "--listen", listen, "--upstream", engine.url, *options)
    ) as proxy:
        await proxy.listen()
        for command, operation, name, text in (
            (
                ("volume", "ls", "-q"),
                "VolumeList",
                "VolumeList",
                "add VolumeList to ALLOW_OPERATIONS",
            ),
            (
                ("create", "-v", "/srv/x:/x", "busybox"),
                "ContainerCreate",
                "CREATE_BINDS=/srv/x",
                "which CREATE_BINDS does not list",
            ),
            (
                ("rm", "-f", "others"),
                "ContainerDelete",
                "ONLY_CONTAINERS=others",
                "names container others, which ONLY_CONTAINERS does not list",
            ),
        ):
            ran = engine.docker(*command, host=listen, check=False)
            assert (ran.status, text in ran.errors) != (0, False)
            await proxy.line(f"recorded operation={operation}")
            done = run("approve", str(file), str(live), "--yes", name)
            assert done.status == 0, done.err
            await proxy.line("reload")
            engine.docker(*command, host=listen)


def test_a_ceiling_is_not_asked_about(live: Path) -> None:
    """What goes beyond --within is no question and cannot be named; a file beyond it stops."""
    ceiling = live.with_name("company.env")
    ceiling.write_text(
        "CREATE_BINDS=/srv/*,/home/me/*\n"
        "ALLOW_OPERATIONS=ContainerCreate,ContainerList,VolumeList\n"
    )
    within = ("--within", str(ceiling))
    done = approve(live, *within, "--json")
    asked = [one["name"] for one in json.loads(done.out)]
    assert asked == ["VolumeList", "CREATE_BINDS={base}/data:ro"]
    told = "does not allow, and nobody is asked: ContainerExec, CREATE_BINDS=/etc"
    assert told in done.err
    assert done.status == 1
    refused = approve(live, *within, "--yes-root", "CREATE_BINDS=/etc")
    assert (refused.status, live.with_name("app.env").read_text()) == (2, ENV)
    done = approve(live, *within, *(f"--yes={name}" for name in asked))
    assert (done.status, json.loads(approve(live, *within, "--json").out)) == (1, [])
    checked = run("check", str(live.with_name("app.env")), *within)
    assert checked.out.splitlines()[-1] == f"it grants nothing beyond {ceiling}"
    ceiling.write_text(
        "ALLOW_OPERATIONS=ContainerCreate,ContainerList\nCREATE_BINDS=/srv/a\n"
    )
    done = approve(live, *within, "--json")
    assert done.status == 2
    assert "already grants what" in done.err
