"""What goes on of a tar, read by Go's archive/tar: that is the Engine's own reader."""

import base64
import fcntl
import hashlib
import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.depth import by_depth
from tests.http.test_tar import ACCEPTED, REFUSED
from tests.tars import END, header, pax, signed, told
from trioproxy.errors import BadBody
from trioproxy.http.tar import Rewriter, TarEntry

SOURCE = Path(__file__).parents[1] / "go" / "readtar" / "main.go"
pytestmark = pytest.mark.slow
"""The compiler takes a third of the time of `make quick`."""

MUTATIONS = by_depth(500, 10_000)
KINDS = {ord(kind) for kind in "01256"}


class Go:
    """A reader by Go's archive/tar, which is asked about one tar after the other."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout

    def read(self, data: bytes) -> tuple[list[dict[str, Any]], str]:
        """The entries of a tar, and what ended it."""
        self._in.write(struct.pack(">I", len(data)) + data)
        self._in.flush()
        found = json.loads(self._out.readline())
        return found["Entries"] or [], found["Error"]


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Go]:
    """The program of `tests/go`, compiled, and running."""
    if shutil.which("go") is None:
        pytest.skip("no Go compiler")
    program: Path = tmp_path_factory.mktemp("go") / "readtar"
    cache = Path(sys.prefix) / "go-build"
    cache.mkdir(exist_ok=True)
    settings = {"GOCACHE": str(cache), "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    # In two thirds of the time, of which Go's own library takes nearly all.
    settings |= {"CGO_ENABLED": "0", "GOFLAGS": "-gcflags=all=-l"}
    with (cache / "lock").open("w") as lock:  # the first of many workers compiles
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = ["go", "build", "-o", str(program), str(SOURCE)]
        subprocess.run(build, env=os.environ | settings, check=True)
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Go(process)
        assert process.stdin is not None
        process.stdin.close()


def as_go_says(entry: TarEntry) -> dict[str, Any]:
    """An entry in the words of the program, but for contents and times before 1970."""
    seconds, _, fraction = entry.mtime.decode().partition(".")
    nanoseconds = int(fraction.ljust(9, "0") or "0")
    return {
        "Kind": ord(entry.kind),
        "Name": base64.b64encode(entry.name).decode(),
        "Link": base64.b64encode(entry.link).decode(),
        "Size": entry.size,
        "Mode": entry.mode,
        "Uid": entry.uid,
        "Gid": entry.gid,
        "Mtime": [int(seconds), nanoseconds],
    }


def assert_as_written(go: Go, data: bytes) -> bool:
    """If a tar passes, Go finds in it what the rewriter wrote; whether it passes."""
    try:
        out, entries = told(data)
    except BadBody:
        return False
    found, error = go.read(out)
    assert error == ""
    for one, entry in zip(found, entries, strict=True):
        expected = as_go_says(entry)
        if entry.mtime.startswith(b"-"):
            expected["Mtime"] = one["Mtime"]
        assert expected == {key: one[key] for key in expected}
        assert one["Kind"] in KINDS
        read = {"path", "linkpath", "size", "uid", "gid", "mtime", "atime"}
        kept = {k: v for k, v in (one["Records"] or {}).items() if k not in read}
        assert kept == {
            key.decode(errors="replace"): base64.b64encode(value).decode()
            for key, value in entry.attributes
        }
    return True


def samples() -> list[bytes]:
    """Tars of all that is accepted and of all that is refused, and whole ones."""
    made = [*(ACCEPTED[name] for name in ACCEPTED), *(one for one, _ in REFUSED.values())]  # fmt: skip
    whole = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            for name, kind, data in [
                ("d/", b"5", b""), ("d/f", b"0", bytes(700)), ("n" * 95, b"0", b"x"), ("d/l", b"2", b""),
                ("d/h", b"1", b""), ("käse", b"0", header(b"sda", b"4") + END), ("q", b"6", b""),
            ]:  # fmt: skip
                info = tarfile.TarInfo(name if form == 0 else name * 3)
                info.type, info.size = kind, len(data)
                info.mtime, info.uid = 1_700_000_000, 1000
                info.linkname = "d/f" if kind in {b"1", b"2"} else ""
                tar.addfile(info, io.BytesIO(data))
        whole.append(out.getvalue())
    return [one + END for one in made if len(one) < 10_000] + whole * 20


def mutated(data: bytes, random: random.Random) -> bytes:
    """A tar with some headers changed, blocks moved, doubled or dropped; all are signed."""
    blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(blocks))
        match random.randrange(8):
            case 0:
                del blocks[at]
            case 1:
                blocks.insert(at, random.choice(blocks))
            case 2:
                blocks.insert(at, random.choice(PIECES))
            case 3:
                blocks[at] = changed_pax(blocks[at], random)
            case _:
                blocks[at] = changed(blocks[at], random)
        blocks = blocks or [bytes(512)]
    return b"".join(blocks)


FIELDS = [(0, 100), (100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155), (500, 12)]  # fmt: skip
VALUES = [b"\0", b"\x80" + bytes(10) + b"\5", b"\xff" * 12, b"00000000005\0", b"00000001000\0", b" 5", b"ustar\x0000", b"ustar  \0", b"../x", b"d/", b"BZh9", b"\x1f\x8b\x08\0", b"\xe4", b"00000000000\0", bytes(12), b"7" * 12]  # fmt: skip
KIND_VALUES = [bytes([one]) for one in b"\x000123456789DKLMSVXxgN"]
PIECES = [
    header(b"sda", b"4"), header(b"x", b"0", size=b"00000001000"), header(b"l", b"2", link=b"t"), bytes(512),
    *(one[at : at + 512] for one in [pax((b"size", b"512")), pax((b"path", b"q"))] for at in (0, 512)),
]  # fmt: skip
RECORDS = [b"size=5", b"size=1024", b"path=sda", b"linkpath=x", b"GNU.sparse.size=9", b"GNU.sparse.major=1", b"uid=0", b"hdrcharset=BINARY", b"SCHILY.realsize=9", b"mtime=1.5", b"SCHILY.xattr.user.a=b", b"path=a/", b"path=\xe4"]  # fmt: skip


def changed(block: bytes, random: random.Random) -> bytes:
    """A block with one field of a header, or a byte, replaced."""
    made = bytearray(block.ljust(512, b"\0"))
    at, width = random.choice(FIELDS)
    value = random.choice(KIND_VALUES if width == 1 else VALUES)[:width]
    if random.random() < 0.2:
        at, value = random.randrange(512), bytes([random.randrange(256)])
    made[at : at + len(value)] = value
    return signed(made) if random.random() < 0.9 else bytes(made)


def changed_pax(block: bytes, random: random.Random) -> bytes:
    """A block of other records in place of these, as many bytes as a header may announce."""
    told = random.sample(RECORDS, random.randint(1, 3))
    lines = b"".join(b"%d %s\n" % (len(one) + 4, one) for one in told if len(one) > 5)
    return lines.ljust(512, b"\0")[:512] if random.random() < 0.5 else block


@pytest.mark.deep
def test_go_reads_what_was_written(go: Go) -> None:
    """Whatever passes of seeded mutations, Go reads the same entries of it, and no node."""
    chance = random.Random(25)
    whole = samples()
    passed = 0
    for _ in range(MUTATIONS):
        passed += assert_as_written(go, mutated(chance.choice(whole), chance))
    assert MUTATIONS / 20 < passed < MUTATIONS * 19 / 20


@pytest.mark.parametrize("name", ACCEPTED)
def test_go_reads_each_accepted_form(go: Go, name: str) -> None:
    """Each accepted form goes on as what the rewriter says it is, of which Go sees the same."""
    assert assert_as_written(go, ACCEPTED[name] + END)


def test_go_takes_the_end_of_an_entry_for_the_end(go: Go) -> None:
    """Who leaves out the zeros sends the Engine what it gets from us with them."""
    data = pax((b"path", b"p" * 200)) + header()
    for came in (data, data + END[:512]):
        for read in (came, told(came)[0]):
            found, error = go.read(read)
            names = [base64.b64decode(one["Name"]) for one in found]
            assert (names, error) == ([b"p" * 200], "")


def test_go_finds_the_same_contents(go: Go) -> None:
    """Contents that are themselves a tar with a node stay contents."""
    for data in samples()[-3:]:
        out = told(data)[0]
        found, _ = go.read(out)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            sums = [
                hashlib.sha256(content.read() if content else b"").digest()
                for content in (tar.extractfile(one) if one.isreg() else None for one in tar)
            ]  # fmt: skip
        assert [base64.b64decode(one["Sum"]) for one in found] == sums


def test_go_reads_a_node_where_nothing_is_written_anew(go: Go) -> None:
    """The counterpart: of tars that are refused here, Go makes nodes, and other entries."""
    nodes = [go.read(data + END)[0] for data, _ in REFUSED.values()]
    assert any(one["Kind"] == ord("4") for entries in nodes for one in entries)
    hidden = pax((b"size", b"0")) + header(size=b"00000001000") + header(b"sda", b"4")
    assert go.read(hidden + END)[0][-1]["Kind"] == ord("4")
    with pytest.raises(BadBody):
        Rewriter().feed(hidden)
