import json
import re
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trioproxy.api.matched import Request
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget

TABLE = Path(__file__).parent.parent / "data" / "targets.txt"


def unescape(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def rows(mark: str) -> list[tuple[bytes, str]]:
    lines = TABLE.read_text().splitlines()
    cells = [line.split(mark) for line in lines if not line.startswith("# ")]
    return [(unescape(c[0].strip()), c[1].strip()) for c in cells if len(c) == 2]


TAKEN = rows(" -> ")
REFUSED = rows(" !! ")


def name(value: bytes | str) -> str:
    return ascii(value)


@pytest.mark.parametrize(("raw", "canonical"), TAKEN, ids=name)
def test_taken(raw: bytes, canonical: str) -> None:
    """A target in one clear reading is sent on in its canonical form."""
    assert Target.parse(raw).canonical == canonical.encode("ascii")


@pytest.mark.parametrize(("raw", "message"), REFUSED, ids=name)
def test_refused(raw: bytes, message: str) -> None:
    """A target that the Engine redirects, or might read otherwise, is refused by name."""
    with pytest.raises(BadTarget) as caught:
        Target.parse(raw)
    assert message.replace("\\\\", "\\") in str(caught.value)


def test_every_line_of_the_table_is_a_row() -> None:
    """No line of the table is silently left out."""
    lines = TABLE.read_text().splitlines()
    assert len(TAKEN) + len(REFUSED) == sum(not s.startswith("# ") for s in lines)


def test_parts() -> None:
    """A target is split into version, path and query; an escaped slash is remembered."""
    target = Target.parse(b"/v1.45/images/a%2Fb/json?x=/y?z")
    assert (target.version, target.path) == ("/v1.45", "/images/a/b/json")
    assert (target.query, target.has_query) == (b"x=/y?z", True)
    assert target.encoded_slash


@pytest.mark.parametrize(
    "raw", [b"/a/b", b"/a%252Fb", b"/a%252fb", b"/a?%2F"], ids=name
)
def test_no_encoded_slash(raw: bytes) -> None:
    """An escaped escape and an escape in the query are no encoded slash."""
    assert not Target.parse(raw).encoded_slash


def test_a_long_path_of_escapes_is_not_decoded() -> None:
    """Each escape is work: 4 KiB of them are a path, one byte more is none, before any is read."""
    path = b"/" + b"%41" * 1_365
    assert Target.parse(path).path == "/" + "A" * 1_365
    with pytest.raises(BadTarget, match="the path is longer than 4,096 bytes"):
        Target.parse(path + b"%")


def test_empty_query() -> None:
    """A lone question mark is an empty query, and stays."""
    target = Target.parse(b"/info?")
    assert (target.query, target.has_query) == (b"", True)
    assert not Target.parse(b"/info").has_query


def test_shown_hides_the_query_and_is_cut() -> None:
    """Logs show version and path escaped, without the query, and not at any length."""
    assert Target.parse(b"/v1.45/%e9?key=secret").shown == "/v1.45/%E9"
    assert len(Target.parse(b"/" + b"%20" * 999).shown) == 256


@pytest.mark.parametrize(
    "raw",
    [b"http://x/a?secret", b"/" + b"a" * 9999 + b"/..?secret", b"/%00\xe9?secret"],
    ids=name,
)
def test_messages_are_short_and_keep_the_query_out(raw: bytes) -> None:
    """A refusal shows the offending part: escaped, cut, and never the query."""
    with pytest.raises(BadTarget) as caught:
        Target.parse(raw)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 200
    assert "secret" not in message


PIECES = [
    b"/",
    b"%2f",
    b"%2E",
    b".",
    b"..",
    b"v1.45",
    b"v1",
    b"%25",
    b"%41",
    b"%e9",
    b"%00",
]
ANY_BYTES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12)
RAW = st.one_of(ANY_BYTES.map(b"".join), ANY_BYTES.map(b"/".join))

# Random bytes would hardly ever be a target: these are put together from what may be one.
VISIBLE = st.integers(0x21, 0x7E).map(lambda byte: b"%c" % byte)
ESCAPED = st.integers(0x20, 0xFF).map(lambda byte: b"%%%02x" % byte)
SEGMENT = st.lists(VISIBLE | ESCAPED, min_size=1, max_size=6).map(b"".join)
VERSION = st.sampled_from([b"", b"/v1.45", b"/v%31.24", b"/v1.45%2f"])


@st.composite
def targets(draw: st.DrawFn) -> Target:
    segments = draw(st.lists(SEGMENT, min_size=1, max_size=4))
    slash = draw(st.sampled_from([b"", b"/", b"?", b"?a=%2F/../&b", b"/?%"]))
    target = parse(draw(VERSION) + b"/" + b"/".join(segments) + slash)
    assume(target is not None)
    assert target is not None
    return target


def parse(raw: bytes) -> Target | None:
    try:
        return Target.parse(raw)
    except BadTarget:
        return None


@given(RAW)
def test_never_crashes(raw: bytes) -> None:
    """Whatever the bytes, a target is parsed or `BadTarget` says why not."""
    target = parse(raw)
    assert target is None or target.raw == raw


@given(st.text("/.a", max_size=8))
def test_whatever_is_a_dot_or_nothing_is_no_segment(path: str) -> None:
    """Paths of dots, slashes and a letter are taken just if no segment is cleaned away."""
    segments = path.removesuffix("/").split("/")
    is_clean = not {"", ".", ".."} & set(segments) and not path.endswith("//")
    assert (parse(b"/" + path.encode()) is not None) == is_clean


@given(targets())
def test_is_idempotent(target: Target) -> None:
    """What is sent on reads as what was judged, and is canonical already."""
    again = Target.parse(target.canonical)
    assert again.canonical == target.canonical
    assert (again.version, again.path) == (target.version, target.path)
    assert (again.query, again.has_query) == (target.query, target.has_query)


@given(targets())
def test_canonical_form_is_visible_ascii(target: Target) -> None:
    """What is sent on cannot end the request line or be taken for another form."""
    assert target.canonical.startswith(b"/")
    assert all(0x21 <= byte <= 0x7E and byte != ord("#") for byte in target.canonical)


@given(targets())
def test_path_is_what_others_decode(target: Target) -> None:
    """The path is what the standard library decodes, once, both before and after."""
    for form in (target.raw, target.canonical):
        path = form.partition(b"?")[0].decode("ascii")
        assert target.version + target.path == unquote(path, encoding="latin-1")


@given(targets())
def test_path_is_clean(target: Target) -> None:
    """An accepted path has no segment that the Engine would clean away."""
    segments = target.path.removesuffix("/").split("/")[1:]
    assert segments
    assert not {"", ".", ".."} & set(segments)


@given(targets(), st.data())
def test_escaping_any_byte_changes_nothing(target: Target, data: st.DataObject) -> None:
    """An escape in the place of any byte of the path, the first slash aside, is the same."""
    path, mark, query = target.raw.partition(b"?")
    units = re.findall(rb"%..|.", path)
    place = data.draw(st.integers(1, len(units) - 1))
    template = data.draw(st.sampled_from([b"%%%02x", b"%%%02X"]))
    units[place] = template % unquote_to_bytes(units[place])[0]
    other = Target.parse(b"".join(units) + mark + query)
    assert (other.version, other.path) == (target.version, target.path)
    assert other.canonical == target.canonical


def test_filters_are_no_work_of_minutes() -> None:
    """By repeats and classes 60 bytes of a name's filter are a gigabyte in the Engine, for each container anew."""
    for key, text in (("filters", "x{0,1000}" * 30), ("f%69lters", "((a{10}){10}){10}" * 3), ("filters", "((a{30}){30}){30}"), ("Filters", "x\\u007b999}" * 30), ("filters", "\\\\pL" * 30), ("filters", "x{1}" * 9)):  # fmt: skip
        raw = f'/containers/json?{key}={quote(f"""{{"name":["{text}"]}}""")}'
        with pytest.raises(BadTarget, match="too much"):
            Request.parse("GET", raw.encode())
    for text in ("^web-[0-9]{2}$", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{12}", "(a|b){3}", "x" * 9000, "{}"):  # fmt: skip
        raw = f'/containers/json?filters={quote(f"""{{"name":["{text}"]}}""")}'
        Request.parse("GET", raw.encode())


STORAGE = "containers-storage:[vfs@/etc/x+/etc/y]z"
"""By which Podman makes folders in `/etc`, to look whether `z` is there."""


@pytest.mark.parametrize(
    "target",
    [
        f"/images/{STORAGE}/json",
        f"/v5.4.0/libpod/images/{quote(STORAGE, safe='')}/exists",
        f"/images/get?names={STORAGE}",
        f"/images/x/tag?repo={quote(STORAGE)}&tag=1",
        f"/images/json?filters={quote(json.dumps({'reference': [STORAGE]}))}",
        '/images/json?filters={"before":["containers\\u002dstorage%5Cu003A[/etc]z"]}',
        "/images/tarball:%2Fdev%2Fwatchdog/json",
        "/libpod/manifests/tarball:dev%2Fwatchdog/exists",
        "/libpod/manifests/x/registry/tarball:dev/watchdog",
        '/images/json?filters={"since":["tarball:/etc/shadow"]}',
        "/images/get?names=tarball%3A/etc/shadow",
        "/images/x/tag?tag=%5Bvfs@/etc/x%2B/etc/y%5Dz&repo=containers%2Dstorage",
        "/images/create?tag=/etc/shadow&FromImage=tarball",
        "/images/create?fromSrc=-&repo=tarball&tag=/etc/shadow",
        "/commit?container=x&repo=containers-storage&tag=[/etc]z",
        "/images/containers-storage/push?tag=[/etc]z",
        "/images/tarball/push?tag=/etc/shadow",
        "/images/create?fromSrc=/var/backups/x.tar&repo=x",
        "/images/create?fromSrc=var/backups/x.tar",
        "/images/create?fromSrc=-:/var/backups/x.tar",
        "/images/create?fromSrc=-&FROMsrc=var/backups/x.tar",
        "/images/create?fromSrc=-&from%C5%BFrc=%2Fvar/backups/x.tar",
    ],
)
def test_no_image_is_another_storage_of_the_host(target: str) -> None:
    """Podman reads such names by any route, as root, and Docker's Engine knows no such image."""
    with pytest.raises(BadTarget, match="storage or a file of its host"):
        Request.parse("GET", target.encode())


def test_images_of_any_name_are_looked_up() -> None:
    """Ports, digests, addresses and names that hold such words are names of images."""
    for name in ("[::1]:5000/x:1", "localhost:5000/x@sha256:abc", "acme/tarball:1", "containers-storage:1", "x-tarball:1"):  # fmt: skip
        for target in (f"/images/{name}/json", f"/images/get?names={quote(name)}"):
            assert Request.parse("GET", target.encode()).endpoint
    for target in ("/images/create?fromImage=x/tarball&tag=1", "/images/x/tag?repo=tarballs&tag=1", "/containers/create?name=tarball",
                   "/images/create?fromSrc=-&repo=x", "/images/create?fromSrc=https://h/x.tar", "/images/create?fromSrc="):  # fmt: skip
        assert Request.parse("POST", target.encode()).endpoint
    filters = quote('{"label":["a=containers-storage:x","b=[tarball]:"],"x":["y"]}')
    Request.parse("GET", f"/images/json?filters={filters}".encode())
