"""A tar that goes in has one reading or none, and goes on in one form."""

import base64
import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tars import END, before, file, header, padded, pax, rewritten, signed, told
from trioproxy.errors import BadBody
from trioproxy.http.tar import (
    EXTENSION_LIMIT,
    NAME_LIMIT,
    PACKED,
    PIECE,
    Looker,
    Rewriter,
)

LONG = "n" * 150
LONGER = "/".join(["m" * 200] * 3)
Members = list[tuple[str, bytes, str, int, int, int, int, float, bytes]]


def members(data: bytes) -> Members:
    """What Python's reader finds in a tar, all of it but the names of owners."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [
            (
                one.name, one.type.replace(b"\0", b"0"), one.linkname, one.size, one.mode & 0o7777, one.uid, one.gid, one.mtime,
                tar.extractfile(one).read() if one.isreg() else b"",  # type: ignore[union-attr]
            )
            for one in tar
        ]  # fmt: skip


# -- what passes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all that `docker cp` sends."""
    folder: Path = tmp_path_factory.mktemp("tree")
    (folder / "empty").write_bytes(b"")
    (folder / "block").write_bytes(bytes(range(256)) * 2)
    (folder / "sub").mkdir()
    (folder / "sub" / "hello").write_text("hello")
    os.link(folder / "sub" / "hello", folder / "sub" / "hard")
    (folder / "sub" / "soft").symlink_to("../empty")
    os.mkfifo(folder / "fifo")
    (folder / "sub" / "hello").chmod(0o4755)
    os.utime(folder / "block", ns=(10**18, 10**18 + 5))
    return folder


def by(*command: str) -> Callable[[Path], bytes]:
    """Write a folder as a tar by a program."""

    def write(folder: Path) -> bytes:
        done = subprocess.run(
            [*command, "-C", folder, "-cf", "-", "."], check=True, capture_output=True
        )
        return done.stdout

    return write


def by_python(form: int) -> Callable[[Path], bytes]:
    """Write a folder as a tar by Python's tarfile."""

    def write(folder: Path) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            tar.add(folder, arcname=".")
        return out.getvalue()

    return write


WRITERS = {
    "GNU tar": by("tar", "--format=gnu"),
    "GNU tar, incremental": by("tar", "--format=gnu", "--atime-preserve"),
    "GNU tar, old": by("tar", "--format=oldgnu"),
    "GNU tar, pax": by("tar", "--format=posix"),
    "GNU tar, ustar": by("tar", "--format=ustar"),
    "GNU tar, v7": by("tar", "--format=v7", "--exclude=fifo"),
    "busybox tar": by("busybox", "tar"),
    "Python, GNU": by_python(tarfile.GNU_FORMAT),
    "Python, pax": by_python(tarfile.PAX_FORMAT),
    "Python, ustar": by_python(tarfile.USTAR_FORMAT),
}
LIMITED = {"GNU tar, ustar", "GNU tar, v7", "Python, ustar"}
"""Forms that hold no long names."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_tar_of_any_writer_means_the_same(writer: str, folder: Path) -> None:
    """Each entry, with contents, modes, owners, times and links, is there as it was."""
    data = WRITERS[writer](folder)
    out = rewritten(data)
    assert members(out) == members(data)
    assert len(members(out)) == 8 - (writer == "GNU tar, v7")
    assert rewritten(data, 1) == rewritten(data, 511) == out == rewritten(out)


@pytest.mark.parametrize("writer", sorted(WRITERS.keys() - LIMITED))
def test_long_and_foreign_names_pass(writer: str, tmp_path: Path) -> None:
    """Names of more than 100 and 255 bytes, and of any characters, of files and of links."""
    for name in (LONG, LONGER, "käse", "日本"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ("l" * 101)).symlink_to(LONG * 3)
    os.link(tmp_path / LONG, tmp_path / "zz")
    (tmp_path / "z").symlink_to("käse")
    data = WRITERS[writer](tmp_path)
    out = rewritten(data, 100)
    assert members(out) == members(data)
    assert rewritten(out) == out


TAR_FS = (
    "c-rlkK~BRk5JkQ2DSU#|Gakom*t6sct{PF)C`C;x<v`qoi`53H&>(e%-O&8EaTI6a(d7U6u2g=EG2S^HSMtvMT+e6{$Kt(__#8jC)"
    "@$VooJ}43L)gco{6Ueaj`R9Y2xa<Ti(Kn}J?_77+DHGhvuWCPw@_fFJcr?_3F~HmL;q*Cm-;96$^VBEhnu<n$?CUo*gUqo?qxw%bo"
    "<(EKi{lx1k7k|`u~;xh-+r882Zmne_Ty5|9fwd|L;iu*YkfA`=$PgB+Y;HKmYuH_?rLG2bSB9_rAgS#r!XR|EID3jTPMgi<A!u%$nr"
    ";>B={${6}P?B`B_{Wq|(g-v2pnj`LsoUy%O_<iA?J17J5vkVujLp#Mw^kN^Mx%#st+FFo!"
)
"""A folder of short, long and foreign names and links, by tar-fs 3 of node."""


def test_a_tar_of_node_means_the_same() -> None:
    """What tar-fs, of dockerode and of devcontainers, writes."""
    data = zlib.decompress(base64.b85decode(TAR_FS))
    out = rewritten(data)
    assert members(out) == members(data)
    assert len(members(out)) == 7


ACCEPTED = {
    "empty tar": b"",
    "file": file(),
    "old file": header(kind=b"\0", size=b"00000000001") + padded(b"x"),
    "old folder": header(b"d/", b"\0", magic=bytes(8)),
    "folder without a slash": header(b"d", b"5"),
    "prefix": header(b"f", tail=bytes(80) + b"a/b"),
    "name of 100 bytes": header(b"n" * 100),
    "spaces around a number": header(size=b"       5  \0") + padded(b"hello"),
    "no number": header(patches=((108, bytes(8)),)),
    "large owner": header(patches=((108, b"\x80\0\0\0\xff\xff\xff\xff"),)),
    "large size in base 256": header(b"d", b"5", size=b"\x80" + bytes(11)),
    "mode with the type": header(patches=((100, b"0100644"),)),
    "GNU times": header(magic=b"ustar  \0", tail=bytes(80) + b"14524732777\0" * 2),
    "long name": before(b"L", b"n" * 300 + b"\0") + header(),
    "long name and link": before(b"K", b"k" * 300 + b"\0")
    + before(b"L", b"n" * 300 + b"\0")
    + header(kind=b"1", link=b"k"),
    "pax": pax((b"path", b"p" * 300)) + header(),
    "pax, same size": pax((b"size", b"5")) + file(),
    "pax, what nobody reads": pax((b"comment", b"x\0y\n"), (b"VENDOR.a", b""), (b"ctime", b"x"))
    + header(),
    "pax, times": pax((b"mtime", b"-1.500"), (b"atime", b"1700000000.123456789123")) + header(),
    "pax, attributes": pax(
        (b"SCHILY.xattr.security.capability", b"\1\0\0\2=\n\0"), (b"SCHILY.xattr.user.a", b"")
    )
    + header(),
    "name like gzip": header(b"\x1f\x8c\x08"),
    "name in Latin-1": header(b"k\xe4se"),
    "name with control bytes": header(b"a\nb\x1b"),
    "more padding": END * 9,
    "odd padding": END + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_form_that_passes(name: str) -> None:
    """Each form that is accepted is so whole, byte by byte and cut in two anywhere."""
    data = ACCEPTED[name] + END
    out = rewritten(data)
    assert out == rewritten(data, 1) == rewritten(out)
    for at in range(1, len(data), 37):
        rewriter = Rewriter()
        pieces = rewriter.feed(data[:at]) + rewriter.feed(data[at:])
        assert b"".join(pieces) + rewriter.end() == out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pax, what nobody reads", []),
        ("pax, times", [b"14 mtime=-1.5\n", b"30 atime=1700000000.123456789\n"]),
        (
            "pax, attributes",
            [b"SCHILY.xattr.security.capability=\1\0\0\2=\n\0\n", b"xattr.user.a=\n"],
        ),
        ("pax, same size", []),
        ("large owner", [b"18 uid=4294967295\n"]),
    ],
)
def test_what_goes_on_of_pax(name: str, words: list[bytes]) -> None:
    """What the Engine reads and a header does not hold goes on, and nothing else."""
    out = rewritten(ACCEPTED[name] + END)
    assert all(word in out for word in words)
    assert (b"PaxHeader" in out) == bool(words)


def test_other_attributes_are_left_out() -> None:
    """A namespace that Linux does not have, as macOS writes it, is nothing to the Engine."""
    out = rewritten(pax((b"SCHILY.xattr.com.apple.x", b"1")) + header() + END)
    assert out == rewritten(header() + END)


@pytest.mark.parametrize(
    "start", [b"BZh91AY", b"\x1f\x8b\x08", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"P*M\x18"]
)
def test_no_name_makes_a_tar_look_packed(start: bytes) -> None:
    """By a name behind a pax header the first bytes are never those of what is packed."""
    assert PACKED.match(start + b"\0")
    out = rewritten(pax((b"path", start)) + header() + END)
    assert not PACKED.match(out)
    assert members(out)[0][0].encode("utf-8", "surrogateescape") == start
    with pytest.raises(BadBody, match="is packed"):
        rewritten(header(start) + END)


def test_a_file_beyond_octal_digits_has_its_size_everywhere() -> None:
    """In base 256 and in pax: a reader of either finds where the contents end."""
    size = 9 << 30
    rewriter = Rewriter()
    told_by_go = pax((b"size", b"%d" % size)) + header()
    (out,) = (piece for piece in rewriter.feed(told_by_go) if piece)
    assert rewriter.unseen == size
    assert b"size=%d\n" % size in bytes(out)
    assert tarfile.TarInfo.frombuf(bytes(out)[-512:], "utf-8", "strict").size == size
    again = Rewriter()
    assert b"".join(again.feed(out)) == out
    assert again.unseen == size


# -- what is refused ---------------------------------------------------------------

LATIN = header(b"\xe4")
WITH_SIGNS = LATIN[:148] + b"%06o" % (int(LATIN[148:154], 8) - 256) + LATIN[154:]
"""Its checksum counts bytes from 128 on as negative ones."""

REFUSED = {
    "character device": (header(b"dev/x", b"3"), "entry dev/x of the tar is a character device"),
    "block device": (header(b"sda", b"4"), "sda of the tar is a block device"),
    "block device by pax": (pax((b"path", b"f")) + header(kind=b"4"), "is a block device"),
    "global header": (before(b"g", b"9 path=f\n") + file(), "a header for all entries behind it"),
    "sparse file": (header(kind=b"S", magic=b"ustar  \0"), "is a sparse file"),
    "sparse by pax": (pax((b"GNU.sparse.major", b"1")) + file(), "is a sparse file"),
    "label": (header(kind=b"V"), "is of the type 'V', which is not taken"),
    "volume": (header(kind=b"M"), "is of the type 'M', which is not taken"),
    "dump": (header(kind=b"D"), "is of the type 'D', which is not taken"),
    "contiguous": (header(kind=b"7"), "is of the type '7', which is not taken"),
    "solaris": (header(kind=b"X"), "is of the type 'X'"),
    "name escaped": (header(b"a\x1b[1m\n b", b"4"), r"""entry "a\x1b[1m\x0a b" of the tar"""),
    "negative size": (header(size=b"\xff" * 12), "bad number"),
    "negative owner": (header(patches=((108, b"\xff" * 8),)), "bad number"),
    "negative time": (header(patches=((136, b"\xff" * 12),)), "bad number"),
    "too large a size": (header(size=b"\x80" + b"\x7f" * 11), "bad number"),
    "other base 256": (header(size=b"\x81" + bytes(10) + b"\5") + file(), "bad number"),
    "mode in base 256": (header(patches=((100, b"\xc0" + bytes(7)),)), "bad number"),
    "number with a NUL in it": (header(size=b"1\x00000000005"), "bad number"),
    "number with a sign": (header(size=b"-0000000005"), "bad number"),
    "hexadecimal": (header(size=b"0x00000005\0"), "bad number"),
    "NUL before a number": (header(size=b"\0" + b"0" * 10 + b"5"), "bad number"),
    "too large an owner": (pax((b"uid", b"4294967296")) + file(), "no user or group has"),
    "checksum": (header()[:-1] + b"x", "bad checksum"),
    "no checksum": (header()[:148] + bytes(8) + header()[156:], "bad checksum"),
    "signed checksum": (WITH_SIGNS, "bad checksum"),
    "no tar": (b"hello world" * 100, "bad checksum"),
    "size twice": (pax((b"size", b"1024")) + file(), "two sizes, 5 and 1,024"),
    "size in pax alone": (pax((b"size", b"1024")) + header(), "two sizes, 0 and 1,024"),
    "size 0 in pax": (pax((b"size", b"0")) + file(), "two sizes, 5 and 0"),
    "size of a hard link": (header(kind=b"1", link=b"x", size=b"00000000005"), "is no file"),
    "size of a link": (header(kind=b"2", link=b"x", size=b"00000000005"), "is no file"),
    "size of a folder": (header(b"d/", b"5", size=b"00000001000"), "is no file, and has"),
    "size of a FIFO": (header(kind=b"6", size=b"00000001000"), "is no file, and has"),
    "size of an old folder": (header(b"d/", b"\0", size=b"00000001000"), "is no file"),
    "size of a folder by pax": (
        pax((b"size", b"%d" % (9 << 30))) + header(b"d/", b"5"),
        "is no file, and has",
    ),
    "file like a folder": (header(b"d/"), "is a file, and by its name a folder"),
    "old folder by pax": (pax((b"path", b"d/")) + file(), "by its name a folder"),
    "behind the end": (END + file(), "goes on behind its end"),
    "byte behind the end": (END + bytes(100) + b"x", "goes on behind its end"),
    "one block of zeros": (bytes(512) + file(), "goes on behind a block of zeros"),
    "end before an entry": (pax((b"path", b"f")), "ends where an entry is announced"),
    "two pax headers": (pax((b"path", b"f")) * 2 + file(), "is said twice"),
    "two long names": (before(b"L", b"a") * 2 + file(), "is said twice"),
    "two long links": (before(b"K", b"a") * 2 + file(), "is said twice"),
    "pax and long name": (pax((b"path", b"f")) + before(b"L", b"a") + file(), "is said twice"),
    "long link and pax": (before(b"K", b"a") + pax((b"path", b"f")) + file(), "is said twice"),
    "empty pax": (before(b"x", b"") + file(), "has 0 bytes"),
    "large pax": (before(b"x", bytes(EXTENSION_LIMIT + 1)), "and may have 65,536"),
    "huge long name": (header(kind=b"L", size=b"77777777777"), "and may have 65,536"),
    "same key": (pax((b"path", b"a"), (b"path", b"a")) + file(), "'path' stands twice"),
    "same unknown key": (pax((b"q", b"a"), (b"q", b"a")) + file(), "'q' stands twice"),
    "record too long": (before(b"x", b"99 path=a\n") + file(), "bad record"),
    "record too short": (before(b"x", b"5 path=a\n") + file(), "bad record"),
    "record without end": (before(b"x", b"10 path=ab") + file(), "bad record"),
    "record without =": (before(b"x", b"7 path\n") + file(), "bad record"),
    "record without key": (before(b"x", b"5 =a\n") + file(), "bad record"),
    "record with a sign": (before(b"x", b"+10 path=a\n") + file(), "bad record"),
    "record with zeros": (before(b"x", b"010 path=a\n") + file(), "bad record"),
    "NUL behind records": (before(b"x", b"9 path=a\n\0\0") + file(), "bad record"),
    "NUL in a key": (before(b"x", b"11 pa\0th=a\n") + file(), "bad record"),
    "empty path": (pax((b"path", b"")) + file(), "path is empty"),
    "empty size": (pax((b"size", b"")) + file(), "size is empty"),
    "size with a sign": (pax((b"size", b"+5")) + file(), "bad number '+5'"),
    "size with zeros": (pax((b"size", b"05")) + file(), "bad number '05'"),
    "size in hexadecimal": (pax((b"size", b"0x5")) + file(), "bad number"),
    "time": (pax((b"mtime", b"1e9")) + file(), "bad time '1e9'"),
    "NUL in a path": (pax((b"path", b"a\0b")) + file(), "a NUL in one"),
    "NUL in a long name": (before(b"L", b"a\0b") + file(), "a NUL in one"),
    "NUL in a name": (header(b"a\0b"), "a NUL in one"),
    "NUL in a link": (header(kind=b"2", link=b"a\0b"), "a NUL in one"),
    "no name": (header(b""), "an empty name"),
    "no name behind a prefix": (header(b"", tail=bytes(80) + b"p"), "an empty name"),
    "no link": (header(kind=b"1"), "an empty name"),
    "empty long name": (before(b"L", bytes(5)) + file(), "an empty name"),
    "too long a name": (before(b"L", b"n" * (NAME_LIMIT + 1)) + file(), "longer than 4,095"),
    "star": (header(patches=((508, b"tar\0"),)), "readers of tar differ on"),
    "bytes behind a prefix": (header(patches=((500, b"1"),)), "readers of tar differ on"),
    "GNU with a prefix": (header(magic=b"ustar  \0", tail=bytes(80) + b"dir"), "differ on"),
    "v7 with more": (header(magic=bytes(8), tail=bytes(80) + b"dir"), "differ on"),
    "other magic": (header(magic=b"USTAR\0\0\0"), "readers of tar differ on"),
    "other version": (header(magic=b"ustar\0" + b"01"), "readers of tar differ on"),
    "ACL": (pax((b"SCHILY.xattr.system.posix_acl_access", b"1")) + file(), "sets system.posix_acl"),
    "overlay": (pax((b"SCHILY.xattr.trusted.overlay.opaque", b"y")) + file(), "sets trusted.over"),
    "SELinux": (pax((b"SCHILY.xattr.security.selinux", b"x")) + file(), "only user.* and"),
    "too much before": (
        pax((b"SCHILY.xattr.user.a", b"x" * 65_500)) + header(b"\xe4" * 100),
        "what stands before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_form_that_is_refused(name: str) -> None:
    """What readers see differently, or what makes a node, is refused however it is cut."""
    data, words = REFUSED[name]
    data += END
    for size in (1 << 30, 1, 512):
        with pytest.raises(BadBody) as caught:
            rewritten(data, size)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "pack",
    [bz2.compress, lzma.compress, lambda data: b"\x28\xb5\x2f\xfd" + data],
    ids=["bzip2", "xz", "zstd"],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 512, 65536])
def test_a_packed_tar_is_refused(pack: Callable[[bytes], bytes], size: int) -> None:
    """What the Engine would unpack before it reads it is named as such, long or short."""
    for data in (file() + END, os.urandom(5000)):
        for packed in (pack(data), gzip.compress(pack(data))):
            with pytest.raises(BadBody, match="the tar is packed"):
                rewritten(packed, size)


def test_a_name_packs_nothing() -> None:
    """A later entry may be named as what is packed begins; it goes on behind a pax header."""
    out = rewritten(file() + header(b"BZh9") + END)
    assert [name for name, *_ in members(out)][1:] == ["BZh9"]


@given(
    st.lists(st.binary(max_size=3000), max_size=3),
    st.integers(0, 9),
    st.integers(1, 999),
    st.integers(0),
)
def test_a_tar_in_a_gzip_is_what_goes_on(
    files: list[bytes], level: int, size: int, short: int
) -> None:
    """Packed by gzip, in one or more behind one another, it goes on as if it came plain."""
    data = b"".join(map(file, files)) + END
    cut = len(data) // 2
    first = gzip.compress(data[:cut], level)
    for one in (gzip.compress(data, level), first + gzip.compress(data[cut:], level)):
        assert rewritten(one, size) == rewritten(data)
        if (at := short % len(one)) != len(first):  # there an entry may have ended
            with pytest.raises(BadBody, match="cut short"):
                rewritten(one[:at], size)


def test_a_gzip_is_unpacked_in_small_pieces() -> None:
    """A few bytes that are megabytes are never all in memory, nor looked at in one turn."""
    size = 1 << 24
    packed = gzip.compress(header(size=b"%011o" % size) + bytes(size) + END)
    assert len(packed) < size // 900
    pieces = 0
    for reader in (Rewriter(), Looker()):
        passed = 0
        for piece in reader.unpacked(packed):
            assert len(piece) <= PIECE
            passed += sum(map(len, reader.feed(piece)))
            pieces += 1
        assert not reader.fault
        assert passed + len(reader.end()) == (
            len(packed) if type(reader) is Looker else size + 3 * 512
        )
        assert pieces >= size // PIECE


@pytest.mark.parametrize("at", [2, 3, 40, -8, -1])
def test_a_damaged_gzip_is_refused(at: int) -> None:
    """Wherever it is damaged, before its end or in its checksum, and what stands behind it."""
    good = gzip.compress(file(os.urandom(700)) + END, mtime=0)
    damaged = bytearray(good)
    damaged[at] ^= 0x55
    for bad in (bytes(damaged), good + b"x" * 20):
        for size in (1, 1 << 20):
            with pytest.raises(BadBody):
                rewritten(bad, size)


def test_a_tar_cut_short_is_refused() -> None:
    """Wherever it is cut but behind an entry: who leaves out the zeros has no other end."""
    first = pax((b"path", b"p" * 200)) + file(b"x" * 700)
    second, third = file(b"x" * 512), header(b"d", b"5")
    data = first + second + third + END
    ends = [len(first), len(first + second), len(first + second + third)]
    for at in range(len(data)):
        if at in {*ends, len(data) - 512}:
            assert rewritten(data[:at], 99) == rewritten(data[:at] + END)
        else:
            with pytest.raises(BadBody, match="cut short"):
                rewritten(data[:at], 99)


def test_nothing_is_held_but_a_header() -> None:
    """Neither many entries nor a large file make it hold more, and contents are not copied."""
    content = bytes(1 << 20)
    entry = pax((b"path", b"p" * 200)) + header(b"f", size=b"%011o" % len(content))
    rewriter = Rewriter()
    tracemalloc.start()
    for _ in range(50):
        rewriter.feed(entry)
        rewriter.feed(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


# -- properties --------------------------------------------------------------------

NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """Any tar that Python writes: any form, any kinds, names, owners and times."""
    out = io.BytesIO()
    form = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name in draw(st.lists(NAMES, max_size=4)):
            info = tarfile.TarInfo(name.rstrip("/") or "x")
            info.type = draw(st.sampled_from([b"0", b"1", b"2", b"5", b"6"]))
            info.mode = draw(st.integers(0, 0o7777))
            info.uid, info.gid = draw(st.integers(0, 2**32 - 1)), draw(st.just(5))
            info.mtime = draw(st.integers(0, 10**12))
            data = draw(st.binary(max_size=1100)) if info.isreg() else b""
            info.size = len(data)
            if info.type in {b"1", b"2"}:
                info.linkname = draw(NAMES)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@given(tars(), st.integers(1, 2000))
def test_any_tar_means_the_same(data: bytes, size: int) -> None:
    """Python reads the same of what goes on, and to write it anew again changes nothing."""
    if PACKED.match(data):
        return
    out, entries = told(data)
    assert members(out) == members(data)
    assert len(entries) == len(members(out))
    assert rewritten(data, size) == out == rewritten(out, size)
    assert not PACKED.match(out)


@given(tars(), st.lists(st.tuples(st.integers(0), st.binary(max_size=12)), max_size=3))
def test_any_bytes_pass_or_are_refused(
    data: bytes, patches: list[tuple[int, bytes]]
) -> None:
    """Damaged, a tar is read in one way, however it is cut, or refused."""
    damaged = bytearray(data)
    for at, patch in patches:
        at %= len(damaged)
        damaged[at : at + len(patch)] = patch
        begin = at - at % 512
        damaged[begin : begin + 512] = signed(damaged[begin : begin + 512].ljust(512))
    found = outcome(bytes(damaged), 1 << 30)
    assert outcome(bytes(damaged), 100) == found
    if isinstance(found, bytes):
        assert rewritten(found) == found


def outcome(data: bytes, size: int) -> bytes | str:
    """What goes on of a tar, or why it is refused."""
    try:
        return rewritten(data, size)
    except BadBody as error:
        return str(error)
