"""A reload that crashes, or of what is gone: whoever is served has no part in it."""

import errno
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from tests.patience import PATIENCE
from tests.proxy.conftest import OPEN, Proxy, Start
from tests.proxy.test_asking import asker
from trioproxy.commands import serving as serving_module
from trioproxy.commands.recording import open_record
from trioproxy.commands.servedpolicy import NewPolicy, ServedPolicy, look
from trioproxy.commands.serving import AT_ONCE, Serving
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.hostpath import Own
from trioproxy.judge.gate import Gate
from trioproxy.proxy.server import Server

PING = Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "SystemPing"})[0])


class Broken(ServedPolicy):
    """Crashes where a policy is read."""

    def read(self, environ: Mapping[str, str]) -> NewPolicy:
        raise ZeroDivisionError


def nobody(client: str, path: str) -> ServedPolicy:
    """Where nothing is to come in."""
    raise AssertionError(f"{client} of {path} is no policy")


async def test_the_old_policy_stays(start: Start, nursery: trio.Nursery) -> None:
    """It is logged with its place, the policy is told as stale, and requests pass as before."""
    proxy = await start(OPEN)
    server, broken = proxy.server, Broken(env_file="", own=Own(), policies={})
    serving = Serving(server=server, policies={}, add=nobody, beside=nursery)
    await serving.reload(broken)
    assert proxy.server.health.standings[""].words == {"policy": "", "newer": "refused"}
    client = await proxy.connect()
    await client.ask("GET", "/containers/json")
    engine = await proxy.fake.accept()
    assert (await engine.read_request()).line.startswith(b"GET /containers/json")
    (line,) = proxy.lines_of(" crash ")
    assert "ZeroDivisionError" in line
    assert "client=reload" in line


@pytest.mark.parametrize(
    "is_still_read", [False, True], ids=["gone", "read before it went"]
)
async def test_what_goes_while_it_is_read_again_does_not_come_back(
    is_still_read: bool, start: Start, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """A policy that is taken out of the folder in the middle of a reload judges nobody, and is told as stale by nobody."""
    proxy = await start(OPEN)
    server, file = proxy.server, tmp_path / "app.env"
    server.config = replace(server.config, policies=str(tmp_path))
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    policies = dict[str, ServedPolicy]()

    def add(client: str, path: str) -> ServedPolicy:
        policies[client] = ServedPolicy(
            client=client,
            env_file=path,
            is_containers=True,
            own=Own(),
            policies=policies,
        )
        return policies[client]

    serving = Serving(server=server, policies=policies, add=add, beside=nursery)
    await serving.look_for_policies()
    assert server.health.standings["app"].fingerprint
    one = policies["app"]
    async with trio.open_nursery() as reading:
        async with one.reading:
            reading.start_soon(serving.reload, one)
            await trio.testing.wait_all_tasks_blocked()
            file.rename(tmp_path / "kept")
            await serving.look_for_policies()
            if is_still_read:  # as if it had been read before it went
                one.env_file = str(tmp_path / "kept")
    assert "app" not in server.gates
    assert "app" not in server.health.standings


async def test_one_look_at_the_folder_at_a_time(
    start: Start, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """What goes while others of the same look are read is in force for nobody at the end."""
    proxy = await start(OPEN)
    server = proxy.server
    server.config = replace(server.config, policies=str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    policies, held = dict[str, ServedPolicy](), trio.Lock()

    def add(client: str, path: str) -> ServedPolicy:
        policies[client] = ServedPolicy(
            client=client,
            env_file=path,
            is_containers=True,
            own=Own(),
            policies=policies,
            reading=held,
        )
        return policies[client]

    serving = Serving(server=server, policies=policies, add=add, beside=nursery)
    async with trio.open_nursery() as looks:
        async with held:
            looks.start_soon(serving.look_for_policies)
            while not policies:
                await trio.testing.wait_all_tasks_blocked(0.01)
            (first,) = policies
            (other,) = {"one", "two"} - {first}
            (tmp_path / f"{other}.env").unlink()
            looks.start_soon(serving.look_for_policies)
            await trio.testing.wait_all_tasks_blocked(0.05)
    assert list(policies) == [first]
    assert other not in server.health.standings


@dataclass(kw_only=True)
class Folder:
    """A folder of policies, beside a server that judges by them."""

    proxy: Proxy
    path: Path
    nursery: trio.Nursery
    policies: dict[str, ServedPolicy] = field(default_factory=dict)
    serving: Serving = field(init=False)
    record: str = ""

    def __post_init__(self) -> None:
        self.serving = Serving(
            server=self.proxy.server,
            policies=self.policies,
            add=self.add,
            beside=self.nursery,
        )

    def add(self, client: str, path: str) -> ServedPolicy:
        """As `enforce` does with `--watch`."""
        recording = None
        if self.record:
            recording = open_record(f"{self.record}/{client}.jsonl", self.proxy.log, {})
        self.policies[client] = one = ServedPolicy(
            client=client,
            env_file=path,
            is_containers=True,
            own=Own(),
            policies=self.policies,
            watched=path,
            recording=recording,
        )
        return one

    def is_stale(self, client: str) -> bool:
        """Whether health tells that a newer file was refused."""
        return self.proxy.server.health.standings[client].is_stale

    async def look(self) -> None:
        """Take in what came and went."""
        await self.serving.look_for_policies()


@pytest.fixture
async def folder(
    start: Start, nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    """It is read when a test says so: a test that takes long is not overtaken by the watch."""
    monkeypatch.setattr(serving_module, "WATCH_EVERY", 2 * PATIENCE)
    proxy = await start(OPEN, ask=30, beside=PING)
    path = tmp_path / "policies"
    path.mkdir()
    server = proxy.server
    server.config = replace(server.config, policies=str(path))
    return Folder(proxy=proxy, path=path, nursery=nursery)


async def test_a_policy_without_evidence_ends_nobody(
    folder: Folder, tmp_path: Path
) -> None:
    """A file whose evidence cannot be kept is nobody's policy, as the log says; those beside it count, and so does it once that is mended."""
    folder.record = str(tmp_path)
    (tmp_path / "a.jsonl").mkdir()
    for name in ("a", "b"):
        (folder.path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    assert folder.policies.keys() == {"b"}
    (line,) = folder.proxy.lines_of(" reload-failed ")
    assert "client=a" in line
    assert "a.jsonl is no regular file" in line
    health = folder.proxy.server.health
    assert health.is_folder_stale
    (tmp_path / "a.jsonl").rmdir()
    await folder.look()
    assert folder.policies.keys() == {"a", "b"}
    assert not health.is_folder_stale


async def test_evidence_of_who_comes_later_is_a_use(folder: Folder) -> None:
    """Whose file comes into a folder that was empty has its evidence where root needs a capability to write: that was given up at the start, and the client was refused until the next one."""
    serving = folder.serving
    serving.record = f"{folder.path.parent}/evidence/{{client}}.jsonl"
    uses = {one.path: one.access for one in serving._uses()}
    assert uses[f"{folder.path.parent}/evidence"] == os.W_OK | os.X_OK


async def test_what_is_cut_with_its_policy_is_in_its_evidence(
    folder: Folder, tmp_path: Path
) -> None:
    """Whose file goes while a person is asked about a request was refused that, and the evidence says so."""
    folder.record = str(tmp_path)
    (folder.path / "beside.env").write_text("ALLOW_OPERATIONS=SystemPing\n")
    await folder.look()
    client = await folder.proxy.connect(tcp=True)
    async with asker(folder.proxy) as one:
        await client.ask(target="/volumes")
        await one.question()
        (folder.path / "beside.env").unlink()
        await folder.look()
        await one.until("closed")
    assert "VolumeList" in (tmp_path / "beside.jsonl").read_text()


async def test_what_changes_before_the_watch_begins_is_seen(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes between its reading and the first look at it is read again."""
    monkeypatch.setattr(serving_module, "WATCH_EVERY", 0.5)
    file = folder.path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    one = folder.add("app", str(file))
    one.read_first({})
    before = one.fingerprint
    file.write_text("ALLOW_OPERATIONS=ImageList\n")
    folder.serving.begin(one)
    with trio.fail_after(PATIENCE):
        while one.fingerprint == before:
            await trio.testing.wait_all_tasks_blocked(0.05)


async def test_a_policy_that_goes_leaves_nothing_running(
    folder: Folder, tmp_path: Path
) -> None:
    """What wrote its evidence and looked at its file ends with it, be it there a thousand times."""
    folder.record = str(tmp_path)
    file = folder.path / "app.env"
    before = trio.lowlevel.current_statistics().tasks_living
    for _ in range(2):
        file.write_text("ALLOW_OPERATIONS=ContainerList\n")
        await folder.look()
        file.unlink()
        await folder.look()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_policies_that_go_at_once_are_forgotten_at_once(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 255 that were taken out together each had all that were left guarded anew, and who is served waited for 2 s."""
    names = [f"p{at}" for at in range(5)]
    for name in names:
        (folder.path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    forget, forgotten = Server.forget, list[tuple[str, ...]]()

    def told(self: Server, *clients: str) -> None:
        forgotten.append(clients)
        forget(self, *clients)

    monkeypatch.setattr(Server, "forget", told)
    for name in names[1:]:
        (folder.path / f"{name}.env").unlink()
    await folder.look()
    assert sorted(max(forgotten)) == names[1:]
    assert list(folder.policies) == names[:1]
    assert len(folder.proxy.lines_of(" policy-gone ")) == len(names) - 1


async def test_a_file_that_is_gone_is_no_failure(folder: Folder) -> None:
    """Its own watch finds nothing where the folder's tells that it is gone: the log has that alone."""
    file = folder.path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    file.unlink()
    await folder.serving.reload(folder.policies["app"])
    await folder.look()
    assert folder.proxy.lines_of(" policy-gone ")
    assert not folder.proxy.lines_of(" reload-failed ")


async def test_a_file_that_cannot_be_looked_for_is_not_gone(folder: Folder) -> None:
    """In a folder that nobody may look into (`chmod -R 644`) a file is there, and cannot be read: it was told of by nothing, and the old policy was called new."""
    (folder.path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    folder.path.rename(folder.path.with_name("away"))  # as root, who may look anywhere
    await folder.serving.reload(folder.policies["app"])
    assert "client=app" in folder.proxy.lines_of(" reload-failed ")[0]
    assert folder.is_stale("app")


async def test_a_file_on_a_share_that_is_away_is_not_gone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel says of a file that it cannot tell, as NFS does, its policy stays in force and is told as stale: it was put out, and its container was nobody."""
    file = folder.path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    looks, lstat = folder.path / "BAD.env", os.lstat
    looks.touch()  # without it the list of files says that it is there

    def is_away(path: str, **more: int) -> os.stat_result:
        if str(path) == str(file):
            raise OSError(errno.ESTALE, "Stale file handle")
        return lstat(path, **more)

    file.write_text("no policy")
    monkeypatch.setattr(os, "lstat", is_away)
    await folder.look()
    await folder.serving.reload(folder.policies["app"])
    assert folder.is_stale("app")
    assert not folder.proxy.lines_of(" policy-gone ")


async def test_whether_a_file_is_gone_is_nobodys_to_wait_for(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a share that is away the look whether a policy's file is still there held the whole proxy: Trio's own thread took it."""
    file = folder.path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    is_asked, is_back, lstat = threading.Event(), threading.Event(), os.lstat

    def held(path: str, **more: int) -> os.stat_result:
        if str(path) == str(file):
            is_asked.set()
            assert is_back.wait(5)
        return lstat(path, **more)

    def refuse(self: ServedPolicy, _: Mapping[str, str]) -> NewPolicy:
        monkeypatch.setattr(os, "lstat", held)
        raise ConfigError(f"{self.env_file} is cut")

    monkeypatch.setattr(ServedPolicy, "read", refuse)
    async with trio.open_nursery() as reading:
        reading.start_soon(folder.serving.reload, folder.policies["app"])
        await trio.to_thread.run_sync(is_asked.wait)
        await folder.proxy.ask("GET", "/containers/json")
        is_back.set()
    assert folder.is_stale("app")


async def test_who_comes_into_the_folder_holds_up_nobody(
    folder: Folder, tmp_path: Path
) -> None:
    """What is long, as to read its evidence, or waits for a share that is away, was done by Trio's own thread: nobody was served. A torn line of that is told."""
    (folder.path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    (tmp_path / "app.jsonl").write_text('{"format": 3}\n{"run"')
    folder.record = str(tmp_path)
    is_asked, is_back = threading.Event(), threading.Event()

    def held(client: str, path: str) -> ServedPolicy:
        is_asked.set()
        assert is_back.wait(5)
        return folder.add(client, path)

    folder.serving.add = held
    async with trio.open_nursery() as looks:
        looks.start_soon(folder.look)
        await trio.to_thread.run_sync(is_asked.wait)
        await folder.proxy.ask("GET", "/containers/json")
        assert not folder.policies
        is_back.set()
    assert folder.policies.keys() == {"app"}
    (line,) = folder.proxy.lines_of(" warning ")
    assert "the last line is cut off" in line


async def test_a_share_that_is_away_holds_up_nobody(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a file that is watched cannot be looked at, as on NFS whose server is gone, clients are served and other files are read again: all of them waited until it was back."""
    monkeypatch.setattr(serving_module, "WATCH_EVERY", 0.05)
    away, here = tmp_path / "share" / "ps.env", folder.path / "app.env"
    is_looked_at, is_back, ended = threading.Event(), threading.Event(), list[str]()

    def look_at(path: str) -> tuple[int, ...]:
        if path == str(away):
            is_looked_at.set()
            is_back.wait(10)
            ended.append(path)
        return look(path)

    monkeypatch.setattr(serving_module, "look", look_at)
    (tmp_path / "share").mkdir()
    for file in (away, here):
        file.write_text("ALLOW_OPERATIONS=ContainerList\n")
        one = folder.add(file.stem, str(file))
        one.read_first({})
        folder.serving.begin(one)
    with trio.fail_after(PATIENCE):
        await trio.to_thread.run_sync(is_looked_at.wait)
        one = folder.policies[here.stem]
        before = one.fingerprint
        here.write_text("ALLOW_OPERATIONS=ImageList\n")
        while one.fingerprint == before:
            await trio.testing.wait_all_tasks_blocked(0.01)
        await folder.proxy.ask("GET", "/containers/json")
    assert not ended
    is_back.set()


async def test_one_look_is_that_of_a_folder(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policies are looked at together, whenever each began or was read again: behind a change of 200 at once there were 128 looks in threads each second in place of 2, and on a share that is away each would have kept a thread, of the 40 that there are."""
    looks, is_back = list[str](), threading.Event()

    def look_at(path: str) -> tuple[int, ...]:
        looks.append(path)
        is_back.wait(10)
        return look(path)

    monkeypatch.setattr(serving_module, "WATCH_EVERY", 0.2)
    monkeypatch.setattr(serving_module, "look", look_at)
    for at in range(8):
        file = tmp_path / f"p{at}.env"
        file.write_text("ALLOW_OPERATIONS=ContainerList\n")
        one = folder.add(file.stem, str(file))
        one.read_first({})
        folder.serving.begin(one)
        await trio.sleep(0.01)
    await trio.sleep(0.5)
    assert 1 <= len(looks) <= 2
    is_back.set()


async def test_what_is_taken_out_is_gone_whatever_lies_beside_it(
    folder: Folder,
) -> None:
    """A name that can be nobody's keeps others from coming in, and nobody from being put out; a folder that is not there puts nobody out."""
    for name in ("one", "two"):
        (folder.path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    (folder.path / "BAD.env").write_text("")
    (folder.path / "one.env").rename(folder.path / "three.env")
    await folder.look()
    assert folder.policies.keys() == {"two"}
    assert folder.proxy.server.health.is_folder_stale
    folder.path.rename(folder.path.with_name("away"))
    await folder.look()
    assert folder.policies.keys() == {"two"}


async def test_many_signals_are_one_reading(folder: Folder) -> None:
    """Who waits to read a file again has it read by the first of those who wait, be it a hundred signals and the watch; the file of now is in force behind all of them."""
    file = folder.path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    one = folder.policies["app"]
    before = one.reads
    async with trio.open_nursery() as reading:
        async with one.reading:
            for _ in range(100):
                reading.start_soon(folder.serving.reload, one)
            await trio.testing.wait_all_tasks_blocked()
            file.write_text("ALLOW_OPERATIONS=ImageList\n")
    assert one.reads == before + 1
    assert one.policy is not None
    assert one.policy.granted == {"ImageList"}


OWNED = "ONLY_CONTAINERS=@own\nONLY_OWNER={}\nALLOW_OPERATIONS=ContainerList\n"


async def test_few_policies_are_read_at_a_time(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread for each of 60 that were read again had Python's lock in turn, and a client's ping waited for up to 0.7 s; and the end, for all of them."""
    for at in range(3 * AT_ONCE):
        (folder.path / f"p{at}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    read, reading, most = ServedPolicy.read, list[str](), list[int]()

    def counted(self: ServedPolicy, environ: Mapping[str, str]) -> NewPolicy:
        reading.append(self.client)
        most.append(len(reading))
        time.sleep(0.01)
        reading.remove(self.client)
        return read(self, environ)

    monkeypatch.setattr(ServedPolicy, "read", counted)
    await folder.serving.reload(*folder.policies.values())
    assert len(most) == 3 * AT_ONCE
    assert max(most) <= AT_ONCE


async def test_a_share_that_is_away_holds_up_its_own_policies_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose files cannot be read to the end keep their turns, and others are read without one; and in a thread, for of more than 40 that were away each kept one of Trio's 40."""
    names = ["good", *(f"away{at}" for at in range(50))]
    for name in names:
        (folder.path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    await folder.look()
    monkeypatch.setattr(serving_module, "LONGEST_TURN", 0.05)
    read, is_there = ServedPolicy.read, threading.Event()

    def held(self: ServedPolicy, environ: Mapping[str, str]) -> NewPolicy:
        if self.client != "good":
            is_there.wait()
        return read(self, environ)

    monkeypatch.setattr(ServedPolicy, "read", held)
    good = folder.policies.pop("good")
    (folder.path / "good.env").write_text("ALLOW_OPERATIONS=ImageList\n")
    try:
        async with trio.open_nursery() as reading:
            reading.start_soon(folder.serving.reload, *folder.policies.values())
            await trio.testing.wait_all_tasks_blocked()
            folder.policies["good"] = good
            with trio.fail_after(PATIENCE):
                await folder.serving.reload(good)
            is_there.set()
    finally:
        is_there.set()
    assert good.policy is not None
    assert good.policy.granted == {"ImageList"}
    assert folder.serving.turns.value == AT_ONCE


@pytest.mark.parametrize("how", ["another owner", "gone"])
async def test_an_owner_that_is_free_again_is_taken(folder: Folder, how: str) -> None:
    """A policy that was refused for another's owner counts once that one has another, which is what the log advises, or is gone."""
    one, two = (folder.path / f"{name}.env" for name in ("one", "two"))
    one.write_text(OWNED.format("x"))
    await folder.look()
    two.write_text(OWNED.format("x"))
    await folder.look()
    assert "give one another owner" in folder.proxy.lines_of(" reload-failed ")[0]
    if how == "gone":
        one.unlink()
        await folder.look()
    else:
        one.write_text(OWNED.format("y"))
        await folder.serving.reload(folder.policies["one"])
    assert folder.policies["two"].policy is not None
    assert not folder.is_stale("two")


async def test_what_goes_before_it_is_refused_is_refused_no_more(
    folder: Folder,
) -> None:
    """A policy that wants another's owner, and is taken out of the folder while others are read, is told as stale by nobody: health was not well from then on."""
    one, two = (folder.path / f"{name}.env" for name in ("one", "two"))
    for file, owner in ((one, "x"), (two, "y")):
        file.write_text(OWNED.format(owner))
    await folder.look()
    two.write_text(OWNED.format("x"))
    goes, stays = folder.policies["two"], folder.policies["one"]
    async with trio.open_nursery() as reading:
        async with stays.reading:
            reading.start_soon(folder.serving.reload, goes, stays)
            while goes.wanted is None:
                await trio.testing.wait_all_tasks_blocked(0.01)
            two.unlink()
            await folder.look()
    assert folder.proxy.server.health.standings.keys() == {"one"}
    assert not folder.proxy.lines_of(" reload-failed ")


async def test_what_comes_in_before_it_is_refused_is_not_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that wants another's owner, and has it by the time that its file was looked for, was told as stale while it was in force, and health was not well until it was read again."""
    one, two = (folder.path / f"{name}.env" for name in ("one", "two"))
    for file, owner in ((one, "x"), (two, "y")):
        file.write_text(OWNED.format(owner))
    await folder.look()
    is_asked, may_go_on, lstat = threading.Event(), threading.Event(), os.lstat

    def held(path: str, **more: int) -> os.stat_result:
        if str(path) == str(two) and folder.policies["two"].wanted is not None:
            is_asked.set()
            assert may_go_on.wait(PATIENCE)
        return lstat(path, **more)

    monkeypatch.setattr(os, "lstat", held)
    two.write_text(OWNED.format("x"))
    async with trio.open_nursery() as reading:
        reading.start_soon(folder.serving.reload, folder.policies["two"])
        await trio.to_thread.run_sync(is_asked.wait)
        one.write_text(OWNED.format("z"))
        await folder.serving.reload(folder.policies["one"])
        may_go_on.set()
    assert owners(folder) == "zx"
    assert not folder.is_stale("two")
    assert not folder.proxy.lines_of(" reload-failed ")


def owners(folder: Folder) -> str:
    """Whose containers are whose by now, told twice: by what is in force, and by what judges."""
    gates, named = folder.proxy.server.gates, sorted(folder.policies.items())
    in_force = [one.policy.objects.owner for _, one in named if one.policy]
    assert in_force == [gates[one].objects.owner for one in sorted(folder.policies)]
    return "".join(in_force)


SETS = {
    "a swap": ("ab", "ba", "ab"),
    "a ring": ("abc", "bca", "abc"),
    "a chain to one that is free": ("abc", "bcd", "bcd"),
    "a chain to one that is held": ("abc", "bcc", "abc"),
    "a chain beside one that is held": ("abc", "bdc", "bdc"),
}


@pytest.mark.parametrize("together", [True, False], ids=["SIGHUP", "one by one"])
@pytest.mark.parametrize(("before", "wanted", "after"), SETS.values(), ids=SETS)
async def test_owners_are_judged_as_they_will_be(
    folder: Folder, before: str, wanted: str, after: str, together: bool
) -> None:
    """An owner that is left in the same reading is taken, and none that another has, be it for a swap; what comes in when all are read was never refused."""
    for name, owner in zip("1234", before, strict=False):
        (folder.path / f"{name}.env").write_text(OWNED.format(owner))
    await folder.look()
    assert owners(folder) == before
    for name, owner in zip("1234", wanted, strict=False):
        (folder.path / f"{name}.env").write_text(OWNED.format(owner))
    policies = list(folder.policies.values())
    for several in [policies] if together else [[one] for one in policies]:
        await folder.serving.reload(*several)
        assert len(set(owners(folder))) == len(before)
    assert owners(folder) == after
    refused = [a for a, b in zip(after, wanted, strict=True) if a != b]
    stale = {
        one.policy.objects.owner
        for one in policies
        if one.policy and folder.is_stale(one.client)
    }
    assert stale == set(refused)
    if together:
        failed = folder.proxy.lines_of(" reload-failed ")
        assert len(failed) == len(refused)


async def test_a_file_that_comes_is_read_when_it_is_whole(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that is still being written into the folder judges nobody: what limits it may be the next line. Whatever else is written there for ever keeps none waiting."""
    watched, lines = str(folder.path), ["CREATE_IMAGES=busybox\n", *["# more\n"] * 9]
    known, file = look(watched), folder.path / "app.env"

    def look_and_write(path: str) -> tuple[int, ...]:
        found = look(path)
        with (folder.path / "log").open("a") as log:
            log.write("more")
        if lines:
            with file.open("a") as writing:
                writing.write(lines.pop())
        return found

    came = trio.Event()

    async def read() -> None:
        came.set()

    monkeypatch.setattr(serving_module, "WATCH_EVERY", 0.01)
    monkeypatch.setattr(serving_module, "look", look_and_write)
    folder.nursery.start_soon(folder.serving.watch, watched, read, known)
    with trio.fail_after(PATIENCE):
        await came.wait()
    assert not lines
