"""Request heads: what of them is judged and sent on."""

import ssl
from contextlib import suppress

import pytest

from tests.markdown import ROOT
from trioproxy.api.target import Target
from trioproxy.errors import BadRequest, HeadTooLarge
from trioproxy.http.request import (
    MOST_LINES,
    MOST_TOKENS,
    UnfinishedHead,
    parse_request,
)


def head(target: bytes, host: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host)


@pytest.mark.parametrize(
    ("target", "host", "origin_form"),
    [
        pytest.param(b"http://d/info", b"d", b"/info", id="plain"),
        pytest.param(b"HTTP://D/info", b"d", b"/info", id="capitals"),
        pytest.param(b"http://[::1]:2375/a?b=/", b"[::1]:2375", b"/a?b=/", id="port"),
        pytest.param(b"http://d", b"d", b"/", id="no-path"),
        pytest.param(b"http://d/http://e/", b"d", b"/http://e/", id="once-only"),
        pytest.param(b"https://d/info", b"d", b"https://d/info", id="other-scheme"),
        pytest.param(b"/http://e/", b"d", b"/http://e/", id="no-absolute-form"),
    ],
)
def test_absolute_form_becomes_origin_form(
    target: bytes, host: bytes, origin_form: bytes
) -> None:
    """What names the Host itself loses that name; nothing else of a target changes."""
    assert parse_request(head(target, host)).target == origin_form


@pytest.mark.parametrize(
    ("target", "host"),
    [
        pytest.param(b"http://e/info", b"d", id="other-host"),
        pytest.param(b"http://d:80/info", b"d", id="port-that-is-implied"),
        pytest.param(b"http://u@d/info", b"d", id="user"),
        pytest.param(b"http://d%2e/info", b"d.", id="escaped"),
        pytest.param(b"http://d#/info", b"d#", id="fragment"),
        pytest.param(b"http:/info", b"d", id="no-host"),
    ],
)
def test_two_hosts_are_refused(target: bytes, host: bytes) -> None:
    """A target that names another host than the Host field is no request for one host."""
    with pytest.raises(BadRequest):
        parse_request(head(target, host))


@pytest.mark.parametrize("scheme", [b"http", b"https"])
def test_a_password_in_a_target_is_told_to_nobody(scheme: bytes) -> None:
    """What is said of a target, to the client and in the log, has no user information."""
    with pytest.raises(BadRequest) as caught:
        Target.parse(parse_request(head(scheme + b"://u:hunter2@d/info", b"d")).target)
    assert "hunter2" not in str(caught.value)


def test_no_host_is_no_host() -> None:
    """A target that names none passes where there is no Host: systeminformation asks so."""
    raw = b"GET %b HTTP/1.0\r\n\r\n"
    assert parse_request(raw % b"http:/containers/json").target == b"/containers/json"
    for target in (b"http:info", b"http:", b"http://", b"http:///info", b"x:/info"):
        assert parse_request(raw % target).target == target


def connections(*named: int, broken: bool = False) -> bytes:
    """A head with `Connection` lines that name so many fields each."""
    lines = b"".join(
        b"coNNection: %b\r\n" % b",".join([b"a"] * count) for count in named
    )
    return b"GET / HTTP/1.1\r\nHost: d\r\n%b%b\r\n" % (lines, b"b\r\n" * broken)


@pytest.mark.parametrize("named", [(MOST_TOKENS + 1,), (MOST_TOKENS,) * 2], ids=str)
def test_too_many_fields_are_refused_before_they_are_split(
    named: tuple[int, ...],
) -> None:
    """h11 splits what `Connection` names: what is too much of it never comes so far."""
    with pytest.raises(BadRequest, match=f"names more than {MOST_TOKENS} fields"):
        parse_request(connections(*named, broken=True))


def test_as_many_fields_as_may_be_named_are_read() -> None:
    """The bound counts the fields of `Connection`, and no comma elsewhere."""
    head = connections(MOST_TOKENS).replace(b"Host", b"X: %b\r\nHost" % (b"," * 99))
    assert parse_request(head).fields.keep_alive


def test_as_many_lines_as_may_be_are_read() -> None:
    """The bound counts the request line and no empty one, whether a head comes in pieces or not."""
    raw = head(b"/", b"d\r\n" + b"\r\n".join([b"X: a"] * (MOST_LINES - 2)))
    assert parse_request(raw).target == b"/"
    assert [UnfinishedHead().feed(raw[:-2]), UnfinishedHead().feed(raw)] == [
        -1,
        len(raw),
    ]
    more = raw.replace(b"Host", b"Y: a\r\nHost")
    for read in (parse_request, lambda more: UnfinishedHead().feed(more[:-2])):
        with pytest.raises(HeadTooLarge, match=f"more than {MOST_LINES} lines"):
            read(more)


@pytest.mark.parametrize("byte", [*range(32), 127])
def test_a_control_byte_is_refused(byte: int) -> None:
    """What h11 lets through in a value and the Engine does not: all but a tab."""
    raw = head(b"/", b"d\r\nX: a%bb" % bytes([byte]))
    if byte == ord("\t"):
        assert parse_request(raw).target == b"/"
        return
    with pytest.raises(BadRequest):
        parse_request(raw)


def test_tls_is_refused_in_words_that_the_page_on_troubles_has() -> None:
    """Who sets DOCKER_TLS_VERIFY finds what the log says beside that name."""
    hello = ssl.MemoryBIO()
    context = ssl._create_unverified_context()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    with pytest.raises(BadRequest) as refused:
        UnfinishedHead().feed(hello.read())
    rows = (ROOT / "docs/troubleshooting.md").read_text().splitlines()
    assert any(f"`{refused.value}`" in row and "TLS" in row for row in rows)


@pytest.mark.parametrize(
    ("agent", "tokens"),
    [
        (b"Docker-Client/29.7.2 (linux) app/1", "Docker-Client/29.7.2 app/1"),
        (b"moby-client/v0.5.0 linux/amd64", "moby-client/v0.5.0"),
        (b"my-linux/amd64 linux/4.2 linux/amd64", "my-linux/amd64 linux/4.2"),
        (b"\xff/1 a/1", "a/1"),
    ],
)
def test_of_an_agent_its_programs_are_kept(agent: bytes, tokens: str) -> None:
    """No comment, and no system and machine: the Engine's client in Go writes these like a program."""
    raw = b"GET / HTTP/1.1\r\nHost: d\r\nUser-Agent: %s\r\n\r\n" % agent
    assert parse_request(raw).fields.agent == tokens
