"""`examples/systemd`: a real systemd starts it, hands it its sockets, hears how it stands."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.commands.running import environment
from tests.fakes import FakeEngine, connect
from tests.markdown import ROOT
from tests.patience import PATIENCE
from tests.service.load import POLICY, Load
from tests.service.systemd import EXAMPLE, PROGRAM, boot, why_not

UNITS = ("trioproxy.service", "trioproxy.socket")
in_thread = trio.to_thread.run_sync
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


@needs_systemd
def test_the_units_are_units(tmp_path: Path) -> None:
    """systemd-analyze finds nothing that it does not know, or that is not there."""
    for name in UNITS:
        text = (EXAMPLE / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"))
    files = [str(tmp_path / one) for one in UNITS]
    command = ["systemd-analyze", "verify", "--man=no", *files]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@needs_systemd
def test_its_exposure_is_what_the_page_says() -> None:
    """`systemd-analyze security` comes to the figure that docs/service.md has."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    command += [str(EXAMPLE / "trioproxy.service")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", ran.stdout)
    assert found
    page = (ROOT / "docs" / "service.md").read_text()
    said = re.search(r"exposure level of ([\d.]+) \((\w+)\)", page)
    assert said
    assert said.groups() == found.groups()


def test_what_is_copied_is_there_and_can_be_read(tmp_path: Path) -> None:
    """The page's lines make each folder that a host may not have, and what the service reads is no file of root's alone."""
    page = (ROOT / "docs" / "service.md").read_text()
    lines = re.findall(r"(?m)^install .*", page)
    script = "\n".join(lines).replace(" /etc/", f" {tmp_path}/etc/")
    app = tmp_path / "app.env"
    app.touch(0o600)
    script = script.replace("&& systemd-sysusers", "").replace(" app.env", f" {app}")
    subprocess.run(["sh", "-euc", f"umask 077; {script}"], cwd=ROOT, check=True)
    copies = [one for one in (tmp_path / "etc").rglob("*") if one.is_file()]
    assert {one.name for one in copies} == {"trioproxy.conf", "app.env", *UNITS}
    assert {one.stat().st_mode & 0o777 for one in copies} == {0o644}
    assert {one.parent.stat().st_mode & 0o777 for one in copies} == {0o755}


def handed(folder: Path, fake: FakeEngine) -> tuple[str, list[str]]:
    """A socket and a command that hands it to the proxy when somebody comes."""
    path = folder / "app.sock"
    (folder / "app.env").write_text(f"{POLICY}\n")
    return f"unix://{path}", [
        *("systemd-socket-activate", f"--listen={path}", "--fdname=app"),
        *("--setenv=SOCKET_PATH=" + str(fake.path), "--setenv=PYTHONWARNINGS=error"),
        *(sys.executable, "-m", "trioproxy", "enforce"),
        *("--listen", f"fd://app?policy={folder}/app.env"),
    ]


@needs_systemd
async def test_a_client_starts_it(fake: FakeEngine, tmp_path: Path) -> None:
    """systemd-socket-activate: the first client starts it and is served, and has nothing of others' policies."""
    address, command = handed(tmp_path, fake)
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            command, env=environment({}), stderr=subprocess.PIPE
        )
        try:
            assert process.stderr is not None
            with trio.fail_after(PATIENCE):
                while b"Listening on" not in await process.stderr.receive_some():
                    assert process.poll() is None
            load = Load(address=address)
            nursery.start_soon(load.run)
            await load.until(3)
            with closing(await connect(address)) as client:
                await client.ask("GET", "/volumes")
                assert (await client.read_response()).status == 403
            nursery.cancel_scope.cancel()
        finally:
            process.send_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True), trio.fail_after(PATIENCE):
                assert await process.wait() == 0
                if process.stderr is not None:
                    await process.stderr.aclose()


SCRIPT = """
systemctl start trioproxy.socket
cd /run/trioproxy
: >listening
cat loaded
show() { systemctl show --property=Type,ActiveState trioproxy.service; }
show
for at in 1 2 3; do systemctl restart trioproxy.service; sleep 0.3; done
systemctl reload trioproxy.service
until grep -q ' reload client=app ' /run/proxy.log; do sleep 0.05; done
while show >shown; ! grep -q ActiveState=active shown; do sleep 0.05; done
cat shown
printf '[Service]\\nType=notify-reload\\nExecReload=\\n' >/run/units/trioproxy.service.d/reload.conf
systemctl daemon-reload
systemctl restart trioproxy.service
systemctl reload trioproxy.service # which waits until it is ready again
show
pid=$(systemctl show --property=MainPID --value trioproxy.service)
cat /proc/$pid/status
id --user trioproxy; getent group docker | cut -d: -f3
: >restarted
cat over
systemctl stop trioproxy.socket trioproxy.service
ls app.sock || echo no socket
cat /run/proxy.log
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
async def test_a_restart_refuses_nobody(fake: FakeEngine, tmp_path: Path) -> None:
    """A real systemd restarts it four times under load: no connection is refused and each request is answered. It hears how it stands, and holds it as tight as the unit says."""
    shared = tmp_path / "run"
    shared.mkdir()
    address = f"unix://{shared}/app.sock"
    load = Load(address=address)

    for name in ("listening", "loaded", "restarted", "over"):
        os.mkfifo(shared / name)

    async def said_at(name: str) -> None:
        with trio.fail_after(PATIENCE):
            await in_thread((shared / name).read_text, abandon_on_cancel=True)

    async def say_at(name: str) -> None:
        with trio.fail_after(PATIENCE):
            await in_thread((shared / name).write_text, "", abandon_on_cancel=True)

    command = boot(shared, fake.path, SCRIPT, POLICY)
    process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL)
    try:
        await said_at("listening")
        async with trio.open_nursery() as loading:
            loading.start_soon(load.run)
            await load.until(3)
            await say_at("loaded")
            await said_at("restarted")
            loading.cancel_scope.cancel()
        await say_at("over")
        with trio.fail_after(PATIENCE):
            await process.wait()
    finally:
        process.kill()  # and with it all that is in there
    _check((shared / "said").read_text())


def _check(said: str) -> None:
    """What systemd and the kernel have said of it."""
    told = "ActiveState=active\n"
    assert said.count(f"Type=notify\n{told}") == 2, said
    assert said.count(f"Type=notify-reload\n{told}") == 1, said
    status = dict(re.findall(r"(?m)^(\w+):\t(.*)$", said))
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {int(status[f"Cap{one}"], 16) for one in ("Prm", "Eff", "Bnd", "Amb")} == {0}
    uid, docker = re.findall(r"(?m)^(\d+)$", said)
    assert set(status["Uid"].split()) == {uid} != {"0"}
    assert docker in status["Groups"].split()
    assert "no socket" in said
    assert said.count(" notice stop") == 5
    assert said.count(" reload client=app ") == 2
    assert "supervisor-lost" not in said
    assert " hardened " not in said
