"""Request targets: bytes to one canonical form, or `BadTarget`.

The Engine decodes the path once and then cleans, redirects or matches it. Here a path that
it would clean is refused, so what is matched is what it matches. No routes are known here.
"""

import re
from dataclasses import replace

from trioproxy import percent
from trioproxy.errors import BadTarget
from trioproxy.quoting import in_quotes
from trioproxy.values import ordered_class

SHOWN_LIMIT = 256

LONGEST_PATH = 4 * 1024
"""Bytes of a path with escapes, each of which is work; the longest name is 255 of them."""

# Needs no decoding and no quoting: it is its own canonical form, if its segments are good.
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9_.~/!$&'()*+,;=:@-]*")
# Visible ASCII only (Go takes raw bytes from 0x80 on, h11 does not), and escapes that are whole.
_BAD_RAW_PATH = re.compile(rb"[^!-~]|#|%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_BAD_QUERY = re.compile(rb"[^!-~]|#")
# A redirect is no harm by itself, but the path that was asked for is not the one that would be served: who follows it
# comes back with another request, and whoever cleans in front of the Engine makes it one that nobody judged.
# What gorilla/mux would answer with a redirect to a cleaned path, and control bytes.
_BAD_PATH = re.compile(r"[\x00-\x1f\x7f]|//|(?<=/)\.{1,2}(?=/|\Z)")
_LIKE_A_VERSION = re.compile(r"v[0-9.]+")
# By an older version a start takes a `HostConfig` that replaces the one that was judged, and a container's files are
# copied out by another route. `v1.045`, `v01.45` and `v1.45.` are 1.45 to the Engine and other texts to all who compare
# them, in front of this proxy or behind it.
# From 1.24 on, the lowest that a supported Engine can be told to accept; written in one way only.
_VERSION = re.compile(r"v1\.(?:2[4-9]|[3-9][0-9]|[1-9][0-9]{2})")
# Podman's own routes have Podman's versions: numbers alone, as its client writes them.
_LIBPOD_VERSION = re.compile(r"v(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,3})){1,2}")
# By the first digit of the version Podman chooses between two sets of these routes.
_MANIFESTS = re.compile(r"libpod/manifests(?:/|\Z)")


@ordered_class
class Target:
    """A request target in the one reading that the Engine has of it too."""

    raw: bytes
    version: str
    """`/v1.45`, for Podman's own routes `/v5.4.2`, or empty."""
    path: str
    """Decoded once, byte for byte (latin-1), without the version."""
    query: bytes
    """What follows the first `?`, verbatim."""
    has_query: bool
    """Whether there is a `?`, even with nothing behind it."""
    encoded_slash: bool
    """Whether a slash of the path was written as `%2F`."""
    quoted: str
    """Version and path, escaped in one way."""

    @classmethod
    def parse(cls, raw: bytes) -> "Target":
        """Read an origin-form target; `BadTarget` names what is wrong with it."""
        raw_path, mark, query = raw.partition(b"?")
        plain = _PLAIN_PATH.fullmatch(raw_path)
        if not plain:
            _check_raw_path(raw_path)
        if query and (found := _BAD_QUERY.search(query)):
            raise BadTarget(f"{in_quotes(found[0])} is not allowed in a query")
        decoded = (raw_path if plain else percent.decode(raw_path)).decode("latin-1")
        # What is bad begins with one of these two, or is a byte that no plain path holds.
        if not plain or "//" in decoded or "/." in decoded:
            _check_path(decoded)
        version, path = _split_version(decoded)
        has_slash = not plain and b"%2f" in raw_path.lower()
        quoted = decoded if plain else version + quote_path(path)
        return cls(raw, version, path, query, mark != b"", has_slash, quoted)

    @property
    def named_version(self) -> str:
        """The API version that it names, or `unversioned`."""
        return self.version.removeprefix("/v") or "unversioned"

    @property
    def canonical(self) -> bytes:
        """What goes upstream: the same path, escaped in one way, and the query."""
        mark = b"?" if self.has_query else b""
        return self.quoted.encode("ascii") + mark + self.query

    @property
    def shown(self) -> str:
        """The target for logs and messages: no query, visible ASCII, not too long."""
        return self.quoted[:SHOWN_LIMIT]

    def short(self) -> "Target":
        """What is shown of it, and nothing else: to be told, not to be judged."""
        return replace(self, raw=b"", path="", query=b"", quoted=self.shown)


# What goes on is written anew from what was matched, and never the client's own bytes: whatever he escaped, the Engine
# reads the path that was judged.
def quote_path(path: str) -> str:
    """Write a decoded path, escaped in one way."""
    return percent.encode(path.encode("latin-1"), percent.IN_PATHS)


def _check_raw_path(raw_path: bytes) -> None:
    if not raw_path.startswith(b"/"):
        # Before the @ of an authority there may be a password.
        shown = raw_path.rpartition(b"@")[2]
        raise BadTarget(f"the target must begin with a slash: {in_quotes(shown)}")
    if len(raw_path) > LONGEST_PATH:
        raise BadTarget(f"the path is longer than {LONGEST_PATH:,} bytes")
    if found := _BAD_RAW_PATH.search(raw_path):
        raise BadTarget(f"{in_quotes(found[0])} is not allowed in a path")


def _check_path(path: str) -> None:
    if found := _BAD_PATH.search(path):
        what = {"//": "an empty", ".": "a dot", "..": "a dot"}.get(found[0])
        what = f"{what} segment" if what else f"the control byte {found[0]!a}"
        raise BadTarget(f"the path holds {what}: {path[:64]!a}")


def _split_version(path: str) -> tuple[str, str]:
    first, slash, rest = path[1:].partition("/")
    version = ""
    is_v1 = first[:2] == "v1" and _VERSION.fullmatch(first)
    if is_v1 and not rest.startswith("libpod/"):
        version, path = f"/{first}", slash + rest
    elif first[:1] == "v" and _LIKE_A_VERSION.fullmatch(first):
        _check_unusual_version(first, rest)
        version, path = f"/{first}", slash + rest
    if path in {"", "/"}:
        raise BadTarget("the target names no route")
    return version, path


def _check_unusual_version(version: str, rest: str) -> None:
    if not rest.startswith("libpod/"):
        raise BadTarget(f"the version must be v1.24 to v1.999, not {version[:64]!a}")
    if not _LIBPOD_VERSION.fullmatch(version):
        raise BadTarget(f"no version of Podman: {version[:64]!a}; write v5.0.0")
    if _MANIFESTS.match(rest) and version[1] in "0123":
        raise BadTarget(
            f"below /libpod/manifests the version must be v4.0.0 or higher, not {version!a}"
        )
