"""Normal forms: what a client may write in many ways, in the one way that is compared.

Each follows the Engine's own reading. What the Engine refuses has no normal form and is
given back as it is, escaped; no list holds such a value.
"""

import ipaddress
import posixpath
import re
from typing import Final

from trioproxy import percent
from trioproxy.errors import BadBody, BadTarget

LONGEST: Final = 4096
"""Characters of a value that is compared: as many as a path of Linux has, with its end."""

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]*")
"""What stands for itself in a part of a value; all else is `%XX` there."""
_LITERAL: Final = percent.LETTERS | frozenset(b"_./+-")


def quote(text: str) -> str:
    """Write a part of a value so that it can only be read as itself.

    Raises `BadBody` for what is longer than anything that a list could hold.
    """
    if _PLAIN.fullmatch(bounded(text)):
        return text
    return percent.encode(text.encode("utf-8", "surrogateescape"), _LITERAL)


def bounded(text: str) -> str:
    """Give a text back. Raises `BadBody` if it is longer than anything that is listed."""
    if len(text) > LONGEST:
        raise BadBody(f"a value of {len(text)} characters: {text[:32]!a}...")
    return text


def unquote(part: str) -> str:
    """Undo `quote`."""
    return percent.decode(part.encode()).decode("utf-8", "surrogateescape")


def is_quoted(part: str) -> bool:
    """Whether a part is written as `quote` writes it: one value has one form."""
    return quote(unquote(part)) == part


def path(text: str) -> str:
    """Clean a path as text, as the Engine does; no link is followed.

    Raises `BadBody` for what is longer than any path: cleaning takes its time.
    """
    if not bounded(text).startswith("/"):
        return text
    # `normpath` keeps two slashes in front, as POSIX lets systems do; on Linux they are one.
    return posixpath.normpath("/" + text.lstrip("/"))


# Where two readers part a name in different places, one image is judged and another one pulled. So this is the very
# grammar by which the Engine reads, and what does not fit it has no normal form.
# The grammar of references (github.com/distribution/reference).
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"((?:{_DOMAIN}/)?{_PART}(?:/{_PART})*)"
    r"(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}))?"
)
# The Engine takes any beginning of an id that no other one has, of three digits too, and `face` is a good name as well.
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DEFAULT_DOMAIN = "docker.io/"
_OFFICIAL = "library/"


def image(text: str) -> str:
    """Write an image as `repo:tag` or `repo[:tag]@digest`, without `docker.io/library/`.

    What may be an image's id stays as it is: it is no name.
    """
    if _ID.fullmatch(text):
        return text
    found = _parse(text)
    if found is None:
        return quote(text)
    name, tag, digest = found.groups()
    name = repository(name)
    if digest:
        return f"{name}:{tag}@{digest}" if tag else f"{name}@{digest}"
    return f"{name}:{tag or 'latest'}"


def is_image_id(value: str) -> bool:
    """Whether the normal form of an image may be an id, or the beginning of one.

    It may be a name as well, which the Engine looks for first: it alone can tell.
    """
    return _ID.fullmatch(value) is not None


# Podman opens what stands behind these as root, be it to look an image up: a storage in any folder of its host, by a
# program of there if that is said, or a file. Docker's Engine knows no image by them.
_OF_HOST: Final = re.compile(
    r'containers-storage:\[|(?:^|[="]|/(?:images|manifests|registry)/)tarball:'
    # Where name and tag come apart, Podman puts a colon between.
    r"|[?&](?i:fromimage|repo)=(?:containers-storage|tarball)(?:&|\Z)"
    r"|/images/(?:containers-storage|tarball)/push\?"
    # What it imports is a file, unless it begins as an address; the key may have a long s.
    r"|[?&](?i:from(?:s|\xc5\xbf)rc)=(?!-?(?:&|\Z)|(?i:https?://))"
)


def is_of_host(text: str) -> bool:
    """Whether Podman takes a name of an image in a text for something else of its host."""
    return _OF_HOST.search(text) is not None


def told_apart(value: str) -> tuple[str, str] | None:
    """Split `repo:tag@digest` into `repo:tag` and `repo@digest`; None for all else."""
    tagged, mark, digest = value.partition("@")
    repo, colon, tag = tagged.rpartition(":")
    if not mark or not colon or "/" in tag:
        return None
    return tagged, f"{repo}@{digest}"


def _parse(text: str) -> re.Match[str] | None:
    # Longer ones are no references; a client could make the pattern work for nothing.
    return _REFERENCE.fullmatch(text) if len(text) <= LONGEST else None


def tagged(name: str, tag: str, *, every: bool = False) -> str:
    """Write a name and a tag that came apart, as `image` does.

    With `every`, no tag at all means all tags of the name: `repo:*`.
    """
    found = _parse(name)
    if found is None:
        return quote(f"{name}:{tag}" if tag else name)
    repo, own_tag, digest = found.groups()
    if not tag:
        if every and not own_tag and not digest:
            return f"{repository(repo)}:*"
        return image(f"{name}:latest" if _ID.fullmatch(name) else name)
    if _TAG.fullmatch(tag):
        # The Engine takes the tag for the name's own, and pulls by the name's digest.
        return f"{repository(repo)}:{tag}" + (f"@{digest}" if digest else "")
    if _parse(f"x@{tag}"):
        return f"{repository(repo)}@{tag}"
    return quote(f"{name}:{tag}")


def repository(name: str) -> str:
    """Write a repository as the docker CLI shows it."""
    domain, slash, rest = name.partition("/")
    if slash and domain == "index.docker.io":
        name = f"{_DEFAULT_DOMAIN}{rest}"
    if name.startswith(_DEFAULT_DOMAIN):
        name = name.removeprefix(_DEFAULT_DOMAIN)
        owner, slash, _ = name.partition("/")
        # Short, this would be the name of another registry, and that is where it would be pulled from.
        is_plain = owner == owner.lower() and "." not in owner and owner != "localhost"
        if slash and not is_plain:
            return f"{_DEFAULT_DOMAIN}{name}"
    # The Engine reads a first part without a dot as one of Docker Hub.
    rest = name.removeprefix(_OFFICIAL)
    return name if "/" in rest else rest


def capability(text: str) -> str:
    """Write a capability in capitals and without `CAP_`."""
    # In capitals as the Engine does it: there, too, the long s (U+017F) becomes an `S`, and what it spells works.
    return quote(text.upper().removeprefix("CAP_"))


_PORTS = re.compile(r"0{0,9}([0-9]{1,5})(?:-0{0,9}([0-9]{1,5}))?")


def host_port(address: str, port: str, protocol: str) -> str:
    """Write where a port is bound: `8080`, `127.0.0.1:8000-8010/udp`, `random`."""
    return f"{_address(bounded(address))}{_port(port)}{_protocol(protocol)}"


def is_address(text: str) -> bool:
    """Whether a text is an address of IP."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str) -> str:
    if text and not is_address(text):
        return f"{quote(text)}:"
    found = ipaddress.ip_address(text or "0.0.0.0")  # noqa: S104  compared, not bound
    if found.is_unspecified:
        return ""
    return f"{found}:" if found.version == 4 else f"[{found}]:"


def _port(text: str) -> str:
    # A protocol behind it is nothing to the Engine, which goes by that of the container's port.
    found = _PORTS.fullmatch(text.partition("/")[0] or "0")
    if found is None:
        return quote(text)
    first = int(found[1])
    last = int(found[2] or first)
    if first == last:
        return str(first) if first else "random"
    return f"{first}-{last}"


def _protocol(text: str) -> str:
    protocol = text.lower() or "tcp"
    return "" if protocol == "tcp" else f"/{quote(protocol)}"


def url(text: str) -> str:
    """Write where a URL leads, without what may be a secret: user, password, query.

    The Engine reads a text without a scheme as one with `http://`. Raises `BadTarget`
    where two readers might find the host in different places.
    """
    scheme, mark, rest = text.partition("://")
    if not _SCHEME.fullmatch(scheme):
        scheme, mark, rest = "", "", text
    authority, slash, way = re.split("[?#]", rest)[0].partition("/")
    if not _AUTHORITY.fullmatch(authority):
        raise BadTarget("an address whose host two readers would read differently")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{way}"


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_AUTHORITY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%@\[\]-]*")


def profile(text: str) -> str:
    """Name a seccomp profile: a word, or the digest of its text."""
    if text.lstrip().startswith("{"):
        # Here, for it brings libcrypto along: a fifth of the idle memory of who serves.
        import hashlib

        return f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"
    return quote(text)
