"""`trioproxy learn --from-log` as people run it: logs in, files and words out."""

import fcntl
import gzip
import os
import signal
import subprocess
import sys
import termios
import time
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from tests.commands.running import Finished, called, environment
from tests.commands.running import run as trioproxy
from tests.patience import PATIENCE
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.seen import Evidence
from trioproxy.learning.proposal import listed_operations
from trioproxy.logs.logrun import CLIENTS_TOLD_APART
from trioproxy.proxy.listeners import client_name_of

LOGS = Path(__file__).parents[1] / "data" / "logs"
HAPROXY = (LOGS / "haproxy.log").read_bytes()
SEEN = {"ContainerInspect", "ContainerList", "SystemPingHead"}
"""What HAPROXY shows a need for."""


def run(*args: str, piped: bytes = b"", folder: Path) -> Finished:
    """Run `trioproxy learn ARGS` there, with something piped in."""
    with chdir(folder):
        return called("learn", *args, piped=piped)


class Reading:
    """Calls of `learn --from-log` with one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "app.env"
        self.log = folder / "proxy.log"
        self.log.write_bytes(HAPROXY)

    def __call__(
        self,
        *args: str,
        logs: tuple[str, ...] = ("proxy.log",),
        piped: bytes = b"",
        file: str = "app.env",
    ) -> Finished:
        named = [word for log in logs for word in ("--from-log", log)]
        return run("-o", file, *named, *args, piped=piped, folder=self.folder)

    @property
    def granted(self) -> set[str]:
        return set(listed_operations(self.file.read_text(), "app.env") or ())

    @property
    def evidence(self) -> Evidence:
        path = self.file.with_suffix(".jsonl")
        return load(path.read_bytes(), name=str(path)).evidence

    @property
    def written(self) -> dict[str, bytes]:
        """All that is there but the logs."""
        paths = self.folder.glob("app*")
        return {path.name: path.read_bytes() for path in paths}


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def lines(done: Finished) -> list[str]:
    return done.err.splitlines()


def test_the_table_says_what_the_file_says(read: Reading) -> None:
    """Of what answers do not tell the closing table has the file's words, not the route's."""
    read.file.write_text("REDACT=env,commands\nALLOW_OPERATIONS=\n")
    table = read().err
    hidden = "shows labels, where secrets may stand, too; "
    for text in (table, read.file.read_text()):
        assert "reads secrets from a container's environment" not in text
        assert text.count(hidden) == 2, text


def test_a_log_becomes_a_file(read: Reading) -> None:
    """What a log shows is granted, `explain` says where from, and the rest is told."""
    done = read()
    assert (done.status, done.out) == (0, "")
    assert read.granted == SEEN
    said = " ".join(trioproxy("explain", str(read.file)).out.split())
    assert "learned in 1 run, watched for " in said
    assert ", 2026-11-25; 1 run from logs, which show routes only" in said
    assert lines(done)[:6] == [
        "trioproxy: proxy.log: 15 requests in the log of HAProxy (tecnativa, linuxserver)",
        "trioproxy: proxy.log: 1 request not answered by the Engine",
        "trioproxy: proxy.log: 1 request with a path that the log cut off",
        "trioproxy: proxy.log: 5 requests not understood: its head could not be read by"
        " the proxy that wrote the log",
        "trioproxy: proxy.log: 6 other lines skipped",
        "trioproxy: proxy.log: learned from 127.0.0.1, 127.0.0.11, ::1, unix together;"
        " {client} in the name of FILE makes a file for each",
    ]
    assert "trioproxy: app.env lists 3 operations, 3 of them new" in lines(done)
    assert "refused, not granted: ContainerCreate" in lines(done)
    assert {one.source for one in read.evidence.runs.values()} == {"log"}


def test_a_log_is_piped_in(read: Reading) -> None:
    """`-` reads standard input; what comes packed is unpacked there as well."""
    assert read(logs=("-",), piped=HAPROXY).status == 0
    before = read.written
    assert read(logs=("-",), piped=gzip.compress(HAPROXY)).status == 0
    assert read.written == before


def test_a_byte_order_mark_hides_no_line(read: Reading) -> None:
    """Windows saves what it is piped with a mark before the first line, which counts."""
    line = next(one for one in HAPROXY.splitlines(True) if b" 200 " in one)
    assert read(logs=("-",), piped=BOM_UTF8 + line).status == 0
    assert len(read.granted) == 1


def test_reading_again_changes_nothing(read: Reading) -> None:
    """The same log, plain, packed and from Compose, is one run; files stay byte for byte."""
    assert read().status == 0
    before = read.written
    (read.folder / "packed.gz").write_bytes(gzip.compress(HAPROXY))
    prefixed = b"".join(b"proxy-1  | " + line for line in HAPROXY.splitlines(True))
    done = read(logs=("packed.gz", "-", "proxy.log"), piped=prefixed)
    assert done.status == 0
    assert "app.env lists 3 operations, 0 of them new" in done.err
    assert read.written == before


def test_logs_are_united(read: Reading) -> None:
    """Several logs of one call, and of several calls, add to the same file."""
    (read.folder / "dockerd.log").write_bytes((LOGS / "dockerd-29.log").read_bytes())
    assert read(logs=("proxy.log", "dockerd.log")).status == 0
    assert read.granted == SEEN | {"NetworkInspect"}
    assert len(read.evidence.runs) == 2


def test_quiet_shows_the_table(read: Reading) -> None:
    """With --quiet the closing table is all that is said."""
    assert lines(read("--quiet"))[0].startswith("trioproxy: app.env lists")


def test_what_a_person_took_out_stays_out(read: Reading) -> None:
    """A log does not bring back what was declined; --restore does."""
    assert read().status == 0
    text = read.file.read_text().replace("ContainerInspect,", "")
    read.file.write_text(text)
    assert "declined, not granted" in read().err
    assert read.granted == SEEN - {"ContainerInspect"}
    assert read("--restore", "ContainerInspect").status == 0
    assert read.granted == SEEN


def test_a_ceiling_holds(read: Reading) -> None:
    """What --within refuses is not granted, whoever let it pass."""
    (read.folder / "most.env").write_text("ALLOW_OPERATIONS=SystemPingHead\n")
    assert read("--within", "most.env").status == 0
    assert read.granted == {"SystemPingHead"}


def test_what_a_log_does_not_prove(read: Reading) -> None:
    """The Engine's own log has no status: what it shows is told, and granted on demand."""
    log = str(LOGS / "dockerd.log")
    done = read(logs=(log,))
    assert done.status == 0
    assert read.granted == set()
    assert "in a log that does not say how they ended, not granted" in done.err
    assert read("--include-failed", logs=(log,)).status == 0
    assert {"ContainerAttach", "ContainerCreate"} < read.granted


def test_unknown_routes_of_a_log_are_named(read: Reading) -> None:
    """What the table has no route for is told as it is live, and not as a method in a section."""
    lists = next(one for one in HAPROXY.splitlines() if b"/containers/json" in one)
    piped = b"\n".join(
        lists.replace(b"/containers/json", path)
        for path in (b"/containers/json", b"/frob", b"/containers/web/frob", b"/frob")
    )
    told = "trioproxy: not granted: an unknown route, GET "
    assert [one for one in lines(read(logs=("-",), piped=piped)) if told in one] == [
        f"{told}/frob",
        f"{told}/containers/{{id}}/frob",
    ]
    assert read.granted == {"ContainerList"}


def test_what_requests_asked_for_is_not_in_a_log(read: Reading) -> None:
    """A log has no bodies: the end and the file say that a family is open."""
    created = HAPROXY.splitlines()[3].replace(b"GET", b"POST")
    created = created.replace(b"/containers/json", b"/containers/create")
    done = read(logs=("-",), piped=created + b"\n")
    assert read.granted == {"ContainerCreate"}
    open_family = "nothing is known of what ContainerCreate asked for"
    assert open_family in done.err
    assert "# not limited: what ContainerCreate may ask for" in read.file.read_text()
    assert "CREATE_BINDS=" not in read.file.read_text()
    done = read("--learn", "routes", logs=("-",), piped=created + b"\n")
    assert done.status == 0
    assert open_family not in done.err


def test_a_log_of_refusals(read: Reading) -> None:
    """wollomatic's usual log has refusals alone: nothing is granted, and a hint says why."""
    usual = [
        one
        for one in (LOGS / "wollomatic.log").read_bytes().splitlines(True)
        if b"DEBUG" not in one
    ]
    done = read(logs=("-",), piped=b"".join(usual))
    assert done.status == 0
    assert read.granted == set()
    assert "wollomatic logs what it lets pass at -loglevel debug only" in done.err
    assert (
        "refused, not granted: ContainerCreate, ContainerList, SystemInfo" in done.err
    )


def test_ready_after_days_of_a_log(read: Reading) -> None:
    """--until-quiet counts the time that a log covers."""
    line = HAPROXY.splitlines()[3]
    days = b"\n".join(line.replace(b"25/Nov", b"%d/Nov" % day) for day in range(20, 26))
    done = read("--until-quiet", "3d", logs=("-",), piped=days + b"\n")
    assert "ready: nothing new in 5 d 0 h (asked: 3 d 0 h)" in lines(done)
    said = " ".join(trioproxy("explain", str(read.file)).out.split())
    assert "watched for 5 d 0 h, last new in run 1, 2026-11-20 to 2026-11-25" in said
    assert "ready: nothing new in 5 d 0 h (last new on 2026-11-20)" in said
    later = line.replace(b"/json", b"/a/json").replace(b"25/Nov", b"28/Nov")
    assert read(logs=("-",), piped=line + b"\n" + later + b"\n").status == 0
    said = " ".join(trioproxy("explain", str(read.file)).out.split())
    assert "(last new on 2026-11-28) new on 2026-11-28: ContainerInspect" in said


# -- clients -------------------------------------------------------------------------------


def test_a_file_for_each_client(read: Reading) -> None:
    """{client} in the name makes a file for each, and each equals what --from writes."""
    done = read(file="app-{client}.env")
    assert done.status == 0, done.err
    clients = ["127.0.0.1", "127.0.0.11", "ip--1", "unix"]
    parts = read.written
    assert set(parts) == {
        f"app-{one}.{kind}" for one in clients for kind in ("env", "jsonl")
    }
    assert b'# Learned for "app-ip--1"; ' in parts["app-ip--1.env"]
    for client in ("127.0.0.1", "127.0.0.11"):
        assert read("--from", client).status == 0
        assert read.written["app.jsonl"] == parts[f"app-{client}.jsonl"]
        for name in ("app.env", "app.jsonl"):
            (read.folder / name).unlink()


def logged(clients: dict[str, str]) -> bytes:
    """A log of our own: who asked for what."""
    line = "2026-11-20T06:37:44.835Z notice request method=GET path=/{} status=200 by=engine ms=1.0 operation=X decision=allowed reason=operation client={}\n"
    return "".join(line.format(*one) for one in clients.items()).encode()


def test_no_client_has_a_file_elsewhere_or_with_another(read: Reading) -> None:
    """Whoever writes a log says how clients are called: none is the folder above, and no two have one file, or its evidence: a client was granted what another one had asked for."""
    there = {"info": "..@10.0.0.9:1", "version": ".a@10.0.0.7:1"}
    done = read(file="{client}/app.env", logs=("-",), piped=logged(there))
    assert done.status == 0, done.err
    found = {path.parent.name for path in read.folder.glob("**/*.env")}
    assert found == {"ip..", "ip.a"}
    for file, one, other in (
        ("app-{client}.env", "ps", "PS"),
        ("app-{client}", "a", "a.env"),  # both have their evidence in app-a.jsonl
    ):
        there = {"info": f"{one}@10.0.0.9:1", "version": f"{other}@10.0.0.7:1"}
        done = read(file=file, logs=("-",), piped=logged(there))
        assert done.status == 2
        assert "would have one file" in done.err


@pytest.mark.parametrize(
    "peer", ["unix:uid=1000", "[fe80::1%eth0]:5", "[::1]:5", "10.0.0.9:1"]
)
def test_a_client_has_the_file_that_it_has_where_it_is_learned_live(
    peer: str, read: Reading
) -> None:
    """What was learned of user 1000 from a log was in unix_uid_1000.env, and live in uid-1000.env: neither extended the other."""
    assert (
        read(file="{client}.env", logs=("-",), piped=logged({"info": peer})).status == 0
    )
    assert (read.folder / f"{client_name_of(peer)}.env").exists()


def test_who_has_a_policy_has_one_file_by_its_name(read: Reading) -> None:
    """In the log of a stack a container has an address after the other, and stands there by the name of its policy."""
    there = {"info": "ps@10.0.0.9:1", "version": "ps@10.0.0.7:1", "_ping": "10.0.0.7:2"}
    log = logged(there)
    assert read(file="app-{client}.env", logs=("-",), piped=log).status == 0
    found = {one for one in read.written if one.endswith(".env")}
    assert found == {"app-ps.env", "app-10.0.0.7.env"}
    assert (
        b"\nALLOW_OPERATIONS=SystemInfo,SystemVersion\n" in read.written["app-ps.env"]
    )


def test_one_client_of_many(read: Reading) -> None:
    """--from takes an address or a network; the others are counted."""
    done = read("--from", "127.0.0.8/29")
    assert done.status == 0
    assert read.granted == {"ContainerList"}
    assert "14 requests of other clients, not learned from" in done.err
    assert read.evidence.routes.popitem()[1].users.clients == {"127.0.0.11"}


def test_too_many_clients(read: Reading) -> None:
    """A log of everybody is not split into hundreds of files."""
    line = HAPROXY.splitlines()[3]
    many = b"\n".join(line.replace(b"127.0.0.11", b"10.0.0.%d" % n) for n in range(99))
    done = read(file="app-{client}.env", logs=("-",), piped=many)
    assert done.status == 2
    assert f"more than {CLIENTS_TOLD_APART} clients" in done.err
    assert read.written == {}


# -- what cannot be done -------------------------------------------------------------------

NOTHING = {
    "empty": (b"", "stdin is empty", "docker logs writes to stdout and stderr:"),
    "unknown": (
        b"\nhe\x1bllo\nx\n",
        r"the first is: he\x1bllo",
        "logs of these are read",
    ),
    "binary": (
        bytes(range(256)) * 999,
        "has no line in a form that is known",
        "logs of",
    ),
    "no-lines": (b"a" * 9_000_000, "has no line in a form that is known", "logs of"),
    "unreadable": (
        HAPROXY.splitlines(True)[6],
        "shows nothing to learn: 1 request not understood",
        "nothing was written",
    ),
}


@pytest.mark.slow
def test_what_is_packed_to_nothing(read: Reading) -> None:
    """Hundreds of millions of empty lines, packed, are over before a test would time out."""
    with gzip.open(read.log, "wb") as packed:
        for _ in range(300):
            packed.write(b"\n" * 1_000_000)
        packed.write(HAPROXY)
    done = read()
    assert done.status == 0
    assert read.granted == SEEN
    assert read.log.stat().st_size < 300_000


def test_a_log_where_evidence_would_be(read: Reading) -> None:
    """A log with the name of the file's evidence is not written over, nor taken for it."""
    log = read.folder / "app.jsonl"
    log.write_bytes((LOGS / "sockguard-audit.log").read_bytes())
    before = read.written
    for more in ((), ("--fresh",)):
        done = read(*more, logs=("app.jsonl",))
        assert done.status == 2
        assert "app.jsonl is the log, and where the evidence of app.env" in done.err
    done = read()
    assert "no evidence" in done.err
    assert lines(done)[1].startswith("hint: name another file: evidence is NAME.jsonl")
    assert read.written == before


@pytest.mark.parametrize(("piped", "message", "hint"), NOTHING.values(), ids=NOTHING)
def test_a_log_without_a_request(
    read: Reading, piped: bytes, message: str, hint: str
) -> None:
    """Where there is nothing to learn, two lines say why and what to do; no file is made."""
    done = read(logs=("-",), piped=piped)
    assert done.status == 2
    assert len(lines(done)) == 2
    assert message in lines(done)[0]
    assert lines(done)[1].startswith(f"hint: {hint}")
    assert read.written == {}


CALLS = {
    "command": (("--", "true"), "COMMAND has no place there"),
    "listen": (("--listen", "tcp://127.0.0.1:1"), "--listen has no place there"),
    "upstream": (("--upstream", "unix:///x"), "--upstream has no place there"),
    "capture": (("--capture",), "--capture has no place there"),
    "alone": (("--learn", "own"), "--learn own has no place there"),
    "missing": (("--from-log", "nosuch"), "cannot read nosuch: No such file"),
    "a-folder": (("--from-log", "."), "cannot read .: Is a directory"),
    "nobody": (("--from", "10.0.0.9"), "15 requests of other clients"),
    "no-client": (("--from", "x y"), "bad client"),
    "no-restore": (("--restore", "ImageList"), "not among what was declined"),
}


@pytest.mark.parametrize(("args", "message"), CALLS.values(), ids=CALLS)
def test_contradictions(read: Reading, args: tuple[str, ...], message: str) -> None:
    """What has no place beside a log, or is not there, is said before anything is written."""
    done = read(*args)
    assert done.status == 2
    assert message in lines(done)[0]
    assert lines(done)[-1].startswith("hint: ") or "cannot read" in message
    assert read.written == {}


def test_a_log_that_is_damaged(read: Reading) -> None:
    """What was packed and is cut off is not learned from by half."""
    (read.folder / "cut.gz").write_bytes(gzip.compress(HAPROXY)[:-20])
    done = read(logs=("proxy.log", "cut.gz"))
    assert done.status == 2
    assert "cut.gz is damaged" in done.err
    assert read.written == {}


def test_no_name_for_the_file(read: Reading) -> None:
    """Without -o there is nowhere to write to, and that is said."""
    done = run("--from-log", "proxy.log", folder=read.folder)
    assert done.status == 2
    assert "no output file" in done.err


def test_splitting_a_command(read: Reading) -> None:
    """{client} in the name is for clients that come by themselves, and a COMMAND is one."""
    done = run("-o", "app-{client}.env", "--", "true", folder=read.folder)
    assert done.status == 2
    assert (
        "{client} in the name of FILE is for clients that come by themselves"
        in done.err
    )


def test_a_ctrl_c_is_for_the_writer(read: Reading) -> None:
    """A Ctrl-C ends `docker logs -f` in front of us; what was read by then is written."""
    with reading_a_pipe(read) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert b"interrupted" in process.stderr.readline()
        process.stdin.close()
        err = process.stderr.read()
    assert process.returncode == 0, err
    assert read.granted == SEEN


def test_a_second_ctrl_c_gives_up(read: Reading) -> None:
    """A second Ctrl-C ends the reading, and nothing is written."""
    with reading_a_pipe(read) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert b"interrupted" in process.stderr.readline()
        wait_until_asleep(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == b"trioproxy: interrupted"
        process.stdin.close()
    assert process.returncode == 2
    assert read.written == {}


@contextmanager
def reading_a_pipe(read: Reading) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has read HAPROXY, and waits for more."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "trioproxy",
            "learn",
            "-o",
            "app.env",
            "--from-log",
            "-",
        ],
        env=environment({}) | {"PYTHONPATH": os.getcwd()},
        cwd=read.folder,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(HAPROXY)
        process.stdin.flush()
        wait_until_empty(process.stdin.fileno())
        wait_until_asleep(process.pid)
        yield process


def wait_until_asleep(pid: int) -> None:
    """Wait until a process waits: Python sees a signal that comes right before that afterwards."""
    deadline = time.monotonic() + PATIENCE
    while (
        state := Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    ) != "S":
        assert time.monotonic() < deadline, state
        os.sched_yield()


def wait_until_empty(pipe: int) -> None:
    """Wait until all that was written into a pipe has been read."""
    unread = array("i", [1])
    deadline = time.monotonic() + PATIENCE
    while unread[0] and time.monotonic() < deadline:
        fcntl.ioctl(pipe, termios.FIONREAD, unread)
        os.sched_yield()
    assert not unread[0]


def test_stdin_that_cannot_be_read(tmp_path: Path) -> None:
    """What is piped in and fails to be read is told of in a line: here there is nothing at the
    address 0."""
    for words in (
        ("learn", "-o", str(tmp_path / "app.env"), "--from-log", "-"),
        ("check", "learned:glances", "POST", "/containers/create", "--body", "-"),
    ):
        with open("/proc/self/mem", "rb") as broken:
            done = subprocess.run(
                [sys.executable, "-m", "trioproxy", *words],
                env=environment({}),
                stdin=broken,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        told = "trioproxy: cannot read stdin: Input/output error\n"
        assert (done.returncode, done.stderr) == (2, told)


def test_a_log_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is a link in a circle is refused in a line, and one that is named in a folder that is gone."""
    log = tmp_path / "loop.log"
    log.symlink_to(log)
    one = tmp_path / "app.env"
    done = called("learn", "-o", str(one), "--from-log", str(log))
    assert done.status == 2
    assert "loop.log is a symbolic link that leads in a circle\n" in done.err
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = called("learn", "-o", str(one), "--from-log", "a.log")
    assert done.status == 2
    assert done.err == "trioproxy: cannot read a.log: No such file or directory\n"
