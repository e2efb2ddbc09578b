"""What a serving proxy gives up once it is bound, and what it keeps for its files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trioproxy.proxy.harden import CHOWN, DAC_OVERRIDE, FOWNER, Use, needed

OTHER = 65_534
RW = os.R_OK | os.W_OK

PROGRAM = """
import ctypes, os, sys, threading
from pathlib import Path
from trioproxy.proxy.harden import Use, harden

found = harden([Use(path=path, access=os.R_OK) for path in sys.argv[1:]])
assert found.failed == (), found
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
told = []
read = lambda: told.append(Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text())
thread = threading.Thread(target=read)
thread.start()
thread.join()
fields = dict(line.split(":", 1) for line in told[0].splitlines())
assert fields["NoNewPrivs"].strip() == "1"
kept = sum(1 << {"chown": 0, "dac_override": 1, "fowner": 3}[name] for name in found.kept)
for name in ("CapEff", "CapPrm"):
    assert int(fields[name], 16) == kept, fields
assert int(fields["CapInh"], 16) == 0
for path in sys.argv[1:]:
    open(path).close()
print(",".join(found.kept))
"""


def hardened(*paths: Path) -> str:
    """What a program keeps that hardens itself and then reads these files."""
    command = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_all_is_given_up(tmp_path: Path) -> None:
    """No new privileges, no dumps, no capability, in threads that start later as well."""
    path = tmp_path / "file"
    path.write_text("x")
    assert hardened(path) == ""


def test_what_a_file_needs_is_kept(tmp_path: Path) -> None:
    """Root goes on to read a file that only its owner may, and keeps nothing else."""
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o600)
    is_root = os.geteuid() == 0
    os.chown(path, OTHER if is_root else -1, -1)
    assert hardened(path) == ("dac_override" if is_root else "")


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "access", "capabilities"),
    [
        pytest.param(0o600, os.getuid(), (), RW, set(), id="owner"),
        pytest.param(0o400, os.getuid(), (), RW, {DAC_OVERRIDE}, id="owner-may-not"),
        pytest.param(0o660, OTHER, (os.getgid(),), RW, set(), id="group"),
        pytest.param(0o606, OTHER, (os.getgid(),), RW, {DAC_OVERRIDE}, id="group-may-not"),
        pytest.param(0o666, OTHER, (), RW, set(), id="everybody"),
        pytest.param(0o600, OTHER, (OTHER,), os.R_OK, {DAC_OVERRIDE}, id="nobody"),
    ],
)  # fmt: skip
def test_by_the_mode(
    mode: int,
    uid: int,
    groups: tuple[int, ...],
    access: int,
    capabilities: set[int],
) -> None:
    """Who may do without a capability needs none; the kernel's first match counts."""
    path = Path("/dev/shm") / f"trioproxy-{os.getpid()}-{mode:o}"
    path.touch()
    try:
        path.chmod(mode)
        assert needed([Use(path=str(path), access=access)], uid, groups) == capabilities
    finally:
        path.unlink()


def test_a_folder_above_counts(tmp_path: Path) -> None:
    """A file that everybody may read is out of reach below a closed folder."""
    path = tmp_path / "file"
    path.touch(mode=0o644)
    tmp_path.chmod(0o700)
    use = Use(path=str(path), access=os.R_OK)
    assert needed([use], OTHER, ()) == {DAC_OVERRIDE}
    assert needed([use], os.getuid(), ()) == set()


def test_what_is_not_there_yet(tmp_path: Path) -> None:
    """Of a file that may come later nothing is known: the capability stays."""
    use = Use(path=str(tmp_path / "later.sock"), access=RW)
    assert needed([use]) == {DAC_OVERRIDE}


def test_giving_a_file_back(tmp_path: Path) -> None:
    """A file of another owner is written for that owner, which takes three of them."""
    path = tmp_path / "live.jsonl"
    path.touch(mode=0o666)
    use = Use(path=str(path), access=os.R_OK, is_given_back=True)
    assert needed([use], OTHER, ()) == {CHOWN, DAC_OVERRIDE, FOWNER}
    assert needed([use], os.getuid(), ()) == set()
