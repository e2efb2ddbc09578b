"""Bounds: what is just within one is read, and one more is not.

The numbers are those of the page on architecture, written out: whoever moves one says so here.
"""

from collections.abc import Callable

import pytest

from tests.limits.arguing import asked, create, values
from trioproxy.api import normal
from trioproxy.api.decoding import Json, show
from trioproxy.api.options import is_memory_option
from trioproxy.api.target import Target
from trioproxy.errors import BadBody, BadTarget, BodyTooLarge


def binds_of(size: int) -> list[Json]:
    """Binds that ask for so many characters, with the places where they stand."""
    found: list[Json] = []
    while size:
        size -= len(f"HostConfig.Binds[{len(found)}]")
        length = size if size < 4_000 else 3_000
        size -= length
        found.append(f"/{'a' * (length - 1)}:/b")
    return found


def named(count: int, value: Json) -> dict[str, Json]:
    return {f"net.n{number}": value for number in range(count)}


MOST: dict[str, tuple[int, Callable[[int], object]]] = {
    "binds": (1_024, lambda n: create({"Binds": ["v:/x"] * n})),
    "capabilities": (1_024, lambda n: create({"CapAdd": ["KILL"] * n})),
    "devices": (1_024, lambda n: create({"Devices": [{"PathOnHost": "/dev/x"}] * n})),
    "mounts": (1_024, lambda n: create({"Mounts": [{"Type": "tmpfs"}] * n})),
    "settings": (1_024, lambda n: create({"Sysctls": named(n, "1")})),
    "file systems in memory": (1_024, lambda n: create({"Tmpfs": named(n, "")})),
    "volumes": (1_024, lambda n: create(Volumes=named(n, {}))),
    "names": (1_024, lambda n: asked("ContainerExec", {"Cmd": ["x"], "Env": ["A"] * n})),
    "parameters": (1_000, lambda n: asked("ImageBuild", None, "&".join(["a"] * n))),
    "a path": (4_096, lambda n: create({"Binds": [f"/{'a' * (n - 1)}:/b"]})),
    "a bind": (12_287, lambda n: create({"Binds": [f"v:/{'b' * (n - 3)}"]})),
    "a word": (4_096, lambda n: create({"Runtime": "r" * n})),
    "an address": (4_096, lambda n: create({"PortBindings": {"80": [{"HostIp": "x" * n}]}})),
    "an option": (4_096, lambda n: create({"Mounts": [{"Type": "volume", "VolumeOptions": {"DriverConfig": {"Options": {"o": "x" * n}}}}]})),
    "all together": (131_072, lambda n: create({"Binds": binds_of(n - len("no image"))})),
}  # fmt: skip


@pytest.mark.parametrize(("most", "ask"), MOST.values(), ids=MOST)
def test_the_most_that_is_read(most: int, ask: Callable[[int], object]) -> None:
    """So much of it is read, of items or of characters; one more is refused."""
    ask(most)
    with pytest.raises((BadBody, BadTarget, BodyTooLarge)):
        ask(most + 1)


def test_the_longest_value_of_an_option() -> None:
    """An option is told with a value of 256 characters, and of a longer one by its name."""
    option = "ContainerCreate:HostConfig.Annotations.a"
    for length, told in ((256, f"={'x' * 256}"), (257, "")):
        found = values(create({"Annotations": {"a": "x" * length}}))
        assert found == [("CREATE_OPTIONS", option + told)]


def test_the_longest_name_of_an_image() -> None:
    """What is as long as a path may be is still read as an image's name."""
    assert normal.image("a" * 4_096) == f"{'a' * 4_096}:latest"
    with pytest.raises(BadBody):
        normal.image("a" * 4_097)


def test_the_longest_options_of_a_mount() -> None:
    """A list of options as long as a path is read, and of a longer one nothing is known."""
    assert is_memory_option(f"size={'1' * 4_091}")
    assert not is_memory_option(f"size={'1' * 4_092}")


def test_what_is_shown_is_short_and_plain() -> None:
    """What a client wrote is cut at 64 characters, a target at 256, and no byte of it acts on
    a terminal."""
    assert show("a" * 64) == "a" * 64
    assert show("a" * 65) == f"{'a' * 64}..."
    assert show("\x00\x1f ~\x7f\x80é") == "\\x00\\x1f ~\\x7f\\x80\\xe9"
    assert Target.parse(b"/" + b"a" * 300).shown == "/" + "a" * 255
