"""Whether a request was sent by a web page of somebody else: `Host` beside `Origin`.

A browser keeps a page away from other sites by comparing origins, and an origin is a
*name*. By DNS rebinding a page at `http://evil.example:2375` has its own name resolved
to the proxy's address a second time: the browser then sends `Host: evil.example:2375`
and, with a form or a fetch, the same `Origin`. The two agree, and both are the
attacker's, so comparing them stops nothing. What the attacker cannot choose is a name
that no public DNS gives away:

- an IP literal: a page at an address cannot move to another one;
- `localhost` and `*.localhost`, which browsers resolve themselves;
- a single label, such as a Compose service: public DNS has none. A resolver may complete
  it by a search domain, though, so it does not do for what a browser sent;
- what the operator lists in `ALLOWED_HOSTS`.

A browser gives itself away by `MARKS`. Over plain HTTP to a foreign name it leaves
`Sec-Fetch-*` out, a page can leave `Referer` out, and a GET of its own site has no
`Origin`; but a page can only change `Accept-Language`, never take it away. On a loopback
listener no client has a reason for a foreign name, so the mark is not asked for there.
A Unix socket is not reached by browsers: nothing is checked.

Clients that open a websocket have an `Origin` too. websocket-client (docker-py) names the
very host that it connects to. aiodocker says `http://localhost` whatever the host is, which
a page at port 80 of the browser's own machine could say as well; so it is believed together
with what no page can have: a handshake, for which pages set no field, with aiohttp's
`User-Agent` and no mark beside the `Origin`.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from trioproxy.errors import CrossSite
from trioproxy.values import value_class


class Reach(Enum):
    """Who can connect to a listener."""

    UNIX = "unix"
    LOOPBACK = "loopback"
    NETWORK = "network"


MARKS: Final = frozenset({b"origin", b"referer", b"accept-language"})
"""Fields that browsers send, and clients of the Engine do not; `sec-fetch-*` as well."""

AIODOCKER: Final = b"http://localhost"
"""The `Origin` of its websockets, to every host."""

AIOHTTP: Final = re.compile(rb"Python/[0-9.]+ aiohttp/[0-9A-Za-z.]+")

FETCH_PREFIX: Final = b"sec-fetch-"
OTHER_SITES: Final = frozenset({b"cross-site", b"same-site"})
"""`same-site` is another origin still: another port, or another name of the domain."""

HOST_AND_PORT: Final = re.compile(
    rb"(\[[0-9A-Fa-f:.]+(?:%25[0-9A-Za-z._~-]+)?\]|[0-9A-Za-z._-]+)(?::[0-9]{0,5})?"
)
"""A name or an address, and its port. No percent-encoding, no userinfo."""

LABEL: Final = rb"[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?"
SINGLE_LABEL: Final = re.compile(LABEL)
NAME: Final = re.compile(rb"%b(?:\.%b)*\.?" % (LABEL, LABEL))
OCTET: Final = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = re.compile(rb"%b(?:\.%b){3}" % (OCTET, OCTET))

LONGEST_SHOWN: Final = 64


@value_class
class Site:
    """Where a listener is reached, and under which names."""

    reach: Reach
    allowed_hosts: frozenset[str] = frozenset()
    """Names of this proxy, in lower case, beside those that nobody else can have."""


UNIX: Final = Site(reach=Reach.UNIX)


def check_site(fields: Mapping[bytes, bytes], site: Site) -> None:
    """Refuse what a web page of another site sent; `CrossSite` says what to do.

    `fields` has the names in lower case. Of `Host`, `Origin` and `Sec-Fetch-Site` there
    must be no second one, or somebody else may read another than is judged here.
    """
    reach, allowed_hosts = site.reach, site.allowed_hosts
    if reach is Reach.UNIX:
        return
    host = fields.get(b"host", b"").strip().lower()
    _check_origin(host, fields)
    # The first field that only a browser sends; an empty value counts.
    mark = next(filter(_is_mark, fields), b"")
    if not host:
        # HTTP/1.0 without a Host, or an empty one: no browser asks like that.
        if mark:
            raise CrossSite(f"{_shown(mark)} marks a browser, and the Host is missing")
        return
    found = HOST_AND_PORT.fullmatch(host)
    name = found[1] if found else b""
    if _is_ours(name, allowed_hosts) or (not mark and SINGLE_LABEL.fullmatch(name)):
        return
    if not mark and reach is Reach.NETWORK:
        return
    if not NAME.fullmatch(name):
        raise CrossSite(f"the Host {_shown(host)!r} is no name and no address")
    said = _shown(name.removesuffix(b"."))
    raise CrossSite(
        f"the Host is {said}: {_why(name)};"
        f" if it is a name of this proxy, start it with ALLOWED_HOSTS={said}"
    )


def _check_origin(host: bytes, fields: Mapping[bytes, bytes]) -> None:
    """Compare the `Host` with whatever says which page sent the request.

    The Host keeps its port here: pages on two ports of one name are strangers.
    """
    origin = fields.get(b"origin")
    referer = fields.get(b"referer", b"").strip()
    site = fields.get(b"sec-fetch-site", b"").strip().lower()
    is_strange = origin is not None and _site_of(origin) != host
    if is_strange and not _is_aiodocker(fields):
        why = "the Origin is not the Host"
    elif referer and _site_of(referer) != host:
        why = "the Referer is not the Host"
    elif site in OTHER_SITES:
        why = f"Sec-Fetch-Site is {site.decode()}"
    else:
        return
    raise CrossSite(f"a web page of another site sent this request: {why}")


def _site_of(url: bytes) -> bytes | None:
    """Host and port of an `Origin` or `Referer`; None for `null`, which no host is."""
    _, separator, rest = url.strip().lower().partition(b"://")
    site = rest.partition(b"/")[0]
    return site if separator and site else None


def _is_mark(name: bytes) -> bool:
    return name in MARKS or name.startswith(FETCH_PREFIX)


def marks_browser(lines: bytes) -> bool:
    """Whether header fields, a line each, mark a browser, wherever it asks."""
    pairs = (line.partition(b":") for line in lines.lower().split(b"\r\n"))
    return any(
        _is_mark(name)
        or (name == b"user-agent" and value.strip().startswith(b"mozilla/"))
        for name, _, value in pairs
    )


def _is_aiodocker(fields: Mapping[bytes, bytes]) -> bool:
    """Whether aiodocker opens a websocket, and no page does."""
    return (
        fields[b"origin"] == AIODOCKER
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and AIOHTTP.fullmatch(fields.get(b"user-agent", b"")) is not None
        and not any(_is_mark(name) for name in fields if name != b"origin")
    )


def _is_ours(name: bytes, allowed_hosts: frozenset[str]) -> bool:
    """Whether no page of somebody else can have this name; it is in lower case.

    One final dot is taken away: `localhost.` is localhost. It stays on a single label,
    for `ai.` is a name of public DNS.
    """
    if name.startswith(b"[") or IPV4.fullmatch(name):
        return True
    if not NAME.fullmatch(name):
        return False
    plain = name.removesuffix(b".")
    return (
        plain == b"localhost"
        or plain.endswith(b".localhost")
        or plain.decode() in allowed_hosts
    )


def _why(name: bytes) -> str:
    if SINGLE_LABEL.fullmatch(name):
        return "a browser's resolver may have completed it by a search domain"
    return "a web page of that name may have been pointed here (DNS rebinding)"


def _shown(text: bytes) -> str:
    return text[:LONGEST_SHOWN].decode("ascii", "backslashreplace")
