"""`trioproxy learn` as people run it: a command, its traffic, and the files it leaves."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

import trioproxy
from tests.commands.running import Finished, run, running
from tests.fakes import FakeEngine, connect
from tests.patience import PATIENCE
from trioproxy.commands import tell
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.seen import Evidence
from trioproxy.learning.proposal import listed_operations

CLIENT = """
import os, socket, sys
path = os.environ["DOCKER_HOST"].removeprefix("unix://")
for line in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        head = f"{line} HTTP/1.1\\r\\nHost: x\\r\\nUser-Agent: app/1\\r\\nConnection: close\\r\\n\\r\\n"
        sock.sendall(head.encode())
        while sock.recv(4096):
            pass
"""
STREAMS = """
import os, socket, subprocess, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
sock.sendall(b"GET /events HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
sock.recv(4096)
holds = "import sys; sys.stdin.buffer.read()"
subprocess.Popen([sys.executable, "-c", holds], stdin=sock.fileno(), stdout=2)
"""
"""Leaves a process behind that holds an open stream of events."""

LIST, INFO, EXEC = "GET /containers/json", "GET /info", "POST /containers/x/exec"


def client_sending(*lines: str) -> tuple[str, ...]:
    """A command that sends these requests to DOCKER_HOST."""
    # Without `site`, which would load coverage into each of a thousand clients.
    return (sys.executable, "-ISc", CLIENT, *lines)


WITH = """
from trioproxy.cli import main
from trioproxy.commands import learner
learner.{} = {}
main()
"""
"""The program, waiting for longer or less long."""


def mode_of(path: Path) -> int:
    """The permission bits of a path."""
    return path.stat().st_mode & 0o777


class Learning:
    """Calls of `learn` with one file."""

    def __init__(self, fake: FakeEngine, folder: Path) -> None:
        self.file = folder / "learned" / "app.env"
        self.options = ("--upstream", str(fake.path), "-o", str(self.file))

    async def __call__(
        self,
        *args: str,
        variables: Mapping[str, str] | None = None,
        lingering: float | None = None,
    ) -> Finished:
        def call() -> Finished:
            program = ("-m", "trioproxy")
            if lingering is not None:
                program = ("-c", WITH.format("LINGER", lingering))
            options = (*self.options, *args)
            return run("learn", *options, variables=variables, program=program)

        return await trio.to_thread.run_sync(call)

    @property
    def granted(self) -> set[str]:
        return set(listed_operations(self.file.read_text(), "app.env") or ())

    @property
    def identity(self) -> list[tuple[int, int]]:
        found = [self.file.stat(), self.file.with_suffix(".jsonl").stat()]
        return [(one.st_ino, one.st_mtime_ns) for one in found]

    @property
    def evidence(self) -> Evidence:
        path = self.file.with_suffix(".jsonl")
        return load(path.read_bytes(), name=str(path)).evidence


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that we are in, and where the program is still found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(trioproxy.__file__).parents[1]))
    return tmp_path


@pytest.fixture
def learn(fake: FakeEngine, tmp_path: Path) -> Learning:
    return Learning(fake, tmp_path)


async def test_what_a_command_used_is_written_down(learn: Learning) -> None:
    """The command's operations are in the file, announced, and summed up."""
    done = await learn("--", *client_sending(LIST, INFO, LIST))
    assert (done.status, done.out) == (0, "")
    assert learn.granted == {"ContainerList", "SystemInfo"}
    assert "trioproxy: new: ContainerList (GET /containers/json)" in done.err
    assert f"{learn.file} lists 2 operations, 2 of them new" in done.err
    assert "\ntecnativa: " in done.err
    assert learn.evidence.completeness().runs == 1


async def test_the_command_gets_its_own_streams(learn: Learning) -> None:
    """Standard output is the command's alone, and its status is ours."""
    done = await learn("--", "sh", "-c", "echo out; exit 7")
    assert (done.status, done.out) == (7, "out\n")


async def test_a_run_that_sees_nothing_leaves_the_file(learn: Learning) -> None:
    """Nothing seen is a warning with the likely cause, whose way out is an option of learn and not of pytest, and no file changes."""
    await learn("--", *client_sending(LIST))
    before = learn.identity
    done = await learn("--", "true")
    assert done.status == 0
    assert (
        "did the command use -H, --context or a socket of its own (learn --capture)?"
        in done.err
    )
    assert learn.identity == before


async def test_an_engine_that_is_not_there_is_what_is_told(learn: Learning) -> None:
    """Who came to us and got no answer of the Engine's did not go around us."""
    learn.options = ("--upstream", "tcp://127.0.0.1:1", "-o", str(learn.file))
    done = await learn("--", *client_sending(LIST))
    assert "nothing seen: the Engine answered none of 1 request; " in done.err
    assert not learn.file.exists()


async def test_a_run_that_must_see_something(learn: Learning) -> None:
    """With --require-seen a run that went around us fails, and one that did not does not."""
    done = await learn("--require-seen", "--", "true")
    assert done.status == 1
    assert "nothing seen: did the command use -H" in done.err
    assert f"nothing is written to {learn.file}" in done.err
    assert (await learn("--require-seen", "--", "sh", "-c", "exit 7")).status == 7
    assert not learn.file.exists()
    assert (await learn("--require-seen", "--", *client_sending(LIST))).status == 0
    done = await learn("--require-seen", "--include-failed", "--", "true")
    assert done.status == 1
    assert learn.granted == {"ContainerList"}


async def test_a_command_that_does_not_exist(learn: Learning) -> None:
    """127, one clear line, and no file is damaged or made."""
    done = await learn("--", "/no/such/command")
    assert done.status == 127
    assert (
        done.err
        == "trioproxy: cannot run '/no/such/command': No such file or directory\n"
    )
    assert not learn.file.parent.exists()


async def test_options_of_the_command_are_its_own(learn: Learning) -> None:
    """What stands behind the command belongs to it, with or without a double dash."""
    done = await learn("sh", "-c", "exit 4", "--quiet")
    assert done.status == 4


async def test_quiet_shows_the_table_only(learn: Learning) -> None:
    """--quiet leaves out the announcements."""
    done = await learn("--quiet", "--", *client_sending(LIST))
    assert "new: " not in done.err
    assert "lists 1 operation, 1 of them new" in done.err


async def test_a_second_run_adds(learn: Learning) -> None:
    """Runs unite; what is known already is not announced again."""
    await learn("--", *client_sending(LIST))
    done = await learn("--", *client_sending(LIST, INFO))
    assert learn.granted == {"ContainerList", "SystemInfo"}
    assert "new: ContainerList" not in done.err
    assert "2 runs, watched for" in done.err


async def test_lines_of_others_stay(learn: Learning) -> None:
    """Comments and variables that are not ours survive each run."""
    learn.file.parent.mkdir()
    learn.file.write_text("# ours\nTZ=Europe/Berlin\n")
    await learn("--", *client_sending(LIST))
    await learn("--", *client_sending(INFO))
    assert learn.file.read_text().startswith("# ours\nTZ=Europe/Berlin\n# Root on ")


async def test_what_only_failed_is_listed_and_not_granted(learn: Learning) -> None:
    """A probe that found nothing is use; a write that found nothing is not."""
    done = await learn(
        "--", *client_sending("GET /networks/missing", "POST /containers/missing/start")
    )
    assert learn.granted == {"NetworkInspect"}
    assert "not granted so far: ContainerStart" in done.err
    assert (
        "only ever failed, not granted (learn --include-failed): ContainerStart"
        in done.err
    )
    await learn("--include-failed", "--", "true")
    assert learn.granted == {"ContainerStart", "NetworkInspect"}


async def test_a_route_that_the_engine_lacks_is_not_used(learn: Learning) -> None:
    """A 404 of the router, without the Engine's headers, grants nothing."""
    await learn("--", *client_sending(LIST, "GET /images/nowhere/attestations"))
    assert learn.granted == {"ContainerList"}


async def test_an_unknown_route_is_told_and_not_granted(learn: Learning) -> None:
    """A newer route passes while learning; its template is told, and the file has none of it."""
    first, second = "POST /images/s3cr3t/frobnicate", "POST /images/s3cr3t/twist"
    done = await learn("--", *client_sending(LIST, first, second, first))
    for action in ("frobnicate", "twist"):
        line = f"not granted: an unknown route, POST /images/{{id}}/{action}\n"
        assert done.err.count(line) == 1
    assert "unknown routes, not granted: POST /images/{id}/frobnicate, POST" in done.err
    assert "s3cr3t" not in done.err
    assert "frob" not in learn.file.with_suffix(".jsonl").read_text()
    assert learn.granted == {"ContainerList"}
    assert "IMAGES" not in learn.file.read_text()


async def test_an_unknown_route_that_is_granted_by_hand(learn: Learning) -> None:
    """What a person has written into the file is not announced as not granted."""
    await learn("--", *client_sending(LIST))
    text = learn.file.read_text()
    by_hand = "ALLOW_OPERATIONS=GET:/containers/{name}/frobnicate,"
    learn.file.write_text(text.replace("ALLOW_OPERATIONS=", by_hand))
    done = await learn("--", *client_sending(LIST, "GET /containers/x/frobnicate"))
    assert done.status == 0
    assert "not granted: an unknown route" not in done.err


async def test_root_on_the_host_is_announced_loudly(learn: Learning) -> None:
    """What gives root on the host is marked on the screen, and what the file limits is not:
    the screen says of both what the file says."""
    sent = ("POST /containers/create", "POST /images/load")
    done = await learn("--", *client_sending(*sent))
    assert "new: ContainerCreate (POST /containers/create), limited: makes" in done.err
    assert "new: ImageLoad (POST /images/load), HOST-ROOT: loads" in done.err
    assert "# Root on the host: yes, by ImageLoad:" in learn.file.read_text()
    limited = "# limited to what is harmless or in the lists:\n#   ContainerCreate "
    assert limited in learn.file.read_text()
    assert "half granted: ContainerCreate without ContainerStart" in done.err


async def test_a_declined_operation_returns_by_restore_only(learn: Learning) -> None:
    """What a reviewer took out stays out, is named, and comes back by name."""
    await learn("--", *client_sending(LIST, EXEC))
    learn.file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    done = await learn("--", *client_sending(LIST, EXEC))
    assert learn.granted == {"ContainerList"}
    assert "declined, not granted (learn --restore NAME): ContainerExec" in done.err
    done = await learn("--restore", "ContainerExec", "--", "true")
    assert "nothing seen" not in done.err
    assert "2 runs, watched for" in done.err
    assert learn.granted == {"ContainerExec", "ContainerList"}
    await learn("--", *client_sending(LIST))
    assert learn.granted == {"ContainerExec", "ContainerList"}


async def test_a_ceiling_holds_while_learning(learn: Learning, tmp_path: Path) -> None:
    """What the ceiling refuses does not reach the Engine and is not granted."""
    ceiling = tmp_path / "max.env"
    ceiling.write_text("CONTAINERS=1\nPOST=0\n")
    done = await learn("--within", str(ceiling), "--", *client_sending(LIST, EXEC))
    assert learn.granted == {"ContainerList"}
    assert "refused, and not granted: ContainerExec" in done.err
    assert "so says the ceiling (--within)" in done.out + done.err
    assert [shape.operation for shape in learn.evidence.ended("refused")] == [
        "ContainerExec"
    ]


async def test_fresh_starts_over(learn: Learning) -> None:
    """--fresh forgets what was learned, the evidence too."""
    await learn("--", *client_sending(LIST))
    await learn("--fresh", "--", *client_sending(INFO))
    assert learn.granted == {"SystemInfo"}
    assert learn.evidence.completeness().runs == 1


async def test_learners_side_by_side_unite(learn: Learning) -> None:
    """Learners of one file at the same time lose nothing of each other."""
    commands = [
        client_sending(LIST),
        client_sending(INFO),
        client_sending("GET /version"),
        client_sending(EXEC),
    ]
    done = list[Finished]()

    async def one(command: tuple[str, ...]) -> None:
        done.append(await learn("--", *command))

    async with trio.open_nursery() as nursery:
        for command in commands:
            nursery.start_soon(one, command)
    assert [one.status for one in done] == [0, 0, 0, 0]
    assert learn.granted == {
        "ContainerExec", "ContainerList", "SystemInfo", "SystemVersion",
    }  # fmt: skip
    assert learn.evidence.completeness().runs == 4
    assert learn.evidence.granted_operations == learn.granted


async def test_the_default_file_has_the_commands_name(
    fake: FakeEngine, folder: Path
) -> None:
    """Without -o the file is learned/COMMAND.env, or learned/NAME.env."""
    tool = folder / "tool"
    tool.symlink_to(sys.executable)
    options = ("learn", "--upstream", str(fake.path))
    command = (str(tool), *client_sending(LIST)[1:])
    await trio.to_thread.run_sync(run, *options, "--", *command)
    text = (folder / "learned" / "tool.env").read_text()
    assert '# Learned for "tool"; trioproxy explain tool.env ' in text


async def test_without_a_command_it_learns_until_told_to_stop(learn: Learning) -> None:
    """A listener takes any client; a signal ends the learning and writes everything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        options = (*learn.options, "--listen", "tcp://127.0.0.1:0")
        async with running("learn", *options, variables={"LOG_LEVEL": "info"}) as proxy:
            line = await proxy.line("listening on tcp://")
            client = await connect(line.partition("listening on ")[2])
            await client.ask("GET", f"/containers/{number}/json")
            assert (await client.read_response()).status == 200
            client.close()
            proxy.process.send_signal(number)
            assert await proxy.end() == 0
    record = next(iter(learn.evidence.routes.values()))
    assert record.count() == 3
    assert record.users.clients == {"127.0.0.1"}


async def test_without_a_listener_it_offers_a_private_socket(learn: Learning) -> None:
    """Nothing but the same user can reach the learner, and the way there is printed."""
    async with running("learn", *learn.options) as proxy:
        line = await proxy.line("export DOCKER_HOST=unix://")
        path = Path(line.partition("unix://")[2])
        assert mode_of(path.parent) == 0o700
        assert mode_of(path) == 0o600
        proxy.process.terminate()
        assert await proxy.end() == 0
    assert not path.parent.exists()


async def test_an_open_door_is_called_one(learn: Learning) -> None:
    """A learner that other machines can reach says so, loudly."""
    options = (*learn.options, "--listen", "tcp://0.0.0.0:0")
    async with running("learn", *options) as proxy:
        assert "is root on this host now" in await proxy.line("DANGER")
        proxy.process.terminate()
        assert await proxy.end() == 0


async def test_a_second_signal_ends_at_once(learn: Learning, tmp_path: Path) -> None:
    """An open stream is not waited for when the signal comes twice; all is written."""
    url = f"unix://{tmp_path}/l.sock"
    patient = ("-c", WITH.format("AFTER_COMMAND", 2 * PATIENCE))
    options = (*learn.options, "--listen", url)
    async with running("learn", *options, program=patient) as proxy:
        await proxy.line("listening on")
        client = await connect(url)
        await client.ask("GET", "/events")
        await client.read_head()
        proxy.process.send_signal(signal.SIGINT)
        proxy.process.send_signal(signal.SIGTERM)
        assert await proxy.end() == 0
        client.close()
    assert learn.granted == {"SystemEvents"}


@pytest.mark.parametrize(
    "name", ["d" * 100, "a%41b", "100%", "a b", "a?mode=0666", "a#b", "é"], ids=ascii
)
async def test_a_folder_for_temporary_files_that_makes_no_url(
    learn: Learning, tmp_path: Path, name: str
) -> None:
    """The private socket has a path that fits and that all read alike, whatever TMPDIR is."""
    folder = tmp_path / name
    await trio.Path(folder).mkdir()
    done = await learn("--", *client_sending(LIST), variables={"TMPDIR": str(folder)})
    assert (done.status, learn.granted) == (0, {"ContainerList"}), done.err
    assert list(folder.iterdir()) == []


async def test_a_torn_evidence_file_is_told_at_the_start(learn: Learning) -> None:
    """After a power cut the run says what was left out, once, and goes on."""
    await learn("--", *client_sending(LIST))
    with learn.file.with_suffix(".jsonl").open("a") as file:
        file.write('{"operation": "Im')
    done = await learn("--", *client_sending(INFO))
    assert done.err.count("the last line is cut off: it is ignored") == 1
    assert learn.granted == {"ContainerList", "SystemInfo"}


async def test_a_closed_stderr_changes_no_exit_status(learn: Learning) -> None:
    """Who closed stderr is told nothing: what was used is written, and the status is the
    command's."""
    ours = (sys.executable, "-m", "trioproxy", "learn", *learn.options, "--")
    words = [*ours, sys.executable, "-ISc", f"{CLIENT}sys.exit(7)", LIST]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            ["sh", "-c", '"$0" "$@" 2>&-', *words], check=False
        )
    assert (done.returncode, learn.granted) == (7, {"ContainerList"})


async def test_a_ceiling_with_a_doubtful_line_warns(
    learn: Learning, tmp_path: Path
) -> None:
    """What in the ceiling has no effect is said before anything is learned below it."""
    ceiling = tmp_path / "max.env"
    ceiling.write_text("CONTAINERS=1\nPUID=1\n")
    done = await learn("--within", str(ceiling), "--", *client_sending(LIST))
    assert "PUID has no effect in a policy file" in done.err
    assert learn.granted == {"ContainerList"}


async def test_an_output_beyond_its_ceiling_stops(
    learn: Learning, tmp_path: Path
) -> None:
    """A file that already exceeds the ceiling is not learned into."""
    await learn("--", *client_sending(INFO))
    ceiling = tmp_path / "max.env"
    ceiling.write_text("CONTAINERS=1\n")
    done = await learn("--within", str(ceiling), "--", *client_sending(LIST))
    assert done.status == 2
    assert "already grants what" in done.err
    assert learn.granted == {"SystemInfo"}


async def test_a_file_that_limits_less_than_its_ceiling_is_told(
    learn: Learning, tmp_path: Path
) -> None:
    """Learned by routes alone, a file has no limits where its ceiling has them: status 1, or
    that of a command which failed."""
    ceiling = tmp_path / "max.env"
    ceiling.write_text(
        "ALLOW_OPERATIONS=ContainerCreate,ContainerList\nCREATE_BINDS=\n"
    )
    options = ("--within", str(ceiling), "--learn", "routes")
    create = "POST /containers/create"
    done = await learn(*options, "--", *client_sending(create))
    assert (done.status, f"beyond {ceiling}: " in done.err) == (1, True), done.err
    assert "grants: CREATE_*=*" in done.err
    fails = (sys.executable, "-ISc", f"{CLIENT}sys.exit(7)", create)
    done = await learn(*options, "--fresh", "--", *fails)
    assert (done.status, "grants: CREATE_*=*" in done.err) == (7, True), done.err


async def test_it_ends_by_itself_when_nothing_new_comes(learn: Learning) -> None:
    """--until-quiet without a command ends the learning, as was said, and says that it is ready."""
    options = (*learn.options, "--until-quiet", "1s", "--listen", "tcp://127.0.0.1:0")
    async with running("learn", *options) as proxy:
        line = await proxy.line("listening on tcp://")
        assert "learning until Ctrl-C, or 1 s without news; listening" in line
        client = await connect(line.partition("listening on ")[2])
        await client.ask("GET", "/containers/json")
        await client.read_response()
        assert "nothing new in" in await proxy.line("ready: ")
        assert await proxy.end() == 0
        client.close()
    assert learn.granted == {"ContainerList"}


async def test_with_a_command_it_only_says_whether_it_is_ready(learn: Learning) -> None:
    """--until-quiet 2runs counts runs in which nothing was new."""
    said = []
    for _ in range(3):
        done = await learn("--until-quiet", "2runs", "--", *client_sending(LIST))
        said.append("\nready: nothing new in 2 runs" in done.err)
    assert said == [False, False, True]


async def test_a_shared_listener_learns_from_some(learn: Learning) -> None:
    """--from learns from the clients named, serves the others, and says so."""
    options = ("--listen", "tcp://127.0.0.1:0", "--from", "10.1.2.3")
    async with running("learn", *learn.options, *options) as proxy:
        line = await proxy.line("listening on tcp://")
        client = await connect(line.partition("listening on ")[2])
        await client.ask("GET", "/containers/json")
        assert (await client.read_response()).status == 200
        client.close()
        proxy.process.terminate()
        assert "1 request of other clients" in await proxy.line("were not learned from")
        await proxy.line("nothing seen: no request to learn from came; ")
        assert await proxy.end() == 0
    assert not learn.file.exists()


async def test_who_was_learned_from_is_said(learn: Learning) -> None:
    """The closing table names the clients' addresses and programs."""
    done = await learn("--", *client_sending(LIST))
    assert f"clients: unix:uid={os.geteuid()}\n" in done.err
    assert "programs: app/1\n" in done.err


async def test_an_open_stream_gets_two_seconds(learn: Learning) -> None:
    """A stream that outlives the command is ended, and does not keep us from ending."""
    done = await learn("--", sys.executable, "-c", STREAMS, lingering=0)
    assert done.status == 0
    assert "left without a Docker socket: 1 process of the command" in done.err
    assert learn.granted == {"SystemEvents"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param((), "no output file", id="no-output"),
        pytest.param(
            ("-o", "x.env", "--from", "10.0.0.1", "--", "true"), "--listen", id="from"
        ),
        pytest.param(
            (
                "-o",
                "x.env",
                "--listen",
                "tcp://127.0.0.1:0",
                "--from",
                "10.0.0.1",
                "--learn",
                "names",
            ),
            "nobody can tell who made what",
            id="scope",
        ),
        pytest.param(
            ("-o", "x.env", "--until-quiet", "soon", "--", "true"), "30m", id="quiet"
        ),
        pytest.param(("--", "/bin/[", "x"), "cannot be a file name", id="name"),
        pytest.param(
            ("-o", "x.jsonl", "--", "true"), "an evidence file", id="evidence"
        ),
        pytest.param(("-o", "/dev/null", "--", "true"), "no regular file", id="device"),
        pytest.param(
            ("-o", "/proc/x.env", "--", "true"), "cannot write /proc/x.env", id="proc"
        ),
        pytest.param(
            ("-o", "x.env", "--within", "/no.env", "--", "true"), "/no.env", id="within"
        ),
        pytest.param(
            ("-o", "x.env", "--restore", "Foo", "--", "true"), "declined", id="restore"
        ),
    ],
)
def test_bad_options_are_one_clear_line(
    args: tuple[str, ...], said: str, folder: Path
) -> None:
    """What cannot be done stops before the command runs: status 2, and the reason."""
    done = run("learn", *args)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param(
            {"DOCKER_HOST": "ssh://host"}, "ssh:// is not supported", id="ssh"
        ),
        pytest.param(
            {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1"}, "TLS", id="tls"
        ),
        pytest.param({"DOCKER_HOST": "unix:///no/s"}, "no such socket", id="no-socket"),
        pytest.param({"SOCKET_PATH": "/no/s"}, "no such socket", id="socket-path"),
    ],
)
def test_the_engine_is_found_as_clients_find_it(
    variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    """DOCKER_HOST and SOCKET_PATH name the Engine; what cannot be reached ends with 2."""
    file = tmp_path / "x.env"
    done = run("learn", "-o", str(file), "--", "true", variables=variables)
    assert (done.status, said in done.err) == (2, True), done.err


def test_in_a_container_it_is_said_who_reaches_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket of its own is for what runs in it, and an address for others is named."""
    for is_inside in (True, False):
        monkeypatch.setattr(tell, "is_in_container", lambda there=is_inside: there)
        tell.where([], private="unix:///d")
        assert ("--listen tcp://:2375" in capsys.readouterr().err) is is_inside
    tell.where([], private="unix:///d")
    assert capsys.readouterr().err.endswith(
        "client here:\nexport DOCKER_HOST=unix:///d\n"
    )


async def test_own_listener_is_no_upstream(learn: Learning, tmp_path: Path) -> None:
    """An upstream that is one of our listeners is refused before anything runs."""
    url = f"unix://{tmp_path}/engine.sock"
    done = await learn("--listen", url, "--", "true")
    assert (done.status, "our own listeners" in done.err) == (2, True)


async def test_evidence_that_cannot_be_written_is_reported(
    learn: Learning, tmp_path: Path
) -> None:
    """The run goes on; at the end one line says what is wrong, and the status is 2."""
    script = f"open({str(learn.file.parent)!r}, 'w').close()\n{CLIENT}"
    done = await learn("--", sys.executable, "-c", script, LIST)
    assert done.status == 2
    assert done.err.count("cannot write") == 1
    assert "Traceback" not in done.err
