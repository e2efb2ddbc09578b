"""`trioproxy enforce` with a policy for each listener: its own gate, owner and reload each."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.commands.running import Running, environment, run, running
from tests.fakes import FakeEngine, connect
from tests.patience import PATIENCE
from trioproxy.commands.enforce import _read_folder
from trioproxy.commands.folder import policies_in, read_unlinked
from trioproxy.config import Config, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import load
from trioproxy.hostpath import Own

ALL = ("/containers/json", "/images/json", "/volumes")
LISTS = {"ps": "ContainerList", "images": "ImageList", "volumes": "VolumeList"}


async def status_of(address: str, target: str) -> int:
    """Ask for a target on a connection of its own."""
    client = await connect(address)
    try:
        await client.ask("GET", target)
        return (await client.read_response()).status
    finally:
        client.close()


async def granted(address: str) -> list[int]:
    """What each of three lists is answered with."""
    return [await status_of(address, one) for one in ALL]


def write(folder: Path, **operations: str) -> dict[str, Path]:
    """A policy file for each name, of the operations that it is given."""
    files = {name: folder / f"{name}.env" for name in operations}
    for name, file in files.items():
        file.write_text(f"ALLOW_OPERATIONS={operations[name]}\n")
    return files


def listeners(folder: Path, names: dict[str, Path], more: str = "") -> list[str]:
    """Options for a Unix listener with each policy."""
    urls = [
        f"unix://{folder}/{name}.sock?policy={file}{more}"
        for name, file in names.items()
    ]
    return [word for url in urls for word in ("--listen", url)]


async def test_each_listener_has_its_own_policy(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Three listeners with a file each, and one without, which has the process's: by option and by LISTEN."""
    files = write(tmp_path, **LISTS)
    upstream = {"SOCKET_PATH": str(fake.path), "CONTAINERS": "1", "VOLUMES": "1"}
    plain = f"unix://{tmp_path}/plain.sock"
    options = [*listeners(tmp_path, files), "--listen", plain]
    urls = ",".join(options[1::2])
    for args, more in ((options, {}), ([], {"LISTEN": urls})):
        async with running("enforce", *args, variables=upstream | more) as proxy:
            await proxy.line(" start ")
            for name in LISTS:
                line = await proxy.line(f" policy client={name} ")
                assert f"source={files[name]}" in line
            found = [await granted(f"unix://{tmp_path}/{one}.sock") for one in LISTS]
            assert found == [[200, 403, 403], [403, 200, 403], [403, 403, 200]]
            assert await granted(plain) == [200, 403, 200]
            uid = f"unix:uid={os.getuid()}"
            line = await proxy.line("path=/containers/json")
            assert line.endswith(f'client="ps@{uid}"')


async def test_the_environment_is_no_policy_where_each_has_its_own(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """What another proxy's settings left there is ignored, and that is said as beside a file: POST=0 looked as if it refused."""
    files = write(tmp_path, ps="ContainerRestart")
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    async with running("enforce", *args, variables={"POST": "0"}) as proxy:
        assert "POST in the environment is ignored" in await proxy.line(" warning ")
        await proxy.line(" start ")


async def test_each_policy_is_read_again_by_itself(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """One file changes: the others' clients notice nothing, and a bad one is told as stale by its name."""
    files = write(tmp_path, **LISTS)
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    async with running("enforce", *args, "--watch") as proxy:
        await proxy.line(" start ")
        files["ps"].write_text("ALLOW_OPERATIONS=ContainerList,ImageList\n")
        assert "added=ImageList" in await proxy.line(" reload client=ps ")
        files["images"].write_text("ALLOW_OPERATIONS=Nonsense\n")
        assert "Nonsense" in await proxy.line(" reload-failed client=images ")
        found = [await granted(f"unix://{tmp_path}/{one}.sock") for one in LISTS]
        assert found == [[200, 200, 403], [403, 200, 403], [403, 403, 200]]
        assert " reload client=volumes " not in proxy.text
        url = f"unix://{tmp_path}/volumes.sock"
        told = await trio.to_thread.run_sync(run, "health", url)
        assert told.status == 0
        assert (
            ", and a newer policy of images was refused: its log says why" in told.out
        )
        told = await trio.to_thread.run_sync(run, "health", url, "--json")
        said = json.loads(told.out)
        assert said["policies"].keys() == LISTS.keys()
        assert said["policy"] == said["policies"]["volumes"]["policy"]
        assert said["policies"]["images"]["newer"] == "refused"
        told = await trio.to_thread.run_sync(run, "health", url, "--fail-stale")
        assert told.status == 1


async def test_hangup_reads_each_again(fake: FakeEngine, tmp_path: Path) -> None:
    """SIGHUP reads all files: one that is bad keeps none of the others."""
    files = write(tmp_path, **LISTS)
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    async with running("enforce", *args) as proxy:
        await proxy.line(" start ")
        files["ps"].write_text("broken")
        files["images"].write_text("ALLOW_OPERATIONS=VolumeList\n")
        proxy.process.send_signal(signal.SIGHUP)
        text = proxy.text
        assert "removed=ImageList" in await proxy.line(" reload client=images ")
        proxy.text = text + proxy.text
        assert await granted(f"unix://{tmp_path}/ps.sock") == [200, 403, 403]
        assert await granted(f"unix://{tmp_path}/images.sock") == [403, 403, 200]


OWNED = "CREATE_IMAGES=*\nONLY_CONTAINERS=@own\nONLY_OWNER={}\nALLOW_OPERATIONS=ContainerCreate\n"


def test_two_policies_with_one_owner_refuse_to_start(tmp_path: Path) -> None:
    """Each would have what the other made; with another owner, which is the advice, they start."""
    files = write(tmp_path, one="", two="")
    for file in files.values():
        file.write_text(OWNED.format("same"))
    args = [*listeners(tmp_path, files), "--upstream", "tcp://127.0.0.1:1"]
    done = run("enforce", *args)
    assert done.status == 2
    assert "two policies have one owner: ONLY_OWNER=same" in done.err
    assert "give one another owner" in done.err


async def test_no_reload_takes_the_owner_of_another(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A file that comes to have another policy's owner is refused, and the old one stays."""
    files = write(tmp_path, one="", two="")
    for name, file in files.items():
        file.write_text(OWNED.format(name))
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    async with running("enforce", *args) as proxy:
        await proxy.line(" start ")
        files["two"].write_text(OWNED.format("one"))
        proxy.process.send_signal(signal.SIGHUP)
        line = await proxy.line(" reload-failed client=two ")
        assert "two policies have one owner" in line


BAD = {
    "two names": (["a/x.env", "b/x.env"], "", "two policies are called x"),
    "capitals": (["a/X.env"], "", "names its clients"),
    "nobody's file": (["a/x.env"], "b/x.env", "judges nobody"),
    "allow on a Unix socket": (["a/x.env&allow=10.0.0.1"], "", "means nothing"),
    "users in words": (["a/x.env&uids=root"], "", "not a number"),
    "twice": (["a/x.env&uids=1&uids=2"], "", "given twice"),
    "empty": (["a/x.env&uids="], "", "is empty"),
    "two records of one name": (
        ["a/x.env", "a/others.env", ""],
        "--record={client}.jsonl",
        "two policies would record into others.jsonl",
    ),
    "one record": (["a/x.env", "a/y.env"], "--record=r.jsonl", "is one file"),
    "no such socket": (["fd"], "", "no socket called 'web' was handed"),
}


@pytest.mark.parametrize(("listed", "more", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_meant_refuses_to_start(
    listed: list[str], more: str, said: str, tmp_path: Path
) -> None:
    """Each is one clear line, before anything is served."""
    for name in ("a/x.env", "b/x.env", "a/y.env", "a/X.env", "a/others.env"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    urls = [
        f"unix://{tmp_path}/{at}.sock" + f"?policy={tmp_path}/{one}" * bool(one)
        for at, one in enumerate(listed)
    ]
    urls = ["fd://web"] if listed == ["fd"] else urls
    words = [word for url in urls for word in ("--listen", url)]
    first = [str(tmp_path / more)] if more.endswith(".env") else [more] if more else []
    done = run("enforce", *first, *words, "--upstream", "tcp://127.0.0.1:1")
    assert done.status == 2
    assert said in done.err


async def test_evidence_of_each_policy_is_kept_apart(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """`--record '{client}.jsonl'` writes a file for each, with what its clients asked for alone."""
    files = write(tmp_path, ps="ContainerList", images="ImageList")
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    record = str(tmp_path / "live-{client}.jsonl")
    async with running("enforce", *args, "--record", record) as proxy:
        await proxy.line(" start ")
        await granted(f"unix://{tmp_path}/ps.sock")
        await status_of(f"unix://{tmp_path}/images.sock", "/images/json")
        proxy.process.send_signal(signal.SIGTERM)
        await proxy.end()
    seen = {
        name: load((tmp_path / f"live-{name}.jsonl").read_bytes(), name="x")
        for name in files
    }
    routes = {name: sorted(one.evidence.routes) for name, one in seen.items()}
    assert len(routes["ps"]) == len(ALL)
    assert len(routes["images"]) == 1


async def test_a_warning_says_whose_policy_it_is_about(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Of two files that were the same one line came, which named neither; so does what is recorded, and --print-config."""
    files = write(tmp_path, ps="ContainerList", images="ImageList")
    for file in files.values():
        file.write_text(f"{file.read_text()}REDACT=env\n")
    args = [*listeners(tmp_path, files), "--upstream", f"unix://{fake.path}"]
    printing = partial(run, "enforce", *args, "--print-config")
    told = await trio.to_thread.run_sync(printing)
    for name in files:
        assert f"trioproxy: {name}: REDACT behind ALLOW_OPERATIONS" in told.err
    record = str(tmp_path / "live-{client}.jsonl")
    async with running("enforce", *args, "--record", record) as proxy:
        for name in files:
            await proxy.line(f' warning client={name} text="REDACT behind')
        await proxy.line(" start ")
        proxy.process.send_signal(signal.SIGHUP)
        said = [await proxy.line(" warning client=") for _ in files]
        assert {one.split("client=")[1].split()[0] for one in said} == files.keys()
        await status_of(f"unix://{tmp_path}/ps.sock", "/images/json")
        await proxy.line(" recorded client=ps operation=ImageList")


def test_who_may_bind_a_listener_of_another_policy_is_told_of(tmp_path: Path) -> None:
    """What such a client starts has that policy, beside its own of which root is not known."""
    files = write(tmp_path, deploy="ContainerCreate", web="ContainerList")
    (tmp_path / "run").mkdir()
    with files["deploy"].open("a") as file:
        file.write(f"CREATE_BINDS={tmp_path}/run:ro\n")
    args = ("enforce", *listeners(tmp_path / "run", files), "--print-config")
    told = f"trioproxy: deploy: what its clients start may connect to {tmp_path}/run/web.sock, a listener"
    err = run(*args).err
    assert told in err
    assert "deploy.sock, a listener" not in err


async def test_only_listed_addresses_come_in(fake: FakeEngine, tmp_path: Path) -> None:
    """Whoever is not in `allow=` gets 403 that names it, an IPv4 in IPv6 counts as that; our own health check is answered, and no line says that it may not connect, as one did each minute."""
    url = "tcp://[::]:0?allow=10.0.0.0/8"
    variables = {"SOCKET_PATH": str(fake.path), "CONTAINERS": "1"}
    async with running("enforce", "--listen", url, variables=variables) as proxy:
        port = (await proxy.listen()).rpartition(":")[2]
        address = f"tcp://127.0.0.1:{port}"
        assert await status_of(address, "/_trioproxy/health") == 200
        client = await connect(address)
        await client.ask("GET", "/containers/json")
        answer = await client.read_response()
        port_of_client = client.sock.getsockname()[1]
        client.close()
        assert answer.status == 403
        assert b"127.0.0.1 may not connect here: allow= of this listener" in answer.body
        line = await proxy.line(" kept-out ")
        assert f"client=127.0.0.1:{port_of_client} " in line
    url = f"tcp://[::]:{0}?allow=10.0.0.0/8,::ffff:127.0.0.0/104"
    async with running("enforce", "--listen", url, variables=variables) as proxy:
        port = (await proxy.listen()).rpartition(":")[2]
        assert await status_of(f"tcp://127.0.0.1:{port}", "/containers/json") == 200


async def test_only_listed_users_come_in(fake: FakeEngine, tmp_path: Path) -> None:
    """Who may use a Unix socket is asked of the kernel."""
    variables = {"SOCKET_PATH": str(fake.path), "CONTAINERS": "1"}
    mine, path = os.getuid(), f"unix://{tmp_path}/x.sock"
    for uids, status in ((f"{mine},7", 200), (f"{mine + 1}", 403)):
        url = f"{path}?uids={uids}"
        async with running("enforce", "--listen", url, variables=variables) as proxy:
            await proxy.line(" start ")
            assert await status_of(path, "/containers/json") == status


HAND_OVER = """
import os, socket, sys
number, names, *command = sys.argv[1:]
count = len(names.split(":"))
for place in range(count):
    os.dup2(int(number), 3 + place)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(count)
os.environ["LISTEN_FDNAMES"] = names
os.execvp(command[0], command)
"""
"""What systemd does between fork and exec."""


@asynccontextmanager
async def handed(sock: socket.socket, *args: str) -> AsyncIterator[trio.Process]:
    """Run `trioproxy enforce ARGS` with a socket called `web`."""
    number = sock.fileno()
    hand_over = [sys.executable, "-c", HAND_OVER, str(number), "web"]
    process = await trio.lowlevel.open_process(
        [*hand_over, sys.executable, "-m", "trioproxy", "enforce", *args],
        env=environment({}),
        pass_fds=(number,),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            assert await process.wait() == 0


@pytest.mark.slow
async def test_a_socket_that_is_handed_over_outlives_us(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """`fd://NAME`: while one proxy ends and the next begins, no client under load is refused, and none goes without its answer."""
    file = write(tmp_path, **LISTS)["ps"]
    args = ("--listen", f"fd://web?policy={file}", "--upstream", f"unix://{fake.path}")
    answered, enough = 0, trio.Event()

    async def load() -> None:
        nonlocal answered
        while True:
            assert await status_of(f"unix://{tmp_path}/web.sock", ALL[0]) == 200
            answered += 1
            if answered % 200 == 0:
                enough.set()

    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "web.sock"))
        sock.listen(64)
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(load)
            for _ in range(4):
                enough = trio.Event()
                async with handed(sock, *args):
                    with trio.fail_after(PATIENCE):
                        await enough.wait()
                assert (tmp_path / "web.sock").is_socket()
            nursery.cancel_scope.cancel()


async def test_a_socket_that_nobody_names_is_told_of(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Who connects to a handed socket that no listener takes would wait for ever, and the log says which; and no bind may reach one that is taken."""
    file = write(tmp_path, ps="ContainerList")["ps"]
    upstream = ("--upstream", f"unix://{fake.path}")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "web.sock"))
        sock.listen(64)
        plain = ("--listen", f"unix://{tmp_path}/p.sock?policy={file}")
        taken = ("--listen", f"fd://web?policy={file}")
        hand_over = [sys.executable, "-c", HAND_OVER, str(sock.fileno()), "web"]
        command = [*hand_over, sys.executable, "-m", "trioproxy", "enforce"]

        async def said(*args: str, ends: bool = False) -> str:
            process = await trio.lowlevel.open_process(
                [*command, *args, *upstream],
                env=environment({}),
                pass_fds=(sock.fileno(),),
                stderr=subprocess.PIPE,
            )
            assert process.stderr is not None
            text = ""
            with trio.fail_after(PATIENCE):
                while " start " not in text and (
                    more := await process.stderr.receive_some()
                ):
                    text += more.decode()
            if not ends:
                process.send_signal(signal.SIGTERM)
            assert await process.wait() == (2 if ends else 0)
            await process.stderr.aclose()
            return text

        told = "hands over a socket called 'web', and no --listen names it"
        assert told in await said(*plain)
        assert told not in await said(*taken)
        file.write_text(
            f"CREATE_BINDS={tmp_path}\nCREATE_IMAGES=x\nALLOW_OPERATIONS=ContainerCreate\n"
        )
        elsewhere = tmp_path.parent / f"{tmp_path.name}-policies" / "ps.env"
        elsewhere.parent.mkdir()
        file.rename(elsewhere)
        refused = await said("--listen", f"fd://web?policy={elsewhere}", ends=True)
        assert f"{tmp_path}/web.sock lies in a folder" in refused


async def test_what_is_handed_over_has_two_descriptors(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Of a socket that is handed over there is a copy, and a name may be that of many: beside 120 and a limit of 400 descriptors 151 clients had a place, of whom the 75th got 502."""
    file = write(tmp_path, ps="ContainerList")["ps"]
    names = ":".join(["web"] * 120)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "web.sock"))
        sock.listen(64)
        few = ["sh", "-c", 'ulimit -n 400 && exec "$@"', "few", sys.executable]
        hand_over = [*few, "-c", HAND_OVER, str(sock.fileno()), names]
        enforce = [sys.executable, "-m", "trioproxy", "enforce"]
        process = await trio.lowlevel.open_process(
            [*hand_over, *enforce, "--listen", f"fd://web?policy={file}"],
            env=environment({"SOCKET_PATH": str(fake.path)}),
            pass_fds=(sock.fileno(),),
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        proxy = Running(process=process, stream=process.stderr)
        told = await proxy.line(" max-connections ")
        await proxy.line(" policy ")
        process.send_signal(signal.SIGTERM)
        assert await proxy.end() == 0
        await process.stderr.aclose()
    assert "max-connections wanted=4000 taken=32 descriptors=400" in told


FOLDERS = {
    "capitals": (["Ps.env"], "can be no container's policy"),
    "too many": ([f"c{number}.env" for number in range(257)], "has 257 policies"),
    "no folder": (None, "cannot read"),
}


@pytest.mark.parametrize(("names", "said"), FOLDERS.values(), ids=FOLDERS)
def test_what_is_no_folder_of_policies(
    names: list[str] | None, said: str, tmp_path: Path
) -> None:
    """Names that two could share, and more than there may be, are errors; what editors leave is none of it."""
    folder = tmp_path / "policies"
    for name in names or ():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("ALLOW_OPERATIONS=\n")
    with pytest.raises(ConfigError, match=said):
        policies_in(str(folder))
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for name in (".hidden.env", "a.env.new", "README.md", "a.env", "b-1.x_y.env"):
        (folder / name).write_text("")
    assert list(policies_in(str(folder))) == ["a", "b-1.x_y"]


def test_a_link_is_no_policy(tmp_path: Path) -> None:
    """Where it leads would choose whose policy it is."""
    (tmp_path / "a.env").write_text("ALLOW_OPERATIONS=\n")
    (tmp_path / "b.env").symlink_to("a.env")
    assert read_unlinked(str(tmp_path / "a.env")) == "ALLOW_OPERATIONS=\n"
    with pytest.raises(ConfigError, match="is a symbolic link"):
        read_unlinked(str(tmp_path / "b.env"))


def mounted(folder: Path, files: dict[str, str], at: str) -> None:
    """A ConfigMap as the kubelet mounts it; anew, as it brings a changed one."""
    (folder / at).mkdir(parents=True)
    for name, text in files.items():
        (folder / at / name).write_text(text)
    (folder / "..data_tmp").symlink_to(at)
    (folder / "..data_tmp").rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


def test_a_config_map_is_a_folder_of_policies(tmp_path: Path) -> None:
    """Its links lead to files of the same names, in the folder of now, and a changed one is there at once."""
    files = {f"{name}.env": f"ALLOW_OPERATIONS={one}\n" for name, one in LISTS.items()}
    mounted(tmp_path, files, "..2026_11_27_07_00_00.1")
    found = policies_in(str(tmp_path))
    assert found.keys() == LISTS.keys()
    for name, path in found.items():
        assert read_unlinked(path) == files[f"{name}.env"]
    mounted(
        tmp_path, {**files, "ps.env": "ALLOW_OPERATIONS=\n"}, "..2026_11_27_07_00_01.2"
    )
    assert read_unlinked(found["ps"]) == "ALLOW_OPERATIONS=\n"


OTHER_LINKS = {
    "another name": ("ps.env", "..data/images.env"),
    "out of the folder": ("ps.env", "../ps.env"),
    "data that leads out": ("..data", "../elsewhere"),
    "data that is the folder above": ("..data", ".."),
    "data that leads to a link": ("..data", "..link"),
}


@pytest.mark.parametrize(("name", "leads"), OTHER_LINKS.values(), ids=OTHER_LINKS)
def test_no_other_link_is_followed(name: str, leads: str, tmp_path: Path) -> None:
    """In a ConfigMap neither: another's name, or what lies elsewhere."""
    text = "ALLOW_OPERATIONS=\n"
    folder = tmp_path / "policies"
    mounted(folder, {"ps.env": text, "images.env": text}, "..1")
    for other in (tmp_path, tmp_path / "elsewhere"):
        other.mkdir(exist_ok=True)
        (other / "ps.env").write_text(text)
    (folder / "..link").symlink_to("../elsewhere")
    (folder / name).unlink()
    (folder / name).symlink_to(leads)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        read_unlinked(str(folder / "ps.env"))


def test_a_file_that_a_config_map_has_no_more(tmp_path: Path) -> None:
    """What is gone from it cannot be read, nor what is a folder or a pipe there."""
    mounted(tmp_path, {"ps.env": "ALLOW_OPERATIONS=\n"}, "..1")
    mounted(tmp_path, {"images.env": "ALLOW_OPERATIONS=\n"}, "..2")
    with pytest.raises(ConfigError, match="cannot read"):
        read_unlinked(str(tmp_path / "ps.env"))
    (tmp_path / "..2" / "ps.env").symlink_to("images.env")
    with pytest.raises(ConfigError, match="is a symbolic link"):
        read_unlinked(str(tmp_path / "ps.env"))


async def test_a_changed_config_map_is_read_again(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """`--watch` on a policy of a listener that lies in one: the kubelet puts a folder in the place of another, and what was refused passes."""
    folder = tmp_path / "policies"
    mounted(folder, {"app.env": "ALLOW_OPERATIONS=ContainerList\n"}, "..1")
    args = listeners(tmp_path, {"app": folder / "app.env"})
    upstream = ("--upstream", f"unix://{fake.path}")
    async with running("enforce", *args, *upstream, "--watch") as proxy:
        await proxy.line(" start ")
        assert await granted(f"unix://{tmp_path}/app.sock") == [200, 403, 403]
        mounted(folder, {"app.env": "ALLOW_OPERATIONS=ImageList\n"}, "..2")
        await proxy.line(" reload client=app ")
        assert await granted(f"unix://{tmp_path}/app.sock") == [403, 200, 403]


def test_a_listener_names_no_file_of_the_folder(tmp_path: Path) -> None:
    """Its clients and a container would be called alike by one file: no name helps then, another folder does, as the hint says."""
    (tmp_path / "policies").mkdir()
    inside = write(tmp_path / "policies", ps="ContainerList")["ps"]
    where = UnixAddress(path="/x")
    config = Config(listen=(where,), upstream=where, policies=str(inside.parent))
    with pytest.raises(ConfigError, match="and in POLICIES that of a container") as no:
        _read_folder(config, {"ps": str(inside)}, Own(id="0" * 64))
    assert no.value.hint.startswith("keep it in another folder")
    moved = inside.rename(tmp_path / "ps.env")
    assert not _read_folder(config, {"ps": str(moved)}, Own(id="0" * 64))


def test_containers_are_known_from_a_container_alone(tmp_path: Path) -> None:
    """Elsewhere `POLICIES` refuses to start, and so it does where no listener asks who somebody is."""
    variables = {"POLICIES": str(tmp_path)}
    done = run("enforce", "--upstream", "tcp://127.0.0.1:1", variables=variables)
    assert done.status == 2
    assert "this process is in none that it can tell" in done.err
    url = f"unix://{tmp_path}/x.sock"
    done = run("enforce", "--listen", url, variables=variables)
    assert done.status == 2
    assert "no listener asks for that" in done.err


def test_a_file_beside_a_folder_judges_nobody() -> None:
    """Who gives a file where a folder judges all clients of TCP is told of the folder: no listener names a policy."""
    done = run("enforce", "app.env", variables={"POLICIES": "/policies"})
    assert done.status == 2
    assert "a policy of its own, or asks POLICIES\nhint: leave it out, or" in done.err
