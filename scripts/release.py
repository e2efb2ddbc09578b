"""What a release is called, and what it says of itself.

    release.py outputs TAG     lines for $GITHUB_OUTPUT: version, the image's tags, whether it is a candidate
    release.py notes VERSION   its section of CHANGELOG.md, which becomes the release's text
    release.py newest          the newest release; nothing if there is none

`outputs` and `newest` read all tags of the repository from stdin, a line each. Run in
the root of a checkout. A tag that is not the version of the source, or a version that
the changelog does not have, ends with status 2 and one line on stderr.
"""

import re
import sys
from pathlib import Path

VERSION = Path("trioproxy", "__init__.py")
CHANGELOG = Path("CHANGELOG.md")

_NUMBER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((?:a|b|rc)\d+)?")
"""A version as PEP 440 writes it, which is also a tag that an image may have."""


class NoRelease(Exception):
    """This cannot be released; the text says why."""


def parse(version: str) -> re.Match[str]:
    """The parts of a version."""
    if found := _NUMBER.fullmatch(version):
        return found
    raise NoRelease(f"{version!r} is no version such as 1.2.3 or 1.2.3rc1")


def version_of(tag: str) -> str:
    """The version that a tag names, which is that of the source."""
    if not tag.startswith("v"):
        raise NoRelease(f"the tag {tag!r} does not begin with v, as in v1.2.3")
    version = tag.removeprefix("v")
    parse(version)
    source = re.search(r'(?m)^__version__ = "(.+)"$', read(VERSION))
    if source is None:
        raise NoRelease(f"{VERSION} has no __version__")
    if source[1] != version:
        raise NoRelease(f"the tag is {tag}, and {VERSION} has {source[1]}")
    return version


def tags_of(version: str, others: str) -> list[str]:
    """Under which tags its image is found. What is no final release moves no other tag,
    and one that comes after a higher version, as a fix for an old line, not `latest`."""
    major, minor, _, pre = parse(version).groups()
    if pre:
        return [version]
    line = f"{major}.{minor}"
    is_newest = newest_of(f"{others}\nv{version}") == f"v{version}"
    return [version, line, *(["latest"] if is_newest else [])]


def notes_of(version: str) -> str:
    """Its section of the changelog, without the heading."""
    parse(version)
    sections = re.split(r"(?m)^## ", read(CHANGELOG))[1:]
    dated = re.compile(rf"\[?{re.escape(version)}\]? - \d{{4}}-\d\d-\d\d\n")
    found = [one for one in sections if dated.match(one)]
    if len(found) != 1:
        raise NoRelease(
            f"{CHANGELOG} has {len(found)} sections '## [{version}] - YYYY-MM-DD': one is needed"
        )
    # Links to other places in the file, at its end, are no part of the last section.
    text = re.sub(r"(?m)^\[[^\]]+\]: .*\n?", "", found[0].partition("\n")[2]).strip()
    if not text:
        raise NoRelease(f"{CHANGELOG} says nothing of {version}")
    return text


def outputs_of(tag: str, others: str) -> str:
    """What a workflow goes on with. A release that has no notes is none."""
    version = version_of(tag)
    notes_of(version)
    lines = f"version={version}\ntags={' '.join(tags_of(version, others))}"
    return f"{lines}\nprerelease={'true' if parse(version)[4] else 'false'}"


def newest_of(tags: str) -> str:
    """The highest of the final releases among tags, a line each."""
    found = [
        (tuple(map(int, parts.groups()[:3])), tag)
        for tag in tags.split()
        if (parts := _NUMBER.fullmatch(tag.removeprefix("v")))
        if tag.startswith("v") and not parts[4]
    ]
    return max(found, default=((), ""))[1]


def read(path: Path) -> str:
    """A file of the checkout."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NoRelease(f"{path}: {error.strerror}") from error


def main(arguments: list[str]) -> str:
    """What the command writes."""
    match arguments:
        case ["newest"]:
            return newest_of(sys.stdin.read())
        case ["outputs", tag]:
            return outputs_of(tag, sys.stdin.read())
        case ["notes", version]:
            return notes_of(version)
        case _:
            raise NoRelease("usage: release.py outputs TAG | notes VERSION | newest")


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except NoRelease as error:
        sys.stderr.write(f"trioproxy: {error}\n")
        sys.exit(2)
