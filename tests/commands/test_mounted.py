"""A policy that is mounted, by itself or in its folder, replaced on the host and approved.

Each runs in a mount namespace of its own, as in a container; the "host" is outside.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.commands.running import environment, run, running
from tests.commands.test_enforce import ANY_PORT, hash_in
from tests.engine import may_unshare
from tests.fakes import FakeEngine
from tests.learning.test_proposal import seen_route
from tests.patience import PATIENCE
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Who

pytestmark = pytest.mark.skipif(not may_unshare(), reason="no mount namespaces")

LISTS = "ALLOW_OPERATIONS=ContainerList\n"
BY_ITSELF = "is mounted by itself"


class Host:
    """A host with a policy, and a container that has it mounted at `file`."""

    def __init__(self, folder: Path, *, by_itself: bool) -> None:
        self.policy = folder / "host" / "app.env"
        self.file = folder / "container" / "app.env"
        self.live = folder / "live.jsonl"
        for path in (self.policy, self.file):
            path.parent.mkdir()
            path.write_text(LISTS)
        evidence = Evidence()
        evidence.begin("2026-11-24T10:15:00Z-1", 1_795_515_300)
        shape, when = seen_route("VolumeList"), When(1_795_515_300)
        evidence.observe(shape, "refused", when, Who())
        self.live.write_text(dump(evidence))
        pair = (self.policy, self.file)
        source, target = pair if by_itself else (one.parent for one in pair)
        script = f'mount --bind {source} {target} && exec "$@"'
        self.inside = ("unshare", "--mount", "sh", "-c", script, "sh")

    def write(self, text: str) -> None:
        """Put a new file in the place of the old one, as editors do."""
        new = self.policy.with_suffix(".new")
        new.write_text(text)
        new.rename(self.policy)

    def approve(self, *inside: str, file: Path) -> subprocess.CompletedProcess[str]:
        """Allow what was refused."""
        words = ("approve", str(file), str(self.live), "--yes")
        return subprocess.run(
            [*inside, sys.executable, "-m", "trioproxy", *words, "VolumeList"],
            env=environment({}),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


async def policy_of(address: str) -> tuple[str, bool]:
    """What a health check is told: the hash of the policy in force, and if it is stale."""
    told = await trio.to_thread.run_sync(run, "health", "--json", address)
    data = json.loads(told.out)
    return data["policy"], data["stale"]


@pytest.mark.parametrize("by_itself", [True, False], ids=["file", "folder"])
async def test_what_is_said_is_in_force(
    fake: FakeEngine, tmp_path: Path, by_itself: bool
) -> None:
    """A file that is mounted by itself is told at the start; when it is replaced, by approve
    too, the proxy says that it has the old one, and so does health. In a mounted folder it
    counts at once, until that folder is another one: then the same is said of that. Approve
    itself names the policy that health has to name."""
    host = Host(tmp_path, by_itself=by_itself)
    options = ("--listen", ANY_PORT, "--upstream", str(fake.path), "--watch")
    enforce = ("enforce", str(host.file), *options)
    async with running(*enforce, inside=host.inside) as proxy:
        if by_itself:
            line = await proxy.line(BY_ITSELF)
            assert " warning warning " in line
            assert "mount its folder" in line
        start = await proxy.line(" start ")
        address = start.partition("listen=")[2].split()[0]
        assert by_itself or BY_ITSELF not in proxy.text
        done = await trio.to_thread.run_sync(lambda: host.approve(file=host.policy))
        said = " ".join(done.stderr.split())
        (written,) = re.findall(r"its policy is ([0-9a-f]{8})", said)
        assert "it is in force where trioproxy health names that policy" in said
        assert "from now on" not in said
        if by_itself:
            line = await proxy.line(" reload-failed ")
            assert "was replaced on the host" in line
            assert await policy_of(address) == (hash_in(start), True)
        else:
            assert hash_in(await proxy.line(" reload ")) == written
            assert await policy_of(address) == (written, False)
            shutil.rmtree(host.policy.parent)
            host.policy.parent.mkdir()
            host.write(LISTS)
            line = await proxy.line(" reload-failed ")
            assert f"{host.file.parent} was replaced on the host" in line


def test_approve_replaces_no_mount(tmp_path: Path) -> None:
    """In the container, a file that is mounted by itself cannot be replaced: that is said
    before anything is written."""
    host = Host(tmp_path, by_itself=True)
    before = sorted(path for path in tmp_path.rglob("*"))
    done = host.approve(*host.inside, file=host.file)
    assert done.returncode == 2
    assert (
        f"{BY_ITSELF}: no new file can take its place\nhint: mount its folder"
        in done.stderr
    )
    assert host.policy.read_text() == LISTS
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_approve_in_a_folder_that_is_read_only(tmp_path: Path) -> None:
    """Where the folder of policies is mounted read-only, as docs/stack.md has it, what a refusal tells to do says where it can be done."""
    host = Host(tmp_path, by_itself=False)
    *unshared, script, name = host.inside
    read_only = script.replace("--bind", "--bind -o ro")
    done = host.approve(*unshared, read_only, name, file=host.file)
    assert done.returncode == 2
    assert done.stderr == (
        f"trioproxy: cannot write {host.file}: Read-only file system\nhint: it is read-only here:"
        " do this where it is not, as on the host of a container, or mount a folder that can be"
        " written\n"
    )
    assert host.policy.read_text() == LISTS


def test_approve_in_a_mounted_folder(tmp_path: Path) -> None:
    """In the container, a file in a mounted folder is replaced on the host as well."""
    host = Host(tmp_path, by_itself=False)
    assert host.approve(*host.inside, file=host.file).returncode == 0
    assert "VolumeList" in host.policy.read_text()
