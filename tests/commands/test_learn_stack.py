"""`trioproxy learn -o 'learned/{client}.env'`: a file for each client of a whole stack."""

import os
import re
import signal
import threading
from dataclasses import fields
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.commands.running import run, running
from tests.fakes import FakeEngine, Message, connect
from trioproxy.commands.asked import Call
from trioproxy.commands.learnstack import Learners
from trioproxy.config import Config, Entry, TcpAddress, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import Loaded, load
from trioproxy.learning.store import Store
from trioproxy.proxy import listeners

USES = {
    "ps": ("GET /containers/json", "GET /version"),
    "images": ("GET /images/json",),
    "pull": ("POST /images/create?fromImage=busybox&tag=latest", "GET /version"),
}


async def use(address: str, *requests: str) -> None:
    """Be a client that asks for these."""
    for one in requests:
        assert (await ask(address, one)).status == 200


async def ask(address: str, request: str = "GET /version") -> Message:
    """Be a client that asks for this one thing, and give its answer."""
    client = await connect(address)
    await client.ask(*request.split(" "))
    answer = await client.read_response()
    client.close()
    return answer


def granted(file: Path) -> str:
    """What a learned file says, but for the random end of an owner."""
    return re.sub(r"(ONLY_OWNER=\w+)-\w+", r"\1", file.read_text())


async def test_each_file_is_what_the_client_alone_is_learned_as(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Three clients at once, each on its listener: three files, the same that three learners write."""
    words = ("--upstream", f"unix://{fake.path}")
    urls = [f"unix://{tmp_path}/{one}.sock?policy={one}.env" for one in USES]
    listen = [word for url in urls for word in ("--listen", url)]
    output = f"{tmp_path}/stack/{{client}}.env"
    async with running("learn", "-o", output, *listen, *words) as learner:
        await learner.line("listening on")
        async with trio.open_nursery() as nursery:
            for name, requests in USES.items():
                nursery.start_soon(use, f"unix://{tmp_path}/{name}.sock", *requests)
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 0
        rest = learner.text
        async for more in learner.stream:
            rest += more.decode()
    assert len(re.findall(r"\.env lists \d operation", rest)) == len(USES)
    for name, requests in USES.items():
        alone = tmp_path / "alone" / f"{name}.env"
        url = f"unix://{tmp_path}/alone-{name}.sock"
        async with running("learn", "-o", str(alone), "--listen", url, *words) as one:
            await one.line("listening on")
            await use(url, *requests)
            one.process.send_signal(signal.SIGTERM)
            assert await one.end() == 0
        learned = granted(tmp_path / "stack" / f"{name}.env")
        assert learned.replace("/stack/", "/alone/") == granted(alone)
        assert "ALLOW_OPERATIONS=" in learned


async def test_what_was_learned_is_enforced_by_one_more_word(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """The same listeners, with `enforce` in place of `learn`: each client has what it used, and not what another did."""
    folder = tmp_path / "stack"
    urls = [f"unix://{tmp_path}/{one}.sock?policy={folder}/{one}.env" for one in USES]
    variables = {"SOCKET_PATH": str(fake.path), "LOG_LEVEL": "info"}
    listen = [word for url in urls for word in ("--listen", url)]
    learn = ("learn", "-o", f"{folder}/{{client}}.env")
    async with running(*learn, *listen, variables=variables) as learner:
        await learner.line("listening on")
        for name, requests in USES.items():
            await use(f"unix://{tmp_path}/{name}.sock", *requests)
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 0
    async with running("enforce", *listen, variables=variables) as proxy:
        await proxy.line(" start ")
        for name in USES:
            address = f"unix://{tmp_path}/{name}.sock"
            for other, requests in USES.items():
                client = await connect(address)
                await client.ask(*requests[0].split(" "))
                status = (await client.read_response()).status
                client.close()
                assert status == (200 if other == name else 403)


async def test_the_next_step_beside_a_folder_of_policies(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Where POLICIES is set, as in the example, one file judges nobody: the next step is a start by its folder."""
    folder, url = tmp_path / "policies", f"unix://{tmp_path}/x.sock"
    folder.mkdir()
    variables = {"SOCKET_PATH": str(fake.path), "POLICIES": str(folder)}
    listen = ("--listen", f"{url}?policy=x.env")
    learn = ("learn", "-o", f"{folder}/{{client}}.env")
    async with running(*learn, *listen, variables=variables) as learner:
        await learner.line("listening on")
        await use(url, "GET /containers/json")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 0
        line = await learner.line("before you use it: ")
    step = line.rpartition("before you use it: ")[2].strip()
    assert step == f"POLICIES={folder} trioproxy enforce"


async def test_without_names_it_is_the_user_or_the_address(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Where a listener names nobody, and there are no containers, clients are told apart by what the kernel says."""
    listen = (f"unix://{tmp_path}/x.sock", "tcp://127.0.0.1:0")
    words = [word for url in listen for word in ("--listen", url)]
    output = f"{tmp_path}/{{client}}.env"
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("learn", "-o", output, *words, *upstream) as learner:
        line = await learner.line("listening on")
        tcp = re.findall(r"tcp://[\d.:]+", line)[0]
        await use(f"unix://{tmp_path}/x.sock", "GET /containers/json")
        await use(tcp, "GET /images/json")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 0
    uid = f"uid-{os.getuid()}.env"
    assert "ContainerList" in (tmp_path / uid).read_text()
    assert "ImageList" in (tmp_path / "127.0.0.1.env").read_text()
    assert "ImageList" not in (tmp_path / uid).read_text()
    loaded = load((tmp_path / "127.0.0.1.jsonl").read_bytes(), name="x")
    assert len(loaded.evidence.routes) == 1


def learning(folder: Path, nursery: trio.Nursery, policy: str = "") -> Learners:
    """Learn from whoever comes, without being listened to."""
    options = dict.fromkeys(one.name for one in fields(Call))
    options |= {
        "output": f"{folder}/{{client}}.env",
        "argv": (),
        "only_from": (),
        "restore": frozenset(),
        "never": frozenset(),
    }
    config = Config(
        listen=(TcpAddress(host="127.0.0.1", port=0, entry=Entry(policy=policy)),),
        upstream=UnixAddress(path="/nowhere"),
    )
    return Learners(Call(**options), config, nursery)  # type: ignore[arg-type]


async def test_no_container_is_learned_as_a_user_or_a_listener(tmp_path: Path) -> None:
    """Whoever comes first: called `uid-0` it had one file with the user 0 of a Unix socket, with what either used."""
    async with trio.open_nursery() as nursery:
        learners = learning(tmp_path, nursery, "web.env")
        for _ in range(2):
            for name in ("uid-0", "web"):
                with pytest.raises(ConfigError, match=f"{name} is how who comes by an"):
                    await learners.welcome([name], is_container=True)
            assert await learners.welcome(["uid-0"]) == "uid-0"
        named = await learners.welcome(["shop.uid-0", "uid-0"], is_container=True)
        assert named == "shop.uid-0"
        nursery.cancel_scope.cancel()


async def test_who_can_be_called_nothing_is_a_failure(tmp_path: Path) -> None:
    """A container called `Web` was refused all along, and a script went on without its file: the status was 0."""
    async with trio.open_nursery() as nursery:
        learners = learning(tmp_path, nursery)
        assert await learners.welcome([], is_container=True) == ""
        assert "whose name can be no file's" in str(learners.failure)
        nursery.cancel_scope.cancel()


async def test_a_file_on_a_share_that_is_away_holds_up_its_own_client_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trio's own thread opened it: until the share was back no client was served."""
    opened, is_back = Call.open, threading.Event()

    def held(self: Call, path: Path) -> tuple[Store, Loaded]:
        assert path.stem != "away" or is_back.wait(5)
        return opened(self, path)

    monkeypatch.setattr(Call, "open", held)
    async with trio.open_nursery() as nursery:
        learners = learning(tmp_path, nursery)
        await learners.welcome(["here"])
        nursery.start_soon(learners.welcome, ["away"])
        await trio.testing.wait_all_tasks_blocked()
        assert await learners.welcome(["here"]) == "here"
        assert "away" not in learners.lessons
        is_back.set()
        assert await learners.welcome(["away"]) == "away"
        nursery.cancel_scope.cancel()


async def test_who_does_not_wait_for_a_share_leaves_no_more_than_one_thread_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container is not chosen for longer than five seconds, and comes again: each time one more thread waited for the share, until there were no more for anybody."""
    opened, is_back, tries = Call.open, threading.Event(), list[Path]()

    def held(self: Call, path: Path) -> tuple[Store, Loaded]:
        tries.append(path)
        assert is_back.wait(5)
        return opened(self, path)

    monkeypatch.setattr(Call, "open", held)
    async with trio.open_nursery() as nursery:
        learners = learning(tmp_path, nursery)
        for _ in range(3):
            with trio.move_on_after(0.2):
                await learners.welcome(["away"])
        assert len(tries) == 1
        is_back.set()
        assert await learners.welcome(["away"]) == "away"
        nursery.cancel_scope.cancel()


def test_who_has_no_number_is_not_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a user namespace one number stands for all who have none there, root of the host with them: what each used came into one file."""
    monkeypatch.setattr(listeners, "no_number_of", lambda: 65534, raising=False)
    assert listeners.client_name_of("unix:uid=1000") == "uid-1000"
    with pytest.raises(ConfigError, match="uid=65534 is also whoever has no number"):
        listeners.client_name_of("unix:uid=65534")


async def test_a_service_has_no_part_in_a_container_that_is_called_so(
    tmp_path: Path,
) -> None:
    """It shares a file that was there, as `enforce` would give it that, and not what another client has begun in this run."""
    async with trio.open_nursery() as nursery:
        learners = learning(tmp_path, nursery)
        assert await learners.welcome(["web"]) == "web"
        (
            tmp_path / "web.env"
        ).touch()  # as its evidence, it is written from time to time
        for _ in range(2):
            assert (
                await learners.welcome(["shop.web", "web", "shop-web-1"]) == "shop.web"
            )
        (tmp_path / "db.env").touch()
        assert await learners.welcome(["shop.db", "db", "shop-db-1"]) == "db"
        (tmp_path / "old-web-1.env").touch()  # which nobody has, behind web.env
        assert await learners.welcome(["old.web", "web", "old-web-1"]) == "old.web"
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_each_has_to_be_quiet(fake: FakeEngine, tmp_path: Path) -> None:
    """`--until-quiet` ends it when all have asked and nothing new came from any: a client that never came is waited for."""
    urls = [
        f"unix://{tmp_path}/{one}.sock?policy={one}.env" for one in ("ps", "images")
    ]
    listen = [word for url in urls for word in ("--listen", url)]
    output = ("-o", f"{tmp_path}/{{client}}.env", "--until-quiet", "1s")
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen, *upstream) as learner:
        await learner.line("listening on")
        await use(f"unix://{tmp_path}/ps.sock", "GET /containers/json")
        with trio.move_on_after(3) as waiting:
            await learner.end()
        assert waiting.cancelled_caught
        await use(f"unix://{tmp_path}/images.sock", "GET /images/json")
        assert await learner.end() == 0


async def test_who_only_looks_in_is_not_waited_for(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A check whether somebody listens, be it of TCP or of health, is no client that `--until-quiet` waits for."""
    urls = (f"unix://{tmp_path}/a.sock?policy=a.env", f"unix://{tmp_path}/x.sock")
    listen = [w for url in (*urls, "tcp://127.0.0.1:0") for w in ("--listen", url)]
    output = ("-o", f"{tmp_path}/{{client}}.env", "--until-quiet", "1s")
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen, *upstream) as learner:
        line = await learner.line("listening on")
        (await connect(re.findall(r"tcp://[\d.:]+", line)[0])).close()
        await use(f"unix://{tmp_path}/x.sock", "GET /_trioproxy/live")
        await use(f"unix://{tmp_path}/a.sock", "GET /containers/json")
        assert await learner.end() == 0
    assert [one for one in os.listdir(tmp_path) if one.endswith(".env")] == ["a.env"]


async def test_a_file_that_cannot_be_looked_for_ends_nobody(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A name that the file system takes from no client, or a folder that is locked: the client is turned away, and the learner stays."""
    listen = ("--listen", f"unix://{tmp_path}/x.sock")
    output = ("-o", f"{tmp_path}/{'x' * 249}{{client}}.env")
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen, *upstream) as learner:
        await learner.line("listening on")
        for _ in range(2):
            answer = await ask(f"unix://{tmp_path}/x.sock")
            assert (answer.status, b"too long" in answer.body) == (500, True)
        # Where nobody could be learned from, that is no success.
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 2


async def test_nobody_is_called_as_a_listener(fake: FakeEngine, tmp_path: Path) -> None:
    """Who comes by another way and would have the file of a listener's client is told so, and that file is the client's alone."""
    name = f"uid-{os.getuid()}"
    urls = (f"unix://{tmp_path}/a.sock?policy={name}.env", f"unix://{tmp_path}/x.sock")
    listen = [word for url in urls for word in ("--listen", url)]
    output = ("-o", f"{tmp_path}/{{client}}.env", "--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen) as learner:
        await learner.line("listening on")
        assert (await ask(f"unix://{tmp_path}/x.sock")).status == 500
        await use(f"unix://{tmp_path}/a.sock", "GET /containers/json")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 2
    assert "SystemVersion" not in (tmp_path / f"{name}.env").read_text()


async def test_a_link_is_no_file_to_learn_to(fake: FakeEngine, tmp_path: Path) -> None:
    """Where a client's file is a link nothing is learned for it, and it is told so; the others go on."""
    (tmp_path / "other").write_text("")
    (tmp_path / f"uid-{os.getuid()}.env").symlink_to("other")
    listen = ("--listen", f"unix://{tmp_path}/x.sock", "--listen", "tcp://127.0.0.1:0")
    output = ("-o", f"{tmp_path}/{{client}}.env")
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen, *upstream) as learner:
        line = await learner.line("listening on")
        client = await connect(f"unix://{tmp_path}/x.sock")
        await client.ask("GET", "/containers/json")
        answer = await client.read_response()
        client.close()
        assert answer.status == 500
        assert b"symbolic link" in answer.body
        await use(re.findall(r"tcp://[\d.:]+", line)[0], "GET /images/json")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 2
    assert (tmp_path / "other").read_text() == ""
    assert (tmp_path / "127.0.0.1.env").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--listen", "tcp://127.0.0.1:0", "--", "true"],
        ["--listen", "tcp://127.0.0.1:0", "--from", "127.0.0.1"],
        [],
    ],
    ids=["command", "from", "no listener"],
)
def test_it_is_for_clients_that_come_by_themselves(
    words: list[str], tmp_path: Path
) -> None:
    """A COMMAND is one client, `--from` picks one, and without a listener nobody comes."""
    done = run("learn", "-o", f"{tmp_path}/{{client}}.env", *words)
    assert done.status == 2
    assert "clients that come by themselves\n" in done.err
    assert "with --listen, without COMMAND and --from" in done.err


@pytest.mark.parametrize(
    ("file", "within", "said"),
    [
        ("{client}.jsonl", "", "is the name of an evidence file"),
        ("{client}.env", "missing.env", "missing.env: No such file"),
        ("file/{client}.env", "", "file/{client}: Not a directory"),
    ],
)
def test_what_would_keep_each_from_a_file_is_said_at_the_start(
    file: str, within: str, said: str, tmp_path: Path
) -> None:
    """It was told to each client, with a 500, when they came."""
    (tmp_path / "file").touch()
    words = ["--within", f"{tmp_path}/{within}"] if within else []
    at = ("--listen", f"unix://{tmp_path}/x.sock", "--upstream", "tcp://127.0.0.1:1")
    done = run("learn", "-o", f"{tmp_path}/{file}", *at, *words)
    assert done.status == 2
    assert said in done.err


OWNED = "ONLY_CONTAINERS=@own\nONLY_OWNER=team\nALLOW_OPERATIONS=ContainerList\n"


@pytest.mark.parametrize(
    ("file", "policies", "owned", "said"),
    [
        (
            "{client}.env",
            "x/a y/a",
            (),
            "two policies are called a: x/a.env and y/a.env",
        ),
        (
            "{client}.env",
            "a b",
            ("within",),
            "one owner: ONLY_OWNER=team would stand in",
        ),
        (
            "{client}.env",
            "a b",
            ("a", "b"),
            "one owner: ONLY_OWNER=team would stand in",
        ),
        ("one.env", "a b", (), "FILE is one for all clients"),
        ("{client}", "a a.env", (), "a and a.env would have one file"),
    ],
    ids=[
        "one name",
        "a ceiling's owner",
        "one that was copied",
        "one file",
        "one evidence",
    ],
)
def test_no_two_are_learned_as_one(
    file: str, policies: str, owned: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """What one of them made was learned as the other's own, and `enforce` would not start; one file for both ended in a traceback."""
    for name in owned:
        (tmp_path / f"{name}.env").write_text(OWNED)
    words = ["--within", f"{tmp_path}/within.env"] if "within" in owned else []
    for at, policy in enumerate(policies.split()):
        words += ["--listen", f"unix://{tmp_path}/{at}.sock?policy={policy}.env"]
    words += ["--upstream", "tcp://127.0.0.1:1", "--until-quiet", "1s"]
    done = run("learn", "-o", f"{tmp_path}/{file}", *words)
    assert done.status == 2
    assert said in done.err


async def test_who_was_turned_away_had_connected(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Where nothing was seen of a client since it may not come in, the end does not say that it never came."""
    url = f"unix://{tmp_path}/a.sock?uids={os.getuid() + 1}"
    for file, more in (("{client}", ""), ("{client}", "&policy=a.env"), ("one", "")):
        words = ("-o", f"{tmp_path}/{file}.env", "--listen", url + more)
        upstream = ("--upstream", f"unix://{fake.path}")
        async with running("learn", *words, *upstream) as learner:
            await learner.line("listening on")
            assert (await ask(f"unix://{tmp_path}/a.sock")).status == 403
            learner.process.send_signal(signal.SIGTERM)
            await learner.line("nothing seen: clients were turned away; ")
            assert await learner.end() == 0


async def test_who_can_have_no_file_is_told_of(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A client whose evidence cannot be read is turned away, the log says why and names no limit, and the others are learned from."""
    name, urls = f"uid-{os.getuid()}", [f"unix://{tmp_path}/{at}.sock" for at in "ab"]
    listen = ("--listen", urls[0], "--listen", f"{urls[1]}?policy=b.env")
    (tmp_path / f"{name}.jsonl").mkdir()
    output = ("-o", f"{tmp_path}/{{client}}.env", "--upstream", f"unix://{fake.path}")
    async with running("learn", *output, *listen) as learner:
        await learner.line("listening on")
        assert (await ask(urls[0])).status == 500
        assert f"{name}.jsonl is no regular file" in await learner.line(" nobody ")
        await use(urls[1], "GET /version")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 2
        rest = learner.text
        async for more in learner.stream:
            rest += more.decode()
        assert " turned-away " not in rest
        assert "b.env lists 1 operation" in rest


FEW = "from trioproxy.cli import main; from trioproxy.commands import learnstack; learnstack.MOST_CLIENTS = 2; main()"
"""The program, with room for two clients."""


async def test_who_comes_when_all_places_are_taken_is_told_of(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A client more than are learned at once gets 403 with the reason, whenever it comes, and the end names it; the others are learned from."""
    words = ("-o", f"{tmp_path}/{{client}}.env", "--upstream", f"unix://{fake.path}")
    listen = ("--listen", "tcp://127.0.0.1:0")
    async with running("learn", *words, *listen, program=("-c", FEW)) as learner:
        line = await learner.line("listening on")
        tcp, answers = re.findall(r"tcp://[\d.:]+", line)[0], []
        for last in (2, 3, 4, 5, 4, 2):
            client = await connect(tcp, source=f"127.0.0.{last}")
            await client.ask("GET", "/version")
            answers.append(await client.read_response())
            client.close()
        assert [one.status for one in answers] == [200, 200, 403, 403, 403, 200]
        told = "there are 2 clients to learn from, and no more at once"
        assert told in answers[2].body.decode()
        learner.process.send_signal(signal.SIGTERM)
        await learner.line("not learned from, as 2 others were: 127.0.0.4, 127.0.0.5")
        assert await learner.end() == 2
    files = {one for one in os.listdir(tmp_path) if one.endswith(".env")}
    assert files == {"127.0.0.2.env", "127.0.0.3.env"}
