"""Which requests a web page of another site may have sent: a table of hosts and marks."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioproxy.errors import CrossSite
from trioproxy.http.hosts import MARKS, Reach, Site, check_site

ALLOWED = frozenset({"proxy.example.org", "nas"})
TCP = (Reach.LOOPBACK, Reach.NETWORK)

OURS = {
    "ipv4": b"127.0.0.1",
    "ipv4-port": b"127.0.0.1:2375",
    "ipv4-of-a-network": b"192.168.1.9:2375",
    "ipv4-empty-port": b"10.0.0.1:",
    "ipv6": b"[::1]",
    "ipv6-port": b"[::1]:2375",
    "ipv6-upper": b"[FE80::1]:2375",
    "ipv6-mapped": b"[::ffff:127.0.0.1]:2375",
    "ipv6-zone": b"[fe80::1%25eth0]:2375",
    "localhost": b"localhost",
    "localhost-port": b"localhost:2375",
    "localhost-upper": b"LOCALHOST:2375",
    "localhost-dot": b"localhost.:2375",
    "under-localhost": b"api.moby.localhost",
    "allowed": b"proxy.example.org:2375",
    "allowed-upper": b"Proxy.Example.ORG",
    "allowed-dot": b"proxy.example.org.",
    "allowed-single-label": b"nas:2375",
}
"""No page of somebody else can have these names."""

SINGLE_LABELS = {
    "service": b"dockerproxy:2375",
    "docker": b"docker",
    "underscore": b"project_proxy_1",
    "number": b"2130706433",
    "upper": b"DOCKERPROXY",
}
"""Names of services: a browser's resolver may complete them."""

FOREIGN = {
    "evil": b"evil.example",
    "evil-port": b"evil.example:2375",
    "evil-dot": b"evil.example.",
    "evil-upper": b"EVIL.EXAMPLE",
    "behind-localhost": b"localhost.evil.example",
    "ends-like-localhost": b"evil-localhost.example",
    "not-under-localhost": b"evil.notlocalhost",
    "behind-ipv4": b"127.0.0.1.evil.example",
    "ipv4-and-dot": b"127.0.0.1.",
    "ipv4-too-large": b"127.0.0.256",
    "ipv4-of-five": b"127.0.0.1.1",
    "ipv4-short": b"127.1",
    "ipv4-hex": b"0x7f.0.0.1",
    "ipv4-zeros": b"127.0.0.01",
    "behind-allowed": b"proxy.example.org.evil.example",
    "before-allowed": b"evil.proxy.example.org",
    "top-level-domain": b"ai.",
    "userinfo": b"localhost@evil.example",
    "userinfo-port": b"localhost:2375@evil.example",
    "userinfo-before-ours": b"evil.example@localhost",
    "percent": b"%6cocalhost",
    "path": b"localhost/evil.example",
    "two-ports": b"localhost:1:2",
    "port-of-letters": b"localhost:evil.example",
    "port-too-long": b"localhost:123456",
    "name-in-brackets": b"[evil.example]",
    "open-bracket": b"[::1",
    "text-behind-bracket": b"[::1]evil.example",
    "ipv6-bare": b"::1",
    "empty-label": b"localhost..evil.example",
    "dot": b".",
    "under-nothing": b".localhost",
    "two-dots": b"localhost..",
    "port-alone": b":2375",
    "list": b"localhost,evil.example",
    "space": b"localhost evil.example",
    "newline": b"localhost\nevil.example",
    "umlaut": "löcalhost".encode(),
    "kelvin-sign": "\u212aube.localhost".encode(),
}
"""Names that anybody can point here, and what is no name at all."""

BROWSER = {
    "origin": b"origin",
    "referer": b"referer",
    "language": b"accept-language",
    "fetch-mode": b"sec-fetch-mode",
    "fetch-dest": b"sec-fetch-dest",
    "fetch-site": b"sec-fetch-site",
}


def allows(fields: dict[bytes, bytes], reach: Reach) -> bool:
    try:
        check_site(fields, Site(reach=reach, allowed_hosts=ALLOWED))
    except CrossSite:
        return False
    return True


def marked(host: bytes, mark: bytes) -> dict[bytes, bytes]:
    """The fields of a request that a page sends to its own origin, with one mark."""
    values = {
        b"origin": b"http://" + host,
        b"referer": b"http://" + host + b"/page",
        b"sec-fetch-site": b"same-origin",
    }
    return {b"host": host, mark: values.get(mark, b"")}


def rows(table: Mapping[str, object]) -> list[object]:
    return [pytest.param(value, id=name) for name, value in table.items()]


on_tcp = pytest.mark.parametrize("reach", TCP, ids=lambda reach: reach.value)
with_mark = pytest.mark.parametrize("mark", rows(BROWSER))


@on_tcp
@pytest.mark.parametrize("host", rows({**OURS, **SINGLE_LABELS, "empty": b""}))
def test_a_client_may_use_names_of_ours(host: bytes, reach: Reach) -> None:
    """Without a mark of a browser: addresses, localhost, services, what is listed, none."""
    assert allows({b"host": host}, reach)


@on_tcp
def test_a_client_may_leave_the_host_out(reach: Reach) -> None:
    """HTTP/1.0 has no Host."""
    assert allows({}, reach)


@pytest.mark.parametrize("host", rows(FOREIGN))
def test_on_loopback_a_foreign_name_is_refused(host: bytes) -> None:
    """There no client has a reason for it, so no mark is asked for."""
    assert not allows({b"host": host}, Reach.LOOPBACK)


@pytest.mark.parametrize("host", rows(FOREIGN))
def test_on_a_network_a_client_may_use_any_name(host: bytes) -> None:
    """Its operator's DNS may call it anything; only browsers are asked for more."""
    assert allows({b"host": host}, Reach.NETWORK)


@on_tcp
@with_mark
@pytest.mark.parametrize("host", rows(OURS))
def test_a_page_of_ours_may_ask(host: bytes, mark: bytes, reach: Reach) -> None:
    """A browser that was sent to an address, to localhost or to a listed name is served."""
    assert allows(marked(host, mark), reach)


@on_tcp
@with_mark
@pytest.mark.parametrize("host", rows({**SINGLE_LABELS, **FOREIGN}))
def test_a_page_of_another_name_is_refused(
    host: bytes, mark: bytes, reach: Reach
) -> None:
    """Any one mark is enough, though Origin and Host agree: both are the attacker's."""
    assert not allows(marked(host, mark), reach)


@on_tcp
@with_mark
def test_a_browser_without_a_host_is_refused(mark: bytes, reach: Reach) -> None:
    """Browsers always send one, so something on the way took it."""
    assert not allows({mark: b""}, reach)
    assert not allows({b"host": b"", mark: b""}, reach)


@on_tcp
@pytest.mark.parametrize("value", [b"", b"*", b"en"], ids=["empty", "star", "language"])
def test_a_mark_counts_whatever_its_value(value: bytes, reach: Reach) -> None:
    """A page can change Accept-Language and cannot take it away."""
    assert not allows({b"host": b"evil.example", b"accept-language": value}, reach)


@on_tcp
@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(b"origin", b"http://evil.example", id="origin"),
        pytest.param(b"origin", b"null", id="origin-null"),
        pytest.param(b"origin", b"", id="origin-empty"),
        pytest.param(b"origin", b"http://127.0.0.1", id="origin-other-port"),
        pytest.param(b"origin", b"http://127.0.0.1:23750", id="origin-longer-port"),
        pytest.param(b"referer", b"http://evil.example/127.0.0.1:2375", id="referer"),
        pytest.param(b"referer", b"http://127.0.0.1:1/", id="referer-other-port"),
        pytest.param(
            b"referer", b"http://127.0.0.1:2375@e.example/", id="referer-user"
        ),
        pytest.param(b"referer", b"about:blank", id="referer-no-host"),
        pytest.param(b"sec-fetch-site", b"cross-site", id="cross-site"),
        pytest.param(b"sec-fetch-site", b"Cross-Site ", id="cross-site-upper"),
        pytest.param(b"sec-fetch-site", b"same-site", id="same-site"),
    ],
)
def test_a_page_elsewhere_is_refused(field: bytes, value: bytes, reach: Reach) -> None:
    """Under a name of ours too: the page that asks is another origin."""
    assert not allows({b"host": b"127.0.0.1:2375", field: value}, reach)


@on_tcp
@pytest.mark.parametrize("site", [b"same-origin", b"none"], ids=["same", "typed"])
def test_a_person_may_look(site: bytes, reach: Reach) -> None:
    """An address typed into a browser is nobody's attack."""
    fields = {b"host": b"127.0.0.1:2375", b"sec-fetch-site": site}
    assert allows(fields | {b"accept-language": b"en"}, reach)


AIODOCKER = {
    b"host": b"127.0.0.1:2375",
    b"origin": b"http://localhost",
    b"upgrade": b"websocket",
    b"user-agent": b"Python/3.11 aiohttp/3.14.5",
}


@on_tcp
@pytest.mark.parametrize("host", rows(OURS))
def test_aiodocker_may_open_a_websocket(host: bytes, reach: Reach) -> None:
    """It says Origin: http://localhost to every host; to those that are ours it may."""
    assert allows(AIODOCKER | {b"host": host}, reach)


@on_tcp
@pytest.mark.parametrize(
    "change",
    rows(
        {
            "no-handshake": {b"upgrade": b"h2c"},
            "of-a-browser": {b"user-agent": b"Mozilla/5.0 (X11; Linux x86_64)"},
            "of-a-browser-that-says-so": {b"user-agent": b"Mozilla/5.0 aiohttp/3.14"},
            "of-nobody": {b"user-agent": b""},
            "language": {b"accept-language": b""},
            "referer": {b"referer": b"http://127.0.0.1:2375/"},
            "fetch": {b"sec-fetch-mode": b"websocket"},
            "other-port": {b"origin": b"http://localhost:3000"},
            "other-scheme": {b"origin": b"https://localhost"},
            "other-origin": {b"origin": b"http://evil.example"},
            "foreign": {b"host": b"evil.example"},
            "single-label": {b"host": b"dockerproxy:2375"},
        }
    ),
)
def test_nobody_else_may_say_localhost(
    change: dict[bytes, bytes], reach: Reach
) -> None:
    """A page of localhost is another origin; its websocket has the marks of its browser."""
    assert not allows(AIODOCKER | change, reach)


@pytest.mark.parametrize("host", rows(OURS | SINGLE_LABELS | FOREIGN | {"empty": b""}))
def test_nothing_is_checked_on_a_unix_socket(host: bytes) -> None:
    """No browser reaches it; aiodocker's websocket says Origin: http://localhost there."""
    fields = dict.fromkeys(MARKS, b"http://evil.example")
    assert allows(
        fields | {b"host": host, b"sec-fetch-site": b"cross-site"}, Reach.UNIX
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {b"host": b"Evil.Example.:2375"},
            "ALLOWED_HOSTS=evil.example",
            id="foreign",
        ),
        pytest.param(
            {b"host": b"docker:2375", b"referer": b"http://docker:2375/"},
            "search domain; .*ALLOWED_HOSTS=docker",
            id="single-label",
        ),
        pytest.param(
            {b"host": b"a@b"}, "'a@b' is no name and no address", id="no-name"
        ),
        pytest.param(
            {b"host": b"127.0.0.1", b"origin": b"null"}, "Origin is not", id="origin"
        ),
        pytest.param({b"accept-language": b""}, "Host is missing", id="no-host"),
    ],
)
def test_the_refusal_says_what_to_do(fields: dict[bytes, bytes], said: str) -> None:
    """Whoever meets it by mistake reads which setting to write."""
    with pytest.raises(CrossSite, match=said):
        check_site(fields, Site(reach=Reach.LOOPBACK))


labels = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)


@given(st.lists(labels, min_size=1, max_size=4), st.sampled_from(sorted(BROWSER)))
@example(["localhost", "evil", "example"], "origin")
def test_no_public_name_gets_past(names: list[str], mark: str) -> None:
    """Whatever stands before a public suffix, a browser's request to it is refused."""
    host = ".".join([*names, "example"]).encode()
    for reach in TCP:
        assert not allows(marked(host, BROWSER[mark]), reach)


@given(st.binary(max_size=40), st.sampled_from(TCP))
def test_any_bytes_are_judged(host: bytes, reach: Reach) -> None:
    """No Host makes it fail otherwise, and what a browser may ask, a client may."""
    if allows({b"host": host, b"accept-language": b""}, reach):
        assert allows({b"host": host}, reach)


@given(st.binary(max_size=40))
def test_any_refusal_can_be_shown(host: bytes) -> None:
    """The message goes into a log line and into JSON, whatever the Host was."""
    fields = {b"host": host, b"origin": b"http://" + host, b"accept-language": b""}
    with pytest.raises(CrossSite) as caught:
        check_site(
            fields | {b"referer": b"x"},
            Site(reach=Reach.LOOPBACK, allowed_hosts=ALLOWED),
        )
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
