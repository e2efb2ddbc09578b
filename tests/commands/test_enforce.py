"""`trioproxy enforce` as people run it: a process with options, signals and a log."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import trioproxy
from tests.commands.running import Finished, Running, called, environment, run, running
from tests.fakes import FakeEngine, connect, request
from tests.loopback import own_loopback
from tests.patience import PATIENCE
from trioproxy import __version__
from trioproxy.evidence.evidencefile import load

ANY_PORT = "tcp://127.0.0.1:0"


async def status_of(address: str, target: str, method: str = "GET") -> int:
    """Ask for a target on a connection of its own."""
    client = await connect(address)
    await client.ask(method, target)
    status = (await client.read_response(method)).status
    client.close()
    return status


async def test_environment_is_the_policy(fake: FakeEngine) -> None:
    """Without a file the variables of the process decide, as in the incumbents."""
    variables = {"CONTAINERS": "1", "SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
    async with running("enforce", variables=variables) as proxy:
        address = await proxy.listen()
        assert await status_of(address, "/containers/json") == 200
        assert await status_of(address, "/images/json") == 403
        assert "decision=refused" in await proxy.line("path=/images/json")


async def test_start_line_says_mode_and_extent(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """The start says where it listens, what holds, and how much that opens."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList,ImageList\n")
    options = ("--listen", ANY_PORT, "--upstream", f"unix://{fake.path}")
    async with running("enforce", "--env-file", str(file), *options) as proxy:
        line = await proxy.line(" start ")
    assert f"upstream=unix://{fake.path}" in line
    assert f"mode=exact operations=2 source={file}" in line


async def test_file_as_the_other_commands_take_it(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """`enforce FILE` is `enforce --env-file FILE`, and both at once are one too many."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--listen", ANY_PORT, "--upstream", f"unix://{fake.path}")
    async with running("enforce", str(file), *options) as proxy:
        assert f"source={file}" in await proxy.line(" start ")
    done = run("enforce", str(file), "--env-file", str(file))
    assert (done.status, done.err.splitlines()[0]) == (
        2,
        f"trioproxy: got unexpected extra argument ({file})",
    )


async def test_podman_variables_start(fake: FakeEngine) -> None:
    """linuxserver's variables for Podman start without a word, and open what they name."""
    variables = {"SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
    defaults = {"LIBPOD_PING": "1", "LIBPOD_VERSION": "1", "TZ": "Etc/UTC"}
    async with running("enforce", variables=variables | defaults) as proxy:
        address = await proxy.listen()
        assert " warning warning " not in proxy.text
        assert await status_of(address, "/libpod/pods/json") == 403
    ones = {"LIBPOD_PODS": "1"}
    async with running("enforce", variables=variables | defaults | ones) as proxy:
        address = await proxy.listen()
        assert " warning warning " not in proxy.text
        assert await status_of(address, "/v5.4.2/libpod/pods/json") == 200
        assert await status_of(address, "/v5.4.2/libpod/containers/json") == 403


async def test_file_alone_is_the_policy(fake: FakeEngine, tmp_path: Path) -> None:
    """With a file, permissions in the environment are ignored, and that is said."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path))
    variables = {"ENV_FILE": str(file), "IMAGES": "1"}
    async with running("enforce", *options, variables=variables) as proxy:
        assert "IMAGES in the environment is ignored" in await proxy.line("warning")
        assert await status_of(await proxy.listen(), "/images/json") == 403


async def test_exposure_is_said_loudly(fake: FakeEngine) -> None:
    """A listener that other machines can reach is a warning of its own."""
    options = ("--listen", "tcp://0.0.0.0:0", "--upstream", str(fake.path))
    async with running("enforce", *options) as proxy:
        assert "reachable from other machines" in await proxy.line("exposed")


async def test_hangup_reads_the_file_again(fake: FakeEngine, tmp_path: Path) -> None:
    """SIGHUP takes the new file; a bad one is logged and the old policy stays."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--env-file", str(file), "--listen", ANY_PORT)
    async with running("enforce", *options, "--upstream", str(fake.path)) as proxy:
        address = await proxy.listen()
        file.write_text("ALLOW_OPERATIONS=ImageList\n")
        proxy.process.send_signal(signal.SIGHUP)
        await proxy.line(" reload ")
        assert await status_of(address, "/images/json") == 200
        file.write_text("ALLOW_OPERATIONS=NoSuchThing\n")
        proxy.process.send_signal(signal.SIGHUP)
        assert "NoSuchThing" in await proxy.line("reload-failed")
        assert await status_of(address, "/images/json") == 200


async def test_a_reload_names_what_changed(fake: FakeEngine, tmp_path: Path) -> None:
    """The line has what the new policy grants more and less, lists of objects too, and a hash that differs with it."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList,GET:/frob\n")
    options = (str(file), "--listen", ANY_PORT, "--upstream", str(fake.path))
    async with running("enforce", *options) as proxy:
        first = hash_in(await proxy.line(" start "))
        file.write_text("ALLOW_OPERATIONS=ContainerList,ImageList\n")
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line(" reload ")
        assert " added=ImageList removed=GET:/frob" in line
        assert hash_in(line) != first
        file.write_text("# the same\nALLOW_OPERATIONS=GET:/frob,ContainerList\n")
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line(" reload ")
        assert " added=GET:/frob removed=ImageList" in line
        assert hash_in(line) == first
        only = "ONLY_CONTAINERS=web\nONLY_NETWORKS=*\nONLY_VOLUMES=*\nREDACT=env\n"
        file.write_text(f"{only}ALLOW_OPERATIONS=ContainerList\n")
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line(" reload ")
        names = ",".join(only.split())
        assert f' added="{names}" removed=GET:/frob' in line
        file.write_text(f"{only.replace('web', 'db')}ALLOW_OPERATIONS=ContainerList\n")
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line(" reload ")
        assert ' added="ONLY_CONTAINERS=db" removed="ONLY_CONTAINERS=web" ' in line


def enforce(file: Path, fake: FakeEngine, *options: str) -> tuple[str, ...]:
    """Words to enforce a file in front of the Engine of the tests."""
    listen = ("--listen", ANY_PORT, "--upstream", str(fake.path))
    return ("enforce", str(file), *listen, *options)


async def reloaded(proxy: Running, word: str = " reload ") -> str:
    """Have the file read again; the line of the log that tells of it."""
    proxy.process.send_signal(signal.SIGHUP)
    return await proxy.line(word)


async def test_a_reload_opens_nothing_without_a_word(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """What a line limited stays limited when the line is gone, until `=*` is written, as
    the hint says; health says meanwhile that a newer file was refused, and fails not."""
    file = tmp_path / "app.env"
    grant = "ALLOW_OPERATIONS=ContainerCreate\n"
    file.write_text(f"CREATE_BINDS=/srv\n{grant}")
    async with running(*enforce(file, fake)) as proxy:
        start = await proxy.line(" start ")
        file.write_text(grant)
        line = await reloaded(proxy, " reload-failed ")
        assert "CREATE_*: no line of " in line
        assert "if it is meant to be open, write CREATE_BINDS=*" in line
        address = start.partition("listen=")[2].split()[0]
        told = await trio.to_thread.run_sync(run, "health", "--json", address)
        words = json.loads(told.out)
        assert (told.status, words["policy"], words["stale"]) == (
            0,
            hash_in(start),
            True,
        )
        file.write_text(f"CREATE_BINDS=*\n{grant}")
        assert " warning reload " in await reloaded(proxy)


async def test_health_fails_where_a_newer_file_was_refused(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """With --fail-stale it is 1 while an older policy counts than the one that was to be
    read, and says so in any case; a file that is in order again makes it 0."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")

    async def health(address: str) -> Finished:
        return await trio.to_thread.run_sync(run, "health", "--fail-stale", address)

    async with running(*enforce(file, fake)) as proxy:
        start = await proxy.line(" start ")
        first, address = hash_in(start), start.partition("listen=")[2].split()[0]
        assert (await health(address)).status == 0
        file.write_text("ALLOW_OPERATIONS=ContainerList,Ima")
        assert "does not end in a line end" in await reloaded(proxy, " reload-failed ")
        told = await health(address)
        assert (
            told.status,
            f"policy {first}, and a newer policy was refused" in told.out,
        ) == (1, True)
        file.write_text("ALLOW_OPERATIONS=ImageList\n")
        second = hash_in(await reloaded(proxy))
        told = await health(address)
        assert (told.status, told.out.endswith(f"policy {second}\n")) == (0, True)


async def test_a_reload_says_in_words_that_it_grants_more(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """More operations, values or objects are a warning that names them; fewer, and other
    words for the same, are a notice."""
    file = tmp_path / "app.env"
    only = "ONLY_CONTAINERS=a*\nONLY_OWNER=x\n"
    create = "CREATE_BINDS=/srv/*\n"
    grant = "ALLOW_OPERATIONS=ContainerCreate,ContainerStart\n"
    file.write_text(f"{create}{only}{grant}")
    async with running(*enforce(file, fake)) as proxy:
        await proxy.listen()
        for text, said in (
            (f"CREATE_BINDS=/srv/a,/srv/b*\n{only}{grant}", ""),
            (f"{create}{only}{grant}", "CREATE_BINDS=/srv/*"),
            (
                f"{create}ONLY_CONTAINERS=ab,b\nONLY_OWNER=x\n{grant}",
                "ONLY_CONTAINERS=b",
            ),
            (
                f"{create}CREATE_CAPS=NET_ADMIN\n{only}ALLOW_OPERATIONS=ContainerCreate,ContainerList\n",
                "ContainerList, CREATE_CAPS=NET_ADMIN, ONLY_CONTAINERS=a*",
            ),
        ):
            file.write_text(text)
            line = await reloaded(proxy)
            assert (" warning reload " in line) is bool(said), line
            assert (f'text="grants more than before: {said}"' in line) is bool(said), (
                line
            )


async def test_others_are_served_while_a_long_list_is_read(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A thousand listed folders take seconds to be read and compared: whoever asks
    meanwhile is answered before that is over."""
    file = tmp_path / "app.env"
    grant = "ALLOW_OPERATIONS=ContainerCreate,ContainerList\n"
    file.write_text(f"CREATE_BINDS=\n{grant}")
    async with running(*enforce(file, fake)) as proxy:
        address = await proxy.listen()
        folders = ",".join(f"/srv/one-{number}/d*" for number in range(1_000))
        file.write_text(f"CREATE_BINDS={folders}\n{grant}")
        proxy.process.send_signal(signal.SIGHUP)
        for _ in range(10):
            assert await status_of(address, "/containers/json") == 200
        for _ in range(10):
            await proxy.line(" path=/containers/json ")
        # Lines are read in their order: behind those of the requests.
        assert " warning reload " in await proxy.line(" reload ")


def no_file(path: Path, kind: str) -> None:
    """Put something in the place of a file that is none."""
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
async def test_what_is_no_file_is_no_policy(
    fake: FakeEngine, tmp_path: Path, kind: str
) -> None:
    """A pipe, a folder or a socket is told, at the start, at SIGHUP and while it is
    watched; nobody waits for it, and the old policy stays."""
    file, other = tmp_path / "app.env", tmp_path / "other.env"
    no_file(other, kind)
    refused = await trio.to_thread.run_sync(run, *enforce(other, fake))
    assert (refused.status, f"it is a {kind}" in refused.err) == (2, True)
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    async with running(*enforce(file, fake, "--watch")) as proxy:
        address = await proxy.listen()
        no_file(file, kind)
        assert f"it is a {kind}" in await proxy.line(" reload-failed ")
        assert f"it is a {kind}" in await reloaded(proxy, " reload-failed ")
        assert await status_of(address, "/containers/json") == 200
        assert await status_of(address, "/images/json") == 403


def test_what_a_command_writes_is_no_policy(tmp_path: Path) -> None:
    """`<(COMMAND)` of a shell is a pipe, and it is told what to do instead."""
    script = 'exec "$0" -m trioproxy enforce <(echo ALLOW_OPERATIONS=)'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert "it is a pipe\nhint: write it to a file" in done.stderr


async def test_a_reload_warns_as_the_start_does(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """What of a new file goes around its lists is said when it comes to count."""
    file = tmp_path / "app.env"
    granted = "ALLOW_OPERATIONS=ContainerList,ImageBuild\n"
    file.write_text(f"ONLY_NETWORKS=web\nONLY_OWNER=app\n{granted}")
    options = (str(file), "--listen", ANY_PORT, "--upstream", str(fake.path))
    warning = " warning text=.*a build goes around "
    async with running("enforce", *options) as proxy:
        line = await proxy.line("goes around")
        assert re.search(f"{warning}ONLY_NETWORKS", line)
        await proxy.line(" start ")
        file.write_text(
            f"PULL_IMAGES=app:1\nONLY_NETWORKS=web\nONLY_OWNER=app\n{granted}"
        )
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line("goes around")
        assert re.search(f"{warning}PULL_IMAGES and ONLY_NETWORKS", line)


async def test_a_reload_looks_at_what_is_ours(fake: FakeEngine, tmp_path: Path) -> None:
    """A file that lets clients write itself, by a link as well, does not come to count: the old one stays."""
    policies, link = tmp_path / "policies", tmp_path / "link"
    policies.mkdir()
    link.symlink_to(policies)
    file = policies / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    async with running(*enforce(file, fake)) as proxy:
        address = await proxy.listen()
        for folder in (policies, link):
            file.write_text(
                f"CREATE_BINDS={folder}\nALLOW_OPERATIONS=ContainerCreate,ImageList\n"
            )
            line = await reloaded(proxy, " reload-failed ")
            assert "lies in a folder that CREATE_BINDS lets clients write" in line
            assert await status_of(address, "/containers/json") == 200
            assert await status_of(address, "/images/json") == 403
        file.write_text(
            f"CREATE_BINDS={link}:ro\nALLOW_OPERATIONS=ContainerCreate,ImageList\n"
        )
        await reloaded(proxy)
        assert await status_of(address, "/images/json") == 200


def hash_in(line: str) -> str:
    (found,) = re.findall(r" hash=([0-9a-f]{8})\b", line)
    return str(found)


@pytest.mark.slow
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "in place"])
async def test_a_watched_file_counts_when_it_changes(
    fake: FakeEngine, tmp_path: Path, replaced: bool
) -> None:
    """As editors write and as mounts keep it; a bad or missing file leaves the old policy."""
    file = tmp_path / "app.env"

    def write(text: str) -> None:
        if replaced:
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").rename(file)
        else:
            file.write_text(text)

    write("ALLOW_OPERATIONS=ContainerList\n")
    options = (str(file), "--watch", "--listen", ANY_PORT, "--upstream", str(fake.path))
    async with running("enforce", *options) as proxy:
        address = await proxy.listen()
        write("ALLOW_OPERATIONS=ImageList\n")
        await proxy.line(" reload ")
        assert await status_of(address, "/images/json") == 200
        assert await status_of(address, "/containers/json") == 403
        write("ALLOW_OPERATIONS=NoSuchThing\n")
        assert "NoSuchThing" in await proxy.line("reload-failed")
        file.unlink()
        assert "cannot read" in await proxy.line("reload-failed")
        assert await status_of(address, "/images/json") == 200
        write("ALLOW_OPERATIONS=ContainerList\n")
        await proxy.line(" reload ")
        assert await status_of(address, "/containers/json") == 200


def test_an_empty_file_is_no_file() -> None:
    """Of a variable that is not set comes an empty argument, and nobody serves by the environment
    then, nor is told that a folder is no file."""
    for told, arguments in (
        ("FILE", ("enforce", "", "--print-config")),
        ("FILE", ("enforce", "--env-file", "", "--print-config")),
        ("FILE", ("explain", "")),
        ("FILES", ("merge", "-o", "all.env", "a.env", "")),
        ("NEW", ("diff", "learned:glances", "")),
        ("METHOD", ("check", "learned:glances", "", "/info")),
        ("EVIDENCE", ("approve", "a.env", "")),
    ):
        done = run(*arguments)
        assert (done.status, f"{told} is empty: leave it out" in done.err) == (2, True)


def test_watching_needs_a_file() -> None:
    """The environment of a process never changes: to watch it is a mistake."""
    done = run("enforce", "--watch", "--listen", ANY_PORT)
    assert (done.status, "--watch needs FILE" in done.err) == (2, True)


async def test_it_goes_on_as_the_one_that_was_started(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Whatever becomes of the program on disk, all that judges and records is loaded when it accepts, also for reloads."""
    copy = tmp_path / "site" / "trioproxy"
    shutil.copytree(Path(trioproxy.__file__).parent, copy)
    file = tmp_path / "app.env"
    file.write_text("CREATE_BINDS=/srv/app\nONLY_CONTAINERS=@own\nONLY_OWNER=x\nALLOW_OPERATIONS=ContainerCreate\n")  # fmt: skip
    record = tmp_path / "live.jsonl"
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path), "--record", str(record))  # fmt: skip
    variables = {"PYTHONPATH": str(copy.parent), "PYTHONSAFEPATH": "1"}
    async with running("enforce", str(file), *options, variables=variables) as proxy:
        address = await proxy.listen()
        shutil.rmtree(copy)
        for source, wanted in (("/etc", 403), ("/srv/app", 200)):
            body = json.dumps({"HostConfig": {"Binds": [f"{source}:/x"]}}).encode()
            client = await connect(address)
            kind = "Content-Type: application/json"
            await client.send(request("POST", "/containers/create", kind, body=body))
            answer = await client.read_response("POST")
            assert answer.status == wanted, answer
            assert wanted == 200 or b"CREATE_BINDS" in answer.body
            client.close()
        with file.open("a") as more:
            more.write("CREATE_IMAGES=app:*\nREDACT=env\n")
        proxy.process.send_signal(signal.SIGHUP)
        assert "added=" in await proxy.line(" reload")
    assert '"/etc"' in record.read_text()


async def test_sigterm_ends_in_order(fake: FakeEngine, tmp_path: Path) -> None:
    """SIGTERM ends with status 0 and takes the Unix socket away."""
    path = tmp_path / "proxy.sock"
    options = ("--listen", f"unix://{path}", "--upstream", str(fake.path))
    async with running("enforce", *options) as proxy:
        await proxy.listen()
        assert path.is_socket()
        proxy.process.terminate()
        await proxy.line(" stop")
        assert await proxy.end() == 0
    assert not path.exists()


@pytest.mark.slow
async def test_a_successor_listens_while_the_old_one_ends(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Beside a client with half a head a restart finds its place free, at once."""
    with socket.socket() as probe:
        probe.bind((own_loopback(), 0))
        place = "tcp://{}:{}".format(*probe.getsockname())
    listen = ("--listen", place, "--listen", f"unix://{tmp_path}/p.sock")
    options = ("enforce", *listen, "--upstream", str(fake.path))
    async with running(*options, variables={"EVENTS": "1"}) as old:
        address = await old.listen()
        halved = await connect(address)
        await halved.send(b"GET /_ping HTTP/1.1\r\nHost: d")
        old.process.send_signal(signal.SIGTERM)
        await old.line(" draining ")
        async with running(*options, variables={"EVENTS": "1"}) as new:
            assert await new.listen() == address
            assert await status_of(address, "/_ping") == 200
            assert await status_of(f"unix://{tmp_path}/p.sock", "/_ping") == 200
            assert await old.end() == 0
            assert await status_of(f"unix://{tmp_path}/p.sock", "/_ping") == 200
        halved.close()


@pytest.mark.parametrize(
    "sent",
    [signal.SIGHUP, signal.SIGTERM, signal.SIGINT],
    ids=["hang-up", "terminate", "interrupt"],
)
async def test_a_signal_at_the_end_changes_nothing(
    sent: signal.Signals, fake: FakeEngine, tmp_path: Path
) -> None:
    """Who is told to read again while it ends, as by logrotate, or to end once more, ends as it would: it was killed by that signal, before the last lines of its log."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    async with running(*enforce(file, fake), "--shadow") as proxy:
        await proxy.line(" start ")
        proxy.process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            while proxy.process.poll() is None:
                proxy.process.send_signal(sent)
                await trio.sleep(0.001)
        assert proxy.process.returncode == 0
        await proxy.line(" shadow-summary ")
        await proxy.line(" stop")


async def test_sigterm_lets_a_finite_request_finish(tmp_path: Path) -> None:
    """A request under way at SIGTERM is answered; a second SIGTERM ends at once."""
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path))
    for again in (False, True):
        async with running("enforce", *options) as proxy:
            address = await proxy.listen()
            (await fake.accept()).close()  # the look at the Engine before the start
            versions = await fake.accept()
            assert "/version" in (await versions.read_request()).line.decode()
            versions.close()
            client = await connect(address)
            await client.ask("GET", "/version")
            engine = await fake.accept()
            await engine.read_request()
            proxy.process.terminate()
            await proxy.line(" draining")
            if again:
                proxy.process.terminate()
            else:
                await engine.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                assert (await client.read_response()).status == 200
            assert await proxy.end() == 0
            client.close()
    fake.die()


def privileges_of(pid: int) -> list[dict[str, int]]:
    """What the kernel says of each thread of a process."""
    names = ("NoNewPrivs", "CapEff", "CapPrm", "CapInh")
    fields = [
        dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return [{name: int(one[name], 16) for name in names} for one in fields]


async def test_a_serving_proxy_has_no_privileges(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Once bound it has no capability and gets none, in any thread; it goes on to serve."""
    file, record = tmp_path / "app.env", tmp_path / "live.jsonl"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    listen = f"unix://{tmp_path}/l.sock?mode=0600"
    options = ("--listen", ANY_PORT, "--listen", listen, "--upstream", str(fake.path))
    more = ("--env-file", str(file), "--record", str(record))
    async with running("enforce", *options, *more) as proxy:
        line = await proxy.line(" start ")
        address = line.partition("listen=")[2].partition(",")[0]
        assert await status_of(address, "/containers/json") == 200
        await proxy.line("recorded")  # by a thread
        for privileges in privileges_of(proxy.process.pid):
            assert privileges == {
                "NoNewPrivs": 1,
                "CapEff": 0,
                "CapPrm": 0,
                "CapInh": 0,
            }
        file.write_text("ALLOW_OPERATIONS=\n")
        proxy.process.send_signal(signal.SIGHUP)
        await proxy.line(" reload ")
        assert await status_of(address, "/containers/json") == 403
        proxy.process.terminate()
        assert await proxy.end() == 0
    assert not (tmp_path / "l.sock").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
async def test_shadow_for_everybody_is_as_loud_as_learning(
    fake: FakeEngine, host: str
) -> None:
    """Tried out where other machines can reach it, the policy is a DANGER at any level."""
    options = ("--listen", f"tcp://{host}:0", "--upstream", str(fake.path), "--shadow")
    variables = {"LOG_LEVEL": "emerg"}
    async with running("enforce", *options, variables=variables) as proxy:
        line = await proxy.line("exposed")
        assert "DANGER: whoever can reach tcp://" in line
        assert "is root on this host now" in line


async def test_shadow_serves_and_says_what_it_would_refuse(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A policy that is tried out refuses nothing; its log and last lines say what it would."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path), "--shadow")
    async with running("enforce", "--env-file", str(file), *options) as proxy:
        line = await proxy.line(" start ")
        assert "mode=shadow operations=1" in line
        address = line.partition("listen=")[2].split()[0]
        assert await status_of(address, "/containers/json") == 200
        assert await status_of(address, "/images/json") == 200
        assert "decision=allowed" in await proxy.line("path=/containers/json")
        assert "decision=would-refuse" in await proxy.line("path=/images/json")
        proxy.process.terminate()
        assert "ImageList (GET /images/json) is not" in await proxy.line("count=1")
        assert "allowed=1 would_refuse=1" in await proxy.line("shadow-summary")
        assert await proxy.end() == 0


async def test_recording_keeps_evidence_while_enforcing(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """What passed and what was refused is in a file when the proxy has ended."""
    live = tmp_path / "live.jsonl"
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path))
    variables = {"CONTAINERS": "1"}
    for _ in range(2):
        async with running(
            "enforce", *options, "--record", str(live), variables=variables
        ) as proxy:
            address = await proxy.listen()
            assert await status_of(address, "/containers/json") == 200
            assert await status_of(address, "/images/json") == 403
            proxy.process.terminate()
            assert await proxy.end() == 0
    evidence = load(live.read_bytes(), name="live").evidence
    assert evidence.used_operations() == {"ContainerList"}
    (refused,) = evidence.ended("refused")
    assert (refused.operation, evidence.facts[refused].count()) == ("ImageList", 2)


async def test_what_a_refusal_advises_is_pasted_in_any_folder(
    fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the files were named at the start, in names that a shell would split: the command of the answer, as it is, allows what was refused."""
    folder, elsewhere = tmp_path / "my files", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    file = folder / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    monkeypatch.chdir(folder)
    args = ["--listen", ANY_PORT, "--upstream", f"unix://{fake.path}"]
    async with running("enforce", "app.env", "--record", "a.jsonl", *args) as proxy:
        client = await connect(await proxy.listen())
        await client.ask("GET", "/volumes")
        told = json.loads((await client.read_response()).body)["message"]
        await proxy.line("recorded")
        client.close()
    # Pasted to the end of the line, where `docker run` adds a full stop.
    program, *words = shlex.split(f"{told.partition('; ')[2]}.", comments=True)
    monkeypatch.chdir(elsewhere)
    words += ["--yes", "VolumeList"]
    done = await trio.to_thread.run_sync(run, *words)
    assert (program, done.status) == ("trioproxy", 0), done.err
    assert file.read_text().endswith("ALLOW_OPERATIONS=ContainerList,VolumeList\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(("--record", "x.env"), "no evidence file", id="record"),
        pytest.param(("--listen", "udp://x"), "bad address", id="listen"),
        pytest.param(("--env-file", "/no/such.env"), "cannot read", id="no-file"),
        pytest.param(("--upstream", "/no/such.sock"), "no such socket", id="no-socket"),
        pytest.param(("--no-such-option",), "no such option", id="option"),
        pytest.param(("--upstream", "ssh://host"), "bad address", id="ssh"),
    ],
)
def test_bad_option_is_one_clear_line(args: tuple[str, ...], said: str) -> None:
    """What cannot be understood ends with status 2 and says why, without a traceback."""
    done = called("enforce", *args)
    assert done.status == 2
    assert said in done.err.lower().replace("log_level", "LOG_LEVEL")
    assert done.err.startswith("trioproxy: ")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("CONTAINERS=yes", "neither 1 nor 0", id="value"),
        pytest.param("CONTAINERS", "line 1", id="no-value"),
        pytest.param("ALLOW_OPERATIONS=Nothing", "Nothing", id="operation"),
        pytest.param("CREATE_BIND=/srv", "did you mean CREATE_BINDS?", id="near-miss"),
        pytest.param("CONTAINERS=0\r", "a CR", id="cr-lf"),
        pytest.param("# reviewed: reads only\rPOST=1", "a CR", id="hidden-line"),
    ],
)
def test_bad_file_is_one_clear_line(line: str, said: str, tmp_path: Path) -> None:
    """With a bad line in the file it refuses to start, and says why."""
    file = tmp_path / "app.env"
    file.write_bytes(line.encode() + b"\n")
    done = called("enforce", "--env-file", str(file))
    assert (done.status, said in done.err) == (2, True), done.err


def test_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """A port in use ends with status 2 and says what to do."""
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(str(tmp_path / "e"))
    engine.listen()
    with engine, socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = run("enforce", "--listen", url, "--upstream", str(tmp_path / "e"))
    assert done.status == 2
    assert "another program listens there" in done.err


def test_own_listener_is_no_upstream(tmp_path: Path) -> None:
    """An upstream that is one of our own listeners would be a loop: status 2."""
    url = f"unix://{tmp_path}/s"
    done = run("enforce", "--listen", url, "--upstream", url)
    assert done.status == 2
    assert "our own listeners" in done.err


async def test_health_asks_the_running_proxy(fake: FakeEngine) -> None:
    """`trioproxy health` is 0 while the Engine answers, whatever the policy, else 1."""
    listen = f"tcp://{own_loopback()}:0"  # nobody else comes to it when it is gone
    options = ("--listen", listen, "--upstream", str(fake.path))
    async with running("enforce", *options) as proxy:
        address = await proxy.listen()
        well = await trio.to_thread.run_sync(run, "health", address)
        told = rf"{address}: the Engine answers; policy [0-9a-f]{{8}}\n"
        assert (well.status, bool(re.fullmatch(told, well.out))) == (0, True)
        ready = await trio.to_thread.run_sync(run, "health", "--probe=ready", address)
        assert (ready.status, ready.out) == (0, well.out)
        fake.die()
        with trio.fail_after(PATIENCE):  # one answer serves all who ask within a second
            ill = well
            while ill.status == 0:
                ill = await trio.to_thread.run_sync(run, "health", "--json", address)
        assert '"up": false' in ill.out
        live = await trio.to_thread.run_sync(run, "health", "--probe=live", address)
        assert (live.status, live.out) == (0, f"{address}: the proxy answers\n")
        wrong = await trio.to_thread.run_sync(
            run, "health", "--probe=live", "--fail-stale", address
        )
        assert (wrong.status, "--probe=live does not" in wrong.err) == (2, True)
    gone = await trio.to_thread.run_sync(run, "health", address)
    assert (gone.status, "does not answer" in gone.out) == (1, True)


def test_version_and_help() -> None:
    """The version is one line; the help names every command and fits 80 columns."""
    assert run("--version").out == f"trioproxy {__version__}\n"
    text = run("--help").out
    for name in ("learn", "enforce", "health", "check", "explain", "diff"):
        assert f"  {name} " in text
    assert max(map(len, text.splitlines())) <= 80


def test_command_of_the_incumbent_is_explained() -> None:
    """With `haproxy` as the command it refuses to start, and says that it has no effect."""
    done = run("haproxy", "-f", "/x")
    assert done.status == 2
    assert "has no effect" in done.err


def test_no_command_shows_the_help() -> None:
    """Without a command the help is shown, on stderr and with status 2."""
    done = run()
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Usage: trioproxy")


async def test_the_log_on_stdout_as_json(fake: FakeEngine) -> None:
    """With LOG_TO=stdout there is nothing on stderr, and each line is one object."""
    variables = {
        "SOCKET_PATH": str(fake.path),
        "LISTEN": ANY_PORT,
        "LOG_TO": "stdout",
        "LOG_FORMAT": "json",
    }
    async with running("enforce", variables=variables, log="stdout") as proxy:
        line = await proxy.line('"event": "start"')
        address = json.loads(line)["listen"]
        assert await status_of(address, "/images/json") == 403
        found = json.loads(await proxy.line('"event": "request"'))
        proxy.process.terminate()
        assert await proxy.end() == 0
    assert (found["method"], found["path"]) == ("GET", "/images/json")
    assert (found["status"], found["level"]) == (403, "warning")
    assert found["text"].endswith("set IMAGES=1")
