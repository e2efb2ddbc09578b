"""Sums of what is on the disk, and who uses an image: made of what is shown."""

from typing import Any

import pytest

from tests.proxy.test_objects import ID, OTHER, OWN
from trioproxy.api.answers import ANSWERS, Tells
from trioproxy.errors import BadTarget
from trioproxy.judge.showing import (
    HIDDEN,
    NeedContainers,
    NeedKnown,
    NeedSum,
    NeedUsers,
    NeedWhole,
    Showing,
    Shown,
)
from trioproxy.judge.sums import Sum
from trioproxy.limits.objects import parse_objects
from trioproxy.limits.things import Thing

OBJECTS = parse_objects({"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}, source="x")
IMAGE = "sha256:x"


def showing_of(operation: str) -> Showing:
    return Showing(answer=ANSWERS[operation], objects=OBJECTS)


def shown(
    operation: str,
    key: str,
    value: Any,  # noqa: ANN401  JSON
    showing: Showing | None = None,
) -> Shown:
    """What is shown of an element where nothing has labels from its image."""
    looking = (showing or showing_of(operation)).element(key, value)
    answer: Any = None
    while True:
        try:
            need = looking.send(answer)
        except StopIteration as over:
            found: Shown = over.value
            return found
        match need:
            case NeedWhole():
                answer = need.thing._replace(inherited={})
            case NeedContainers():
                answer = {one: Thing("container", one, labels=OWN if one == ID else {}, inherited={}) for one in need.ids}  # type: ignore[arg-type]  # fmt: skip
            case NeedUsers():
                answer = 1
            case NeedSum():
                answer = None
            case NeedKnown():
                raise AssertionError("only events ask that")


def container(one: str, labels: object, size: int, state: str) -> dict[str, Any]:
    return {"Id": one, "Names": ["/c"], "ImageID": IMAGE, "Labels": labels, "SizeRw": size, "State": state}  # fmt: skip


def volume(name: str, labels: object, size: int, count: int) -> dict[str, Any]:
    return {"Name": name, "Labels": labels, "UsageData": {"Size": size, "RefCount": count}}  # fmt: skip


def test_a_sum_of_containers() -> None:
    """How many, how many run, what they take: of strangers nothing is in it."""
    items = [container(ID, OWN, 5, "exited"), container("c3" * 32, OWN, 7, "running")]
    stranger = container(OTHER, {}, 100, "exited")
    told = {"ActiveCount": 1, "Items": [stranger, *items], "Reclaimable": 105, "TotalCount": 3, "TotalSize": 112}  # fmt: skip
    found = shown("SystemDataUsage", "ContainerUsage", told)
    assert found.hidden == 1
    assert found.value == {"ActiveCount": 1, "Items": items, "Reclaimable": 5, "TotalCount": 2, "TotalSize": 12}  # fmt: skip
    assert isinstance(found.value, dict)
    assert list(found.value) == sorted(found.value)


def test_a_sum_without_strangers_is_as_it_came() -> None:
    """What the Engine sums up, and what we do: zeros are left out, and unknown sizes count nothing."""
    items = [volume("a", OWN, 5, 0), volume("b", OWN, 7, 2), volume("c", OWN, -1, 0)]
    told = {"ActiveCount": 2, "Items": items, "Reclaimable": 5, "TotalCount": 3, "TotalSize": 12}  # fmt: skip
    assert shown("SystemDataUsage", "VolumeUsage", told).value == told
    images = [{"Id": IMAGE, "Size": 9, "SharedSize": 4, "Containers": 0}, {"Id": "y", "Size": 9, "SharedSize": -1, "Containers": -1}]  # fmt: skip
    told = {"ActiveCount": 1, "Items": images, "Reclaimable": 5, "TotalCount": 2, "TotalSize": 14}  # fmt: skip
    assert shown("SystemDataUsage", "ImageUsage", told).value == told
    assert shown("SystemDataUsage", "ContainerUsage", {}).value == {}
    cache = {"TotalCount": 4}
    assert shown("SystemDataUsage", "BuildCacheUsage", cache).value is cache


def test_a_sum_without_its_list_is_that_of_the_list_before() -> None:
    """Nothing of it tells of strangers; where no list came before, none is shown."""
    told: dict[str, Any] = {"TotalCount": 9, "TotalSize": 112}
    before = Sum(Tells.VOLUME)
    before.add(volume("v", OWN, 5, 0))
    assert before.told(0) == {"Reclaimable": 5, "TotalCount": 1, "TotalSize": 5}
    for known, value in ((before, before.told(0)), (None, HIDDEN)):
        looking = showing_of("SystemDataUsage").element("VolumeUsage", told)
        assert next(looking) == NeedSum(Tells.VOLUME)
        with pytest.raises(StopIteration) as over:
            looking.send(known)
        assert over.value.value == Shown(value)


def test_who_uses_an_image() -> None:
    """Of the containers of an image those are counted, and told by id, that are shown."""
    assert shown("ImageList", "", {"Id": IMAGE, "Containers": 3}) == Shown({"Id": IMAGE, "Containers": 1}, 2)  # fmt: skip
    uncounted = {"Id": IMAGE, "Containers": -1}
    assert shown("ImageList", "", uncounted).value is uncounted
    manifests = [{"ImageData": {"Containers": [ID, OTHER], "Size": 1}}, {"Kind": "attestation"}]  # fmt: skip
    found = shown("ImageList", "", {"Id": IMAGE, "Containers": -1, "Manifests": manifests})  # fmt: skip
    assert found.hidden == 1
    assert found.value == {"Id": IMAGE, "Containers": -1, "Manifests": [{"ImageData": {"Containers": [ID], "Size": 1}}, {"Kind": "attestation"}]}  # fmt: skip


VERBOSE = {
    "": (False, ""), "verbose=0": (True, "verbose=1"), "verbose=false&type=volume": (True, "type=volume&verbose=1"),
    **{f"verbose={no}": (True, "verbose=1") for no in ("f", "F", "FALSE", "False", "false")},
    "verbose=1": (False, "verbose=1"), "verbose=": (False, "verbose="), "type=volume": (False, "type=volume"),
}  # fmt: skip


@pytest.mark.parametrize(("query", "asked"), VERBOSE.items(), ids=VERBOSE)
def test_a_sum_is_told_with_what_it_is_made_of(
    query: str, asked: tuple[bool, str]
) -> None:
    """Nothing could be taken out of it else; who wants no lists is given none."""
    showing, sent = showing_of("SystemDataUsage").asked(query.encode())
    assert (showing.is_brief, sent.decode()) == asked
    told = {"Items": [volume("v", OWN, 5, 0)], "TotalCount": 1, "TotalSize": 5}
    cache = {"Items": [{"ID": "x"}], "TotalCount": 1}
    for key, value in (("VolumeUsage", told), ("BuildCacheUsage", cache)):
        whole = shown("SystemDataUsage", key, value).value
        found = shown("SystemDataUsage", key, value, showing).value
        assert isinstance(whole, dict)
        assert isinstance(found, dict)
        is_brief = showing.is_brief
        assert found == {k: v for k, v in whole.items() if not (is_brief and k == "Items")}  # fmt: skip


def test_verbose_twice_has_two_readings() -> None:
    """Which of them counts a handler alone knows."""
    with pytest.raises(BadTarget, match="verbose is in the query twice"):
        showing_of("SystemDataUsage").asked(b"verbose=0&verbose=1")
