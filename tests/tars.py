"""Tars for tests: written by hand, block by block, and rewritten as they pass."""

from collections.abc import Iterator

from trioproxy.http.tar import Rewriter, TarEntry

END = bytes(1024)


def header(
    name: bytes = b"f",
    kind: bytes = b"0",
    *,
    size: bytes = b"00000000000",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    tail: bytes = b"",
    patches: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A header with its checksum; `tail` stands behind the magic, `patches` at offsets."""
    block = bytearray(512)
    fields = [
        (0, name), (100, b"0000644"), (108, b"0000000"), (116, b"0000000"), (124, size),
        (136, b"14524732777"), (156, kind), (157, link), (257, magic), (265, tail), *patches,
    ]  # fmt: skip
    for at, field in fields:
        block[at : at + len(field)] = field
    return signed(block)


def signed(block: bytes | bytearray) -> bytes:
    """The same block with its checksum."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    """With zeros up to the next block."""
    return data + bytes(-len(data) % 512)


def file(data: bytes = b"hello", name: bytes = b"f") -> bytes:
    """An entry that is a file."""
    return header(name, size=b"%011o" % len(data)) + padded(data)


def before(kind: bytes, data: bytes) -> bytes:
    """What stands before an entry: a header of that kind, and its data."""
    return header(b"before", kind, size=b"%011o" % len(data)) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """A record of pax."""
    length = len(key) + len(value) + 3
    while length != len(key) + len(value) + 3 + len(str(length)):
        length = len(key) + len(value) + 3 + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def pax(*pairs: tuple[bytes, bytes]) -> bytes:
    """A pax header of these records."""
    return before(b"x", b"".join(record(*pair) for pair in pairs))


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut into pieces of that size."""
    return (data[at : at + size] for at in range(0, len(data), size))


def rewritten(data: bytes, size: int = 1 << 30) -> bytes:
    """What goes on of a tar that comes in pieces of that size."""
    return told(data, size)[0]


def told(data: bytes, size: int = 512) -> tuple[bytes, list[TarEntry]]:
    """The same, with the entries as the rewriter has them: in pieces of 512 bytes or less."""
    rewriter, out, entries = Rewriter(), bytearray(), list[TarEntry]()
    for came in in_pieces(data, size):
        for piece in rewriter.unpacked(came):
            last = rewriter.entry
            for part in rewriter.feed(piece):
                out += part
            if rewriter.entry is not None and rewriter.entry is not last:
                entries.append(rewriter.entry)
    return bytes(out + rewriter.end()), entries
