"""The tar that a request has unpacked: read as it passes, its headers written anew.

The Engine unpacks such a tar as root, and a node of a disk in it is the disk. Whether
there is one is a question of reading, and readers of tar differ: a size that stands in two
places, a header that changes all others, a sparse file, a number in base 256 make one
reader see an entry where another sees the contents of a file (CVE-2025-62518). So here a
tar has one reading or none, and what goes on is not what came: each entry becomes a value,
a `TarEntry`, and `written` makes its header from that, in the only form there is.

    what the header holds          a ustar header: names of printable ASCII up to 100
                                   bytes, numbers in octal, no prefix, no owner names
    what it does not hold          a pax header before it, and nothing else
    two blocks of zeros            when all has been read, and nothing stood behind them

A pax header of ours begins with its own name, so no name makes the first bytes of a tar
look like those of a packed one, which the Engine would unpack before it reads it.

Which records of pax go on is what the Engine reads: path, size, owner, times, and of the
extended attributes `user.*` and `security.capability`, the only one that `docker cp -a`
makes. Another of `security.`, `system.` or `trusted.` no container could set by itself: it
is refused, and not left out in silence. All else the Engine ignores, and never gets.

A FIFO passes: it leads to who opens it and to no device, and each container makes its own.

A tar that is packed by gzip, as some clients do with all that they copy in, is unpacked as it
passes and goes on plain, so that its one reading is of what the Engine gets. Other packings
are refused.
"""

import re
import sys
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from trioproxy.errors import BadBody
from trioproxy.quoting import in_quotes, quote
from trioproxy.values import value_class

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)

EXTENSION_LIMIT: Final = 64 * 1024
"""Bytes of what stands before the header of one entry: a name, attributes."""

NAME_LIMIT: Final = 4_095
"""Bytes of a name or of what a link names: no path is longer (`PATH_MAX`)."""

NUMBER_LIMIT: Final = 10**18
"""Beyond all numbers: what 18 digits hold, and 63 bits too."""

BEYOND: Final = {8: 8**7, 12: 8**11}
"""The first number that octal digits in so many bytes, with a NUL, do not hold."""

OWNER_LIMIT: Final = 2**32
"""Beyond all users and groups; the number itself would be taken for root."""

HEADER: Final = Struct("100s8s8s8s12s12s8sc100s8s80x155s12s")
"""Name, mode, owner, group, size, time, checksum, type, link, magic, prefix, the rest."""

USTAR: Final = b"ustar\x0000"
GNU: Final = b"ustar  \x00"
V7: Final = bytes(8)

FILE: Final = b"0"
HARD_LINK: Final = b"1"
SYMLINK: Final = b"2"
FOLDER: Final = b"5"
FIFO: Final = b"6"
OLD_FILE: Final = b"\x00"
"""A file, or by the slash at the end of its name a folder."""
ACCEPTED: Final = frozenset({FILE, HARD_LINK, SYMLINK, FOLDER, FIFO, OLD_FILE})
LINKS: Final = frozenset({HARD_LINK, SYMLINK})

PAX: Final = b"x"
LONG_NAME: Final = b"L"
LONG_LINK: Final = b"K"
EXTENSIONS: Final = frozenset({PAX, LONG_NAME, LONG_LINK})

REFUSED: Final[Mapping[bytes, str]] = {
    b"3": "a character device",
    b"4": "a block device",
    b"S": "a sparse file",
    b"g": "a header for all entries behind it",
}

PACKED: Final = re.compile(
    rb"\x1f\x8b|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"
)
"""How what the Engine unpacks begins: gzip, bzip2, xz, zstd, and what zstd skips."""

GZIP: Final = b"\x1f\x8b"
GZIP_FORM: Final = 31
"""For zlib: a window of 32 KiB, the header of a gzip before it, and its checksum behind."""
PIECE: Final = 64 * 1024
"""Bytes that are unpacked at once."""

PLAIN_NAME: Final = re.compile(rb"(?!BZh)[ -~]{0,100}")
"""What a header holds as it is, and what begins like nothing that is packed."""

OCTAL: Final = re.compile(rb" *([0-7]*)[ \x00]*")
DECIMAL: Final = re.compile(rb"0|[1-9][0-9]{0,17}")
SECONDS: Final = re.compile(rb"(-?(?:0|[1-9][0-9]{0,17}))(?:\.([0-9]{0,64}))?")
RECORD: Final = re.compile(rb"([1-9][0-9]{0,5}) ([^=\x00\n]+)=")
"""How a record of pax begins: its length, and a name."""

XATTR: Final = b"SCHILY.xattr."
SPARSE: Final = b"GNU.sparse."
READ_RECORDS: Final = frozenset(
    {b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"atime"}
)

ELSEWHERE: Final = b"././@PaxHeader"
"""In the place of a name that the pax header has: who reads none makes this of it."""


@value_class
class TarEntry:
    """One entry of a tar, as every reader of what is written of it sees it."""

    kind: bytes
    name: bytes
    link: bytes = b""
    """What a link names."""
    size: int
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: bytes = b"0"
    """Seconds, with a fraction where there is one."""
    atime: bytes = b""
    attributes: tuple[tuple[bytes, bytes], ...] = ()
    """Extended attributes, as records of pax."""


class TarStep(NamedTuple):
    """What was made of the bytes that a reading was given, and what it takes next."""

    need: int = BLOCK
    """How many bytes it is given next."""
    goes_on: bytes = b""
    entry: TarEntry | None = None
    """Whose header goes on. Its contents come before what is needed, and pass as they are."""
    is_end: bool = False
    """Whether the tar has had its end."""
    is_between: bool = False
    """Whether the next bytes begin an entry, or the end."""


@dataclass(slots=True, eq=False)
class Rewriter:
    """One tar on its way, in pieces that may be cut anywhere. What it refuses raises.

    `_reading` takes all but the contents of files, as much at once as its last `_step` says;
    that is collected in `_held`. `unseen` counts down the contents, which pass as they are.
    Of a tar no more is held than one header with what stands before it.
    """

    entry: TarEntry | None = None
    """The one whose header was written last."""
    _reading: "Generator[TarStep, bytes, None]" = field(
        default_factory=lambda: _blocks()
    )
    _step: TarStep = field(init=False)
    _held: bytearray = field(default_factory=bytearray)
    unseen: int = 0
    """How many of the next bytes are contents, whatever they are."""
    fault: str = ""
    """Why a `Looker` would refuse it; empty: nothing was found yet."""
    _start: bytes | None = b""
    """The first byte, until the second one says with it how the tar is packed."""
    _gzip: "zlib._Decompress | None" = None
    """What unpacks it; None: it came plain, or nothing came yet."""

    def __post_init__(self) -> None:
        self._step = next(self._reading)

    @property
    def skips(self) -> int:
        """How many of the next bytes that come cost nothing: they are contents."""
        return 0 if self._gzip else self.unseen

    def unpacked(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """What is in the next bytes that come, in pieces for `feed`.

        Raises `BadBody` where they are no gzip, though they began as one.
        """
        if self._start is not None:
            data = self._start + bytes(data)
            if len(data) < len(GZIP):
                self._start = data
                return
            self._start = None
            if data.startswith(GZIP):
                self._gzip = zlib.decompressobj(GZIP_FORM)
        if self._gzip is None:
            yield data
            return
        try:
            while data or not self._gzip.eof:
                if self._gzip.eof:  # one gzip behind another is one tar
                    self._gzip = zlib.decompressobj(GZIP_FORM)
                yield (piece := self._gzip.decompress(data, PIECE))
                data = self._gzip.unconsumed_tail or self._gzip.unused_data
                if not data and len(piece) < PIECE:
                    break
        except zlib.error as error:
            raise BadBody(f"the tar is packed by gzip, and damaged: {error}") from error

    def feed(self, data: bytes | memoryview) -> list[bytes | memoryview]:
        """Take the next bytes; return what goes on. Parts of it are parts of `data`.

        Raises `BadBody`, and then nothing of `data` goes on.
        """
        view = memoryview(data)
        out: list[bytes | memoryview] = []
        at, end = 0, len(view)
        while at < end:
            if self.unseen:
                step = min(self.unseen, end - at)
                self.unseen -= step
                out.append(view[at : at + step])
            else:
                step = min(self._step.need - len(self._held), end - at)
                self._held += view[at : at + step]
                if len(self._held) == self._step.need:
                    out.append(self._take(bytes(self._held)))
                    self._held.clear()
            at += step
        return out

    def end(self) -> bytes:
        """All of it has come: return its end. Raises `BadBody` if it is not whole."""
        # Who leaves out the zeros ends behind an entry: so Go reads it, and what goes on has them.
        is_left_out = self._step.is_between and not (self.unseen or self._held)
        is_whole = self._step.is_end or is_left_out
        if not is_whole or (self._gzip and not self._gzip.eof):
            if self.entry is None:
                _check_packed(bytes(self._held))
            raise BadBody("the tar is cut short: it ends in an entry, or has none")
        _check_zeros(bytes(self._held))
        return ZEROS * 2

    def _take(self, block: bytes) -> bytes:
        self._step = step = self._reading.send(block)
        if step.entry is not None:
            self.entry, self.unseen = step.entry, step.entry.size
        return step.goes_on


@dataclass(slots=True, eq=False)
class Looker(Rewriter):
    """Takes a tar that goes on as it came, and says what would have refused it."""

    def unpacked(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """The next bytes as they came; behind them nothing, once for each piece that is
        looked at, so that others have their turn."""
        yield data
        try:
            for piece in Rewriter.unpacked(self, data):
                Rewriter.feed(self, piece)
                yield b""
        except BadBody as error:
            self._tell(error)

    def feed(self, data: bytes | memoryview) -> list[bytes | memoryview]:
        """All of it goes on."""
        return [data]

    def end(self) -> bytes:
        """All of it has come, and has its own end."""
        try:
            if not self.fault:
                Rewriter.end(self)
        except BadBody as error:
            self._tell(error)
        return b""

    def _tell(self, error: BadBody) -> None:
        self.fault = str(error)
        self.unseen, self._gzip = sys.maxsize, None  # of the rest nothing is looked at


# -- reading -----------------------------------------------------------------------


def _blocks() -> Generator[TarStep, bytes, None]:
    """Read a tar from its first block to its end, all but the contents of files."""
    extensions: dict[bytes, bytes] = {}
    block = yield TarStep()
    _check_packed(block)
    while block != ZEROS:
        who = _shown(block[:100].partition(b"\0")[0])
        _check_header(block, who)
        kind, step = block[156:157], TarStep()
        if kind in EXTENSIONS:
            size = _size_before(kind, extensions, _number(block[124:136], who), who)
            extensions[kind] = (yield TarStep(size + -size % BLOCK))[:size]
        elif kind in ACCEPTED:
            entry = _read_entry(block, extensions)
            extensions = {}
            padding = -entry.size % BLOCK
            yield TarStep(padding, written(entry), entry, is_between=not padding)
            step = TarStep(goes_on=bytes(padding), is_between=True)
        else:
            what = REFUSED.get(
                kind, f"of the type {in_quotes(kind)}, which is not taken"
            )
            raise BadBody(f"entry {who} of the tar is {what}: make the tar without it")
        block = yield step
    if extensions:
        raise BadBody("the tar ends where an entry is announced")
    if (yield TarStep(is_between=True)) != ZEROS:
        raise BadBody("the tar goes on behind a block of zeros")
    while True:
        _check_zeros((yield TarStep(is_end=True)))


def _size_before(
    kind: bytes, others: Mapping[bytes, bytes], size: int, who: str
) -> int:
    """How long a header before an entry is, where it may be one."""
    # Of two that say the name, one reader takes the first and another the last.
    if kind in others or (others and PAX in {kind, *others}):
        raise BadBody(f"{who} is said twice before one entry of the tar")
    if not 0 < size <= EXTENSION_LIMIT:
        raise BadBody(
            f"{who} before an entry of the tar has {size:,} bytes,"
            f" and may have {EXTENSION_LIMIT:,}"
        )
    return size


def _check_packed(start: bytes) -> None:
    if PACKED.match(start):
        raise BadBody(
            "the tar is packed, and here is read as it passes: send it plain, or by gzip"
        )


def _check_zeros(data: bytes) -> None:
    if data.strip(b"\0"):
        raise BadBody("the tar goes on behind its end")


def _check_header(block: bytes, who: str) -> None:
    """Refuse a header of which readers know the form by different signs."""
    told = OCTAL.fullmatch(block, 148, 156)
    # The checksum counts itself as spaces; of signed bytes only very old ones were made.
    if not told or not told[1] or int(told[1], 8) != _checksum(block):
        raise BadBody(f"bad checksum of {who}: this is no tar, or a damaged one")
    # What stands behind the magic is a prefix of the name, or times, or another kind's.
    match block[257:265]:
        case magic if magic == USTAR:
            is_clean = not block[500:].strip(b"\0")
        case magic if magic == GNU:
            times = block[345:357], block[357:369]
            is_clean = not block[369:].strip(b"\0") and all(map(OCTAL.fullmatch, times))
        case magic:
            is_clean = magic == V7 and not block[265:].strip(b"\0")
    if not is_clean:
        raise BadBody(f"the header of {who} is of a form that readers of tar differ on")


def _checksum(block: bytes) -> int:
    # Zeros count for nothing, and half of a header is zeros.
    return sum(block.rstrip(b"\0")) - sum(block[148:156]) + 8 * ord(" ")


def _read_entry(block: bytes, extensions: Mapping[bytes, bytes]) -> TarEntry:
    name, mode, uid, gid, size, mtime, _, kind, link, magic, prefix, _ = HEADER.unpack(
        block
    )
    who = _shown(name.partition(b"\0")[0])
    records = _records(extensions.get(PAX, b""), who)
    name = _name(
        extensions.get(LONG_NAME),
        records.get(b"path"),
        (prefix if magic == USTAR else b"", name),
        who,
    )
    who = _shown(name)
    if kind in LINKS:
        link = _name(
            extensions.get(LONG_LINK), records.get(b"linkpath"), (b"", link), who
        )
    else:
        link = b""
    length = _size(_number(size, who), records.get(b"size"), who)
    kind = _kind(kind, name, length, who)
    return TarEntry(
        kind=kind,
        name=name,
        link=link,
        size=length,
        mode=_number(mode, who) & 0o7777,
        uid=_owner(uid, records.get(b"uid"), who),
        gid=_owner(gid, records.get(b"gid"), who),
        mtime=_seconds(records.get(b"mtime") or b"%d" % _number(mtime, who), who),
        atime=_seconds(records[b"atime"], who) if b"atime" in records else b"",
        attributes=tuple(sorted(i for i in records.items() if i[0].startswith(XATTR))),
    )


def _kind(kind: bytes, name: bytes, size: int, who: str) -> bytes:
    """The type by which it goes on: a file, by its name, may be a folder to some."""
    if kind == OLD_FILE:
        kind = FOLDER if name.endswith(b"/") else FILE
    if kind == FILE and name.endswith(b"/"):
        raise BadBody(f"entry {who} of the tar is a file, and by its name a folder")
    if kind != FILE and size:
        raise BadBody(f"entry {who} of the tar is no file, and has contents")
    return kind


def _name(
    long: bytes | None, path: bytes | None, plain: tuple[bytes, bytes], who: str
) -> bytes:
    """The one name among those that a header and what stands before it give."""
    if long is not None:
        name = long.rstrip(b"\0")
    elif path is not None:
        name = path
    else:
        prefix, name = (field.rstrip(b"\0") for field in plain)
        if prefix and name:
            name = prefix + b"/" + name
    if not name or b"\0" in name:
        raise BadBody(f"an empty name, or a NUL in one, at {who} of the tar")
    if len(name) > NAME_LIMIT:
        raise BadBody(
            f"a name of the tar, {who}, is longer than {NAME_LIMIT:,} bytes, as no path is"
        )
    return name


def _size(size: int, told: bytes | None, who: str) -> int:
    """The size, which may stand in two places, and must be the same in both.

    A file that is too large for octal digits has 0 there, as Go and GNU tar write it.
    """
    if told is None:
        return size
    length = _decimal(told, who)
    if length != size and (size or length < BEYOND[12]):
        raise BadBody(f"{who} of the tar has two sizes, {size:,} and {length:,}")
    return length


def _owner(field: bytes, told: bytes | None, who: str) -> int:
    number = _number(field, who) if told is None else _decimal(told, who)
    if number >= OWNER_LIMIT:
        raise BadBody(f"no user or group has the number {number}, of {who} of the tar")
    return number


def _number(field: bytes, who: str) -> int:
    """A number in octal digits, or in base 256 where these do not hold it."""
    number = NUMBER_LIMIT
    if field[0] == 0x80:
        number = int.from_bytes(field[1:], "big")
    elif found := OCTAL.fullmatch(field):
        number = int(found[1] or b"0", 8)
    if number >= NUMBER_LIMIT:
        raise BadBody(
            f"bad number {in_quotes(field)} in the header of {who} of the tar"
        )
    return number


def _decimal(value: bytes, who: str) -> int:
    if not DECIMAL.fullmatch(value):
        raise BadBody(f"bad number {in_quotes(value, 32)} before the header of {who}")
    return int(value)


def _seconds(value: bytes, who: str) -> bytes:
    """A time, to the nanosecond as far as it goes, and without zeros at its end."""
    found = SECONDS.fullmatch(value)
    if not found:
        raise BadBody(f"bad time {in_quotes(value, 32)} before the header of {who}")
    fraction = (found[2] or b"")[:9].rstrip(b"0")
    return found[1] + b"." + fraction if fraction else found[1]


def _records(data: bytes, who: str) -> dict[bytes, bytes]:
    """The records of a pax header that are read, and that go on."""
    records: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    at = 0
    while at < len(data):
        found = RECORD.match(data, at)
        end = at + int(found[1]) if found else 0
        if not found or not found.end() < end <= len(data) or data[end - 1] != 0x0A:
            raise BadBody(
                f"bad record {in_quotes(data[at : at + 32])} before {who} of the tar"
            )
        key, value = found[2], data[found.end() : end - 1]
        if key in seen:
            raise BadBody(f"{in_quotes(key)} stands twice before {who} of the tar")
        seen.add(key)
        if _goes_on(key, value, who):
            records[key] = value
        at = end
    return records


def _goes_on(key: bytes, value: bytes, who: str) -> bool:
    """Whether a record is read; what the Engine ignores is left out."""
    if key.startswith(SPARSE):
        raise BadBody(f"entry {who} of the tar is a sparse file: make it without -S")
    if key.startswith(XATTR):
        name = key.removeprefix(XATTR)
        if name.startswith((b"security.", b"system.", b"trusted.")):
            if name == b"security.capability":
                return True
            raise BadBody(
                f"entry {who} of the tar sets {_shown(name)}, and only user.* and"
                " security.capability may be set: make the tar without it"
            )
        return name.startswith(b"user.")
    if key in READ_RECORDS and not value:
        raise BadBody(f"{key.decode()} is empty before {who} of the tar")
    return key in READ_RECORDS


def _shown(name: bytes) -> str:
    return quote(name.decode("utf-8", "backslashreplace")) or '""'


# -- writing -----------------------------------------------------------------------


def written(entry: TarEntry) -> bytes:
    """Write the header of an entry, in its one form: what it does not hold goes before it."""
    names = {b"path": entry.name, b"linkpath": entry.link}
    records = [one for one in names.items() if not PLAIN_NAME.fullmatch(one[1])]
    counts = ((b"size", entry.size, 12), (b"uid", entry.uid, 8), (b"gid", entry.gid, 8))
    records += [(key, b"%d" % n) for key, n, width in counts if n >= BEYOND[width]]
    if not entry.mtime.isdigit() or int(entry.mtime) >= BEYOND[12]:
        records.append((b"mtime", entry.mtime))
    if entry.atime:
        records.append((b"atime", entry.atime))
    data = b"".join(_record(*one) for one in (*records, *entry.attributes))
    if not data:
        return _block(entry)
    if len(data) > EXTENSION_LIMIT:
        who = _shown(entry.name)
        raise BadBody(
            f"what stands before {who} of the tar is longer than {EXTENSION_LIMIT:,} bytes"
        )
    before = TarEntry(kind=PAX, name=ELSEWHERE, size=len(data), mode=0o644)
    return _block(before) + data + bytes(-len(data) % BLOCK) + _block(entry)


def _record(key: bytes, value: bytes) -> bytes:
    """One record of pax: the length that it begins with counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return b"%d%s" % (length, rest)


def _block(entry: TarEntry) -> bytes:
    """The header alone, with `ELSEWHERE` for what it does not hold."""
    names = entry.name, entry.link
    name, link = (n if PLAIN_NAME.fullmatch(n) else ELSEWHERE for n in names)
    mtime = max(0, int(entry.mtime.partition(b".")[0]))
    numbers = entry.mode, entry.uid, entry.gid, entry.size, mtime
    fields = map(_field, numbers, (8, 8, 8, 12, 12))
    block = HEADER.pack(name, *fields, b"", entry.kind, link, USTAR, b"", b"")
    return b"%s%06o\x00 %s" % (block[:148], _checksum(block), block[156:])


def _field(number: int, width: int) -> bytes:
    # In base 256 as well as in a record: a reader without pax finds the same size.
    if number >= BEYOND[width]:
        return b"\x80" + number.to_bytes(width - 1, "big")
    return b"%0*o" % (width - 1, number)
