"""`enforce --ask` and `approve --live`: a person at a terminal, and a program in its place."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unicodedata import east_asian_width

import pytest
import trio

from tests.commands.running import Running, environment, run, running
from tests.commands.screen import Screen, screen
from tests.fakes import Client, FakeEngine, answer_always, connect
from tests.markdown import ROOT
from tests.patience import PATIENCE
from tests.proxy.test_asking import Asker
from trioproxy.commands.answering import SETTLES, Answering, _clients, sight_of
from trioproxy.commands.ask import read_address
from trioproxy.config import UnixAddress, parse_listener
from trioproxy.errors import ConfigError
from trioproxy.evidence import evidencefile
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish
from trioproxy.limits.grant import Grant

FILE = """\
CREATE_BINDS=/srv/a
CREATE_IMAGES=busybox:latest
ALLOW_OPERATIONS=ContainerCreate,SystemPing
"""
PROMPT = r"\[q\]uit:$"


@dataclass(kw_only=True)
class Stage:
    """A proxy that asks, and a client of it."""

    folder: Path
    proxy: Running
    client: Client
    port: str

    @property
    def file(self) -> Path:
        return self.folder / "app.env"

    @property
    def asked_at(self) -> str:
        return f"unix://{self.folder}/ask.sock"

    async def create(self, **host: object) -> None:
        body = {"Image": "busybox", "HostConfig": host}
        kind = "Content-Type: application/json"
        target = "/v1.45/containers/create"
        await self.client.ask("POST", target, kind, body=json.dumps(body).encode())

    async def status(self) -> int:
        return (await self.client.read_response()).status

    async def approve(self, shown: Screen, *more: str) -> None:
        program = (sys.executable, "-m", "trioproxy", "approve")
        await shown.run(*program, str(self.file), "--live", self.asked_at, *more)
        await shown.until("nothing waits so far")


@asynccontextmanager
async def stage(folder: Path, **variables: str) -> AsyncIterator[Stage]:
    """Start a proxy in front of an Engine that answers everything."""
    fake = FakeEngine(path=folder / "engine.sock")
    fake.listen()
    (folder / "app.env").write_text(FILE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fake.serve, answer_always)
        async with running(
            *("enforce", str(folder / "app.env"), "--listen", "tcp://127.0.0.1:0"),
            *("--upstream", f"unix://{folder}/engine.sock"),
            *("--ask", f"unix://{folder}/ask.sock"),
            variables=variables,
        ) as proxy:
            url = await proxy.listen()
            client = await connect(url, [])
            port = url.rpartition(":")[2]
            yield Stage(folder=folder, proxy=proxy, client=client, port=port)
            client.close()
        nursery.cancel_scope.cancel()
    fake.die()


async def test_a_person_is_asked_in_a_terminal(tmp_path: Path) -> None:
    """In 80 columns: what is typed before a question is dropped; once, always and the word, and
    capitals for letters."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await shown.type("a", "Enter", "a")  # before there was anything to answer
        await one.create(Binds=["/srv/b:/b"])
        text = await shown.until(PROMPT)
        assert max(map(len, text.splitlines())) <= 80
        question = text[text.index("question 1") :]
        assert re.match(r"question 1, [23]\d s: ContainerCreate\n", question)
        assert question.replace(f"port {one.port}", "port 2375").splitlines()[1:] == [
            "  from 127.0.0.1 on port 2375, which app.env refuses",
            "  what it does: makes a container, privileged or with host mounts too",
            "  what the client says:",
            "  | POST /v1.45/containers/create",
            '  | body {"Image": "busybox", "HostConfig": {"Binds": ["/srv/b:/b"]}}',
            "  why it is refused:",
            "  | ContainerCreate asks for HostConfig.Binds[0]=/srv/b, which CREATE_BINDS",
            "  |   does not list",
            "  what app.env would have to list:",
            "  + CREATE_BINDS=/srv/b",
            "      no known way to root",
            "[o]nce, [h]our, [a]lways, [n]o, no for an hour [x], [q]uit:",
        ]
        await shown.type("O", "Enter")
        assert await one.status() == 200
        await one.client.ask(target="/volumes")
        await shown.until(rf"question 2[^$]*{PROMPT}")
        await shown.type("a", "Enter")
        assert await one.status() == 200
        await one.client.ask(target="/volumes")
        assert await one.status() == 200
        await one.create(Privileged=True)
        text = await shown.until(rf"question 3[^$]*{PROMPT}")
        assert "HOST-ROOT: is privileged" in text
        await shown.type("o", "Enter")
        await shown.until("type root to allow it")
        await shown.type("yes", "Enter")
        await shown.until(rf"root to allow it[^$]*{PROMPT}")
        await shown.type("n", "Enter")
        assert await one.status() == 403
        await shown.type("Q", "Enter")
        await shown.until("ready>$")
        assert "VolumeList" in one.file.read_text().splitlines()[-1]
        assert "/srv/b" not in one.file.read_text()


@pytest.mark.slow
async def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Who is asked about one has no question about the other, and writes the one that he named."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.env").write_text(FILE)
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    asked_at, second = f"unix://{tmp_path}/ask.sock", tmp_path / "b" / "app.env"
    words = [f"{tmp_path}/a/app.env", "--ask", asked_at, "--upstream", str(fake.path)]
    words += ["--listen", "tcp://127.0.0.1:0"]
    words += ["--listen", f"tcp://127.0.0.1:0?policy={second}"]
    async with running("enforce", *words) as proxy, screen(tmp_path, 80) as shown:
        urls = (await proxy.line(" start ")).partition("listen=")[2].split()[0]
        clients = [await connect(url, []) for url in urls.split(",")]
        program = (sys.executable, "-m", "trioproxy", "approve")
        await shown.run(*program, str(second), "--live", asked_at)
        await shown.until("asked about what b/app.env refuses; nothing waits so far")
        for client in clients:
            await client.ask(target="/volumes")
        assert (await clients[0].read_response()).status == 403
        await shown.until(rf"question 1[^$]*which b/app.env refuses[^$]*{PROMPT}")
        await shown.type("a", "Enter")
        await shown.until("ALLOW_OPERATIONS=ContainerCreate,SystemPing,VolumeList")
        for client in clients:
            client.close()
    assert (tmp_path / "a" / "app.env").read_text() == FILE
    assert second.read_text() != FILE
    fake.die()


WORD = r"type root to allow it[^$]*$"


@pytest.mark.parametrize("left_at", [PROMPT, WORD], ids=["letter", "word"])
async def test_a_prompt_comes_back_with_the_asker(tmp_path: Path, left_at: str) -> None:
    """Behind Ctrl-Z and fg it stands there again, for the letter or for the word; and the answer counts."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await one.create(Privileged=True)
        await shown.until(PROMPT)
        for prompt, answer in ((PROMPT, "o"), (WORD, "root")):
            await shown.until(prompt)
            if prompt == left_at:
                await shown.type("C-z")
                await shown.until("ready>$")
                await shown.type("fg", "Enter")
                await shown.until(rf"fg\nsh go\n[^$]*{prompt}")
            await shown.type(answer, "Enter")
        assert await one.status() == 200


async def test_always_of_an_item(tmp_path: Path) -> None:
    """What is written is what was shown, and holds for the next one without a question."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await one.create(Binds=["/srv/b:/b"])
        await shown.until(PROMPT)
        await shown.type("always", "Enter")
        assert await one.status() == 200
        await one.create(Binds=["/srv/b:/b"])
        assert await one.status() == 200
        assert "CREATE_BINDS=/srv/a,/srv/b\n" in one.file.read_text()


@pytest.mark.parametrize("operation", ["ContainerAttach", "ContainerExec", "ExecStart"])
def test_what_always_leaves_can_be_read(operation: str) -> None:
    """Of what an operation reached into, evidence is kept that reads back: the file goes on being learned."""
    evidence = Evidence()
    evidence.begin("2026-1", 100)
    for name in (operation, "CREATE_BINDS=/srv", "EXEC_COMMANDS=sh", "ONLY_VOLUMES=v"):
        sight = sight_of(Grant.named(name), operation)
        evidence.observe(sight, REFUSED, When(100))
    text = evidencefile.dump(evidence)
    again = evidencefile.load(text.encode(), name="app.jsonl").evidence
    assert evidencefile.dump(again) == text


@pytest.mark.slow
async def test_always_is_weighed_beside_the_file_as_it_is(tmp_path: Path) -> None:
    """A file that was widened by hand and not read again yet: what is root beside that is not
    written without the word; once the proxy has read it, the word is asked for."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await one.create(Binds=["/srv/y:/b"])
        await shown.until(PROMPT)
        edited = FILE.replace("/srv/a", "/srv/a,/srv/y/in")
        one.file.write_text(edited)
        await shown.type("always", "Enter")
        await shown.until(rf"anew: SIGHUP[^$]*{PROMPT}")
        assert one.file.read_text() == edited
        one.proxy.process.send_signal(signal.SIGHUP)
        await shown.until(rf"another one now[^$]*HOST-ROOT[^$]*{PROMPT}")
        await shown.type("always", "Enter")
        await shown.until("type root to allow it")
        await shown.type("root", "Enter")
        assert await one.status() == 200
        assert "/srv/a,/srv/y,/srv/y/in" in one.file.read_text()


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """That is said once, and then it is asked again."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await one.create(Binds=["/srv/b:/b"])
        await shown.until(PROMPT)
        one.file.unlink()
        one.file.mkdir()
        await shown.type("always", "Enter")
        text = await shown.until(rf"trioproxy: [^$]*question 2[^$]*{PROMPT}")
        assert text.count("trioproxy:") == 1
        assert "it is a folder" in " ".join(text.split())
        await shown.type("no", "Enter")
        assert await one.status() == 403


async def test_a_question_that_is_longer_than_the_screen_says_so(
    tmp_path: Path,
) -> None:
    """What scrolled away counts as well: no client pushes it out of sight."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        await one.create(Binds=["/srv/b:/b"])
        assert "scroll up" not in await shown.until(PROMPT)
        await shown.type("n", "Enter")
        assert await one.status() == 403
        await one.create(Binds=[f"/srv/{number}:/{number}" for number in range(15)])
        text = await shown.until(rf"question 2[^$]*{PROMPT}")
        assert "lines: scroll up, for each of them counts" in text.splitlines()[-2]
        await shown.type("n", "Enter")
        assert await one.status() == 403


@pytest.mark.slow
async def test_an_answer_is_for_the_question_that_was_read(tmp_path: Path) -> None:
    """A client that leaves as one is about to answer, and asks for more: that is not answered."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown)
        other = await connect(f"tcp://127.0.0.1:{one.port}")
        await one.client.ask(target="/volumes")
        await shown.until(PROMPT)
        one.client.close()
        await other.ask("POST", "/containers/prune")
        await shown.until("question 2")
        await trio.sleep(SETTLES)  # as long as whoever swaps them waits
        await shown.type("o", "Enter")
        await shown.until(rf"question 2[^$]*{PROMPT}")
        await shown.type("n", "Enter")
        assert (await other.read_response()).status == 403
        other.close()


def test_what_became_of_a_question_is_told_beside_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the question that went on, on a line of its own, and the prompt comes back."""
    file = tmp_path / "app.env"
    with socket.socket() as sock:
        asked = Answering(
            store=Store(file, Wish(name="app", file=str(file))), sock=sock
        )
        asked.numbers, asked.prompt = {"id": 1}, "[q]uit: "
        asked._receive(b'{"done":"id","passed":true}\n')
        asked._receive(b'{"done":"other","passed":false,"why":"over"}\n')
    assert capsys.readouterr().out == (
        "\n  question 1 went on\n[q]uit: "
        "\n  another question stays refused: over\n[q]uit: "
    )


def test_no_client_writes_a_line_of_ours() -> None:
    """A text that is broken goes on further in than any line begins, and letters of two columns
    are counted as two: the terminal itself would go on without a mark."""
    words = 'body {"Image": "harmless"}'
    wide = "\u5bbd" * 60 + "  no known way to root"
    for text in ("x" * 68 + f" {words}", "x " * 34 + words, wide):
        first, *more = _clients(f"agent {text}")
        assert first.startswith("  | agent")
        assert more
        assert all(line.startswith("  |   ") for line in more)
        for line in (first, *more):
            assert sum(1 + (east_asian_width(c) in "FW") for c in line) <= 80


async def test_a_ceiling_says_no(tmp_path: Path) -> None:
    """What it does not allow no person is asked about."""
    (tmp_path / "ceiling.env").write_text(FILE)
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        await one.approve(shown, "--within", "ceiling.env")
        await one.create(Binds=["/srv/b:/b"])
        assert await one.status() == 403
        await shown.until("does not allow CREATE_BINDS=/srv/b: no is said")


async def test_the_example_of_the_page(tmp_path: Path) -> None:
    """The program that the page names attaches, lets look once, and says no to all else."""
    program = ROOT / "examples" / "developer-agent" / "asker.py"
    async with stage(tmp_path) as one:
        asker = await trio.lowlevel.open_process(
            [sys.executable, str(program), str(tmp_path / "ask.sock")],
            env=environment({}),
        )
        await one.proxy.line(" asker ")
        for target, status in (("/info", 200), ("/volumes", 403), ("/info", 200)):
            await one.client.ask(target=target)
            assert await one.status() == status
        one.proxy.process.terminate()
        with trio.fail_after(PATIENCE):
            assert await asker.wait() == 0


ME = os.geteuid()
STARTS = [
    ("unix:///l?uids=4711", "unix:///a", True),
    (f"unix:///l?uids=4711,{ME}", "unix:///a", False),
    ("unix:///l", "unix:///a", False),
    ("unix:///l?mode=0666", "unix:///a?uid=4711", False),
    ("unix:///l?mode=0660&gid=5", "unix:///a?uid=4711", False),
    ("unix:///l?mode=0600", "unix:///a?uid=4711", True),
    ("unix:///l?mode=0600&uid=4711", "unix:///a?uid=4711", False),
    ("unix:///l?uids=4711", "unix:///a?uid=0", True),
    ("unix:///l?mode=0600&uid=4711", "unix:///a?uid=0", False),
    ("fd://l", "unix:///a", False),
    ("fd://l?allow=10.0.0.0/8", "unix:///a", True),
    ("tcp://127.0.0.1:2375", "unix:///a", True),
    ("tcp://127.0.0.1:2375", "unix:///a?mode=0660", False),
    ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:1", False),
    ("unix:///a?uids=4711", "unix:///a", False),
]


@pytest.mark.parametrize(("listen", "ask", "starts"), STARTS)
def test_a_client_may_not_answer_itself(listen: str, ask: str, starts: bool) -> None:
    """Where a Unix listener may admit who is asked, nothing starts."""
    try:
        read_address(ask, [parse_listener(listen)])
    except ConfigError:
        assert not starts
    else:
        assert starts


@pytest.mark.parametrize("ask", ["tcp://x", "tcp://127.0.0.1:1", "/a", "ssh://x"])
def test_what_is_no_unix_socket_is_told_at_once(ask: str) -> None:
    """Nobody is told to add a port, or a scheme, that is refused then."""
    with pytest.raises(ConfigError, match="is no Unix socket") as caught:
        read_address(ask, [])
    assert caught.value.hint == "write unix:///path/ask.sock"


def test_the_listener_that_is_advised_lets_its_user_in() -> None:
    """With what the hint says behind it, it starts, and that user reaches the socket."""
    with pytest.raises(ConfigError) as caught:
        read_address("unix:///a", [parse_listener("unix:///l?mode=0666")])
    (advised,) = re.findall(r"\?\S*NUMBER(?=;)", caught.value.hint)
    listener = parse_listener(f"unix:///l{advised.replace('NUMBER', '4711')}")
    assert read_address("unix:///a", [listener]).path == "/a"
    assert isinstance(listener, UnixAddress)
    assert listener.mode & 0o002
    assert listener.entry.admits("unix:uid=4711")


STOPS = [
    (FILE, ("--shadow",), {}, "--shadow refuses nothing"),
    ("CONTAINERS=1\n", (), {}, "no policy here is one"),
    (FILE, (), {"ASK_SECONDS": "31"}, "bad ASK_SECONDS"),
    (f"CREATE_BINDS={{}}:ro\n{FILE[20:]}", (), {}, "at which somebody is asked"),
]


@pytest.mark.parametrize(("text", "more", "variables", "said"), STOPS)
def test_what_cannot_be_asked_does_not_start(
    text: str,
    more: tuple[str, ...],
    variables: dict[str, str],
    said: str,
    tmp_path: Path,
) -> None:
    """A shadow, a file of sections, another time, a socket that clients may bind."""
    (tmp_path / "app.env").write_text(text.replace("{}", str(tmp_path / "run")))
    done = run(
        *("enforce", str(tmp_path / "app.env"), "--listen", "tcp://127.0.0.1:0"),
        *("--upstream", "tcp://127.0.0.1:1", "--ask", f"unix://{tmp_path}/run/a"),
        *more,
        variables=variables or {"TZ": "UTC"},
    )
    assert (done.status, said in done.err) == (2, True), done.err


def test_nobody_asks(tmp_path: Path) -> None:
    """Without a terminal, without a proxy, or with words for another use of it: one clear line."""
    file = tmp_path / "app.env"
    file.write_text(FILE)
    for more, said in (
        (("--live", "unix:///x"), "this is no terminal"),
        ((), "give LIVE.jsonl, or --live URL"),
        (("--live", "unix:///x", "--json"), "have no place"),
    ):
        done = run("approve", str(file), *more)
        assert (done.status, said in done.err) == (2, True), done.err


async def test_an_hour_outlives_a_reload_that_does_not_touch_it(tmp_path: Path) -> None:
    """What is added elsewhere leaves it; it is gone where its list loses something, or has it."""
    async with stage(tmp_path) as one:
        proxy, text = one.proxy.process, FILE
        async with await trio.open_unix_socket(str(tmp_path / "ask.sock")) as stream:
            person = Asker(stream)
            await person.send(asker=1)
            await person.until("attached")
            await one.create(Binds=["/srv/b:/b"])
            await person.say("hour")
            assert await one.status() == 200
            text = text.replace("SystemPing", "SystemInfo,SystemPing")
            one.file.write_text(text)
            proxy.send_signal(signal.SIGHUP)
            await one.proxy.line(" reload ")
            await one.create(Binds=["/srv/b:/b"])
            assert await one.status() == 200
            one.file.write_text(text.replace("/srv/a", "/srv/c"))
            proxy.send_signal(signal.SIGHUP)
            assert "CREATE_BINDS=/srv/b" in await one.proxy.line(" hour-over ")
            await one.proxy.line(" reload ")
            await one.create(Binds=["/srv/b:/b"])
            await person.say("no")
            assert await one.status() == 403


async def test_an_hour_that_would_be_root_beside_a_new_file_is_over(
    tmp_path: Path,
) -> None:
    """A file that is widened by hand is weighed with what is allowed for an hour."""
    async with stage(tmp_path) as one:
        async with await trio.open_unix_socket(str(tmp_path / "ask.sock")) as stream:
            person = Asker(stream)
            await person.send(asker=1)
            await person.until("attached")
            await one.create(Binds=["/srv/y:/b"])
            assert (await person.say("hour"))["root"] == ""
            assert await one.status() == 200
            one.file.write_text(FILE.replace("/srv/a", "/srv/a,/srv/y/in"))
            one.proxy.process.send_signal(signal.SIGHUP)
            await one.proxy.line(" hour-over ")


async def test_a_terminal_that_is_gone_ends_it(tmp_path: Path) -> None:
    """Also where its hang-up is ignored, as under nohup: with no word, for nobody reads any."""
    async with stage(tmp_path) as one:
        ours, theirs = pty.openpty()
        command = f"exec {sys.executable} -m trioproxy approve {one.file} --live {one.asked_at}"
        process = await trio.lowlevel.open_process(
            ("setsid", "-c", "sh", "-c", f"trap '' HUP; {command}"),
            env=environment({}),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        assert process.stderr is not None
        async with process.stderr:
            await one.proxy.line(" asker ")
            os.close(ours)
            with trio.fail_after(PATIENCE):
                assert [part async for part in process.stderr] == []
                assert await process.wait() == 0


@pytest.mark.skipif(ME != 0, reason="only root can give a file to somebody else")
async def test_a_socket_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    """A proxy gives its socket to whom it asks: who put another one in its place, in a folder that
    all may write, is told from it."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        os.chown(tmp_path / "ask.sock", 4711, -1)
        program = (sys.executable, "-m", "trioproxy", "approve")
        await shown.run(*program, str(one.file), "--live", one.asked_at)
        await shown.until(r"is\s+of\s+uid\s+4711")


def test_a_proxy_that_left_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proxy that is gone before it was told which file this is about has left, and is said to."""
    sock, proxys = socket.socketpair()
    proxys.close()
    store = Store(tmp_path / "app.env", Wish(name="app", file="app.env"))
    before = signal.getsignal(signal.SIGCONT)
    try:
        assert Answering(store=store, sock=sock).run() == 1
    finally:
        signal.signal(signal.SIGCONT, before)
    assert capsys.readouterr().err == "\nthe proxy has left\n"


async def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    """Nobody at the socket, and a proxy that has no such file: said at once."""
    async with stage(tmp_path) as one, screen(tmp_path, 80) as shown:
        (tmp_path / "other.env").write_text(FILE)
        program = (sys.executable, "-m", "trioproxy", "approve")
        for file, url, said in (
            ("other.env", one.asked_at, "it has app.env"),
            ("app.env", f"unix://{tmp_path}/none.sock", "nobody asks at"),
        ):
            await shown.run(*program, str(tmp_path / file), "--live", url)
            await shown.until(said)
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(str(tmp_path / "ask.sock"))
            assert os.stat(tmp_path / "ask.sock").st_mode & 0o777 == 0o600
