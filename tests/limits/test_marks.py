"""The proxy's labels: where a creation can give one, and what of it goes on."""

import json
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.arguments import MOST_ITEMS
from trioproxy.api.decoding import Json
from trioproxy.api.form import Asked
from trioproxy.errors import BadRequest, BodyTooLarge
from trioproxy.limits.marks import (
    BODIES,
    MARKED,
    OWNER_LABEL,
    mark,
    may_label,
    read,
)

OURS = {OWNER_LABEL: ""}


def marked(
    operation: str, body: Json = None, query: bytes = b"", owner: str = ""
) -> Asked:
    return mark(operation, read(query, body), owner)


def volume(**labels: Json) -> dict[str, Json]:
    return {"Type": "volume", "VolumeOptions": {"Labels": labels}}


KEPT: list[Any] = [
    {}, {"Image": "x", "Binds": ["/:/x"], "Frob": [None, 1.5, "\u017f"]},
    {"tty": True, "TTY": False, "\u017fize": 1}, {"HostConfig": None, "Name": "x", "Platform": ""},
    {"HostConfig": {"ContainerIDFile": "/x", "Mounts": []}, "NetworkingConfig": {"Frob": 1}},
]  # fmt: skip


@pytest.mark.parametrize("body", KEPT)
@pytest.mark.parametrize("operation", sorted(BODIES))
def test_all_else_goes_on_as_it_came(operation: str, body: dict[str, Json]) -> None:
    """One label is added, whatever else a body has, and nothing is left out."""
    query = b"name=a%2fb&frob" + (b"" if operation == "ImageCommit" else b"&;")
    asked = marked(operation, deepcopy(body), query)
    if operation == "ImageCommit":
        assert asked.sent().query == b"changes=LABEL%20trioproxy.owner%3D&" + query
        assert asked.sent().body == body
        return
    assert asked.sent().body == {**body, "Labels": OURS}
    assert (asked.claims, asked.is_whole, asked.sent().query) == ("", False, query)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        pytest.param({"labels": {"a": "b"}}, {"labels": {"a": "b", **OURS}}, id="case"),
        pytest.param({"Labels": None}, {"Labels": OURS}, id="null"),
        pytest.param({"Labels": {**OURS}}, {"Labels": OURS}, id="copied"),
        pytest.param({"Labels": {"Trioproxy.owner": "x", "xtrioproxy.": ""}},
                     {"Labels": {"Trioproxy.owner": "x", "xtrioproxy.": "", **OURS}}, id="others"),
    ],
)  # fmt: skip
def test_the_label_is_put_where_the_engine_looks(given: Json, got: Json) -> None:
    """Into the labels that are there, by whatever name the Engine finds them."""
    assert marked("NetworkCreate", given).sent().body == got


@pytest.mark.parametrize(
    ("body", "is_marked"),
    [
        ({"ConfigFrom": {"Network": "x"}}, False),
        ({"configfrom": {"network": "x"}, "Labels": {}}, False),
        ({"ConfigFrom": {"Network": "x"}, "Labels": {"a": "b"}}, True),
        ({"ConfigFrom": {"Network": ""}}, True),
        ({"ConfigFrom": None}, True),
    ],
)
def test_a_network_that_has_the_settings_of_another_gets_no_label(
    body: dict[str, Json], is_marked: bool
) -> None:
    """The Engine refuses any label beside them: it gives it those of the other network."""
    sent = marked("NetworkCreate", deepcopy(body), owner="ci").sent().body
    assert (sent != body, OWNER_LABEL in str(sent)) == (is_marked, is_marked)
    body["Labels"] = {OWNER_LABEL: "x"}
    assert marked("NetworkCreate", body, owner="ci").claims


def test_volumes_of_mounts_are_made_too() -> None:
    """Those of the host part, and those at the top, which Engines before 27 obey."""
    bodies: list[Any] = [{"HostConfig": {"Mounts": [volume()]}}, {"mounts": [volume()]}]
    for body in bodies:
        asked = marked("ContainerCreate", body, owner="ci").sent().body or {}
        host: Any = asked.get("HostConfig", asked)
        (mounts,) = (host[name] for name in host if name.lower() == "mounts")
        assert mounts == [volume(**{OWNER_LABEL: "ci"})]
    bind: dict[str, Json] = {
        "HostConfig": {"Mounts": [{"Type": "bind", "Source": "/a"}, None]}
    }
    sent = marked("ContainerCreate", bind).sent().body
    assert sent == {**bind, "Labels": OURS}


def test_a_commit_is_nobodys() -> None:
    """Its label is empty, whatever its container has, and its body is as it came."""
    bodies: list[Any] = [None, {}, {"Labels": OURS}, {"Labels": {OWNER_LABEL: "ci"}}]
    for body in bodies:
        asked = marked("ImageCommit", body, b"container=x", owner="ci")
        assert (asked.sent().body, asked.claims) == (body, "")
        assert asked.sent().query == b"changes=LABEL%20trioproxy.owner%3D&container=x"
    assert marked("ImageCommit", {"Labels": {OWNER_LABEL: "x"}}, owner="ci").claims
    made = marked("VolumeCreate", owner="ci").sent().body
    assert made == {"Labels": {OWNER_LABEL: "ci"}}
    assert (
        marked("NetworkCreate", owner="ci").sent().body is None
    )  # the Engine makes nothing


OWN = "trioproxy.owner"
CLAIMS: list[tuple[str, Any, str]] = [
    ("ContainerCreate", {"Labels": {OWN: "other"}}, ""),
    ("ContainerCreate", {"lABELS": {OWN: "other"}}, ""),
    ("ContainerCreate", {"Labels": {OWN: None}}, ""),
    ("ContainerCreate", {"Labels": {OWN: {}}}, ""),
    ("VolumeCreate", {"Labels": {OWN: ["app"]}}, ""),
    ("ContainerCreate", {"Labels": {"trioproxy.policy": "x"}}, ""),
    ("ContainerCreate", {"Labels": {"trioproxy.": ""}}, ""),
    ("ContainerCreate", {"HostConfig": {"Mounts": [volume(**{OWN: "x"})]}}, ""),
    ("ContainerCreate", {"hostconfig": {"MOUNTS": [{"type": "volume", "volumeoptions": {"LABELS": {OWN: "x"}}}]}}, ""),
    ("ContainerCreate", {"HostConfig": {"Mounts": [{"VolumeOptions": {"Labels": {OWN: "x"}}}]}}, ""),
    ("ContainerCreate", {"Mounts": [volume(**{OWN: "x"})]}, ""),
    ("NetworkCreate", {"Labels": {OWN: "x"}}, ""),
    ("VolumeCreate", {"Labels": {OWN: "x"}}, ""),
    ("ImageCommit", {"Labels": {OWN: "x"}}, ""),
    ("ImageCommit", None, urlencode({"changes": "LABEL trioproxy.owner=x"})),
    ("ImageCommit", {}, "changes=A&changes=LABEL%20trio%5C&changes=proxy.owner=x"),
    ("ImageCommit", {}, "Changes=LABEL%20trioproxy.owner=x"),
    ("ImageCommit", {}, "change%C5%BF=LABEL%20trioproxy.owner=x"),
    ("ImageCreate", None, "fromSrc=-&changes=label+trioproxy.owner=x"),
    ("ImageBuild", None, urlencode({"labels": json.dumps({OWN: ""})})),
    ("ImageBuild", None, urlencode({"labels": r'{"a":"b","\u0074rioproxy.owner":"x"}'})),
    ("ImageBuild", None, urlencode([("labels", ""), ("labels", '{"trioproxy.x":""}')])),
    ("ImageBuild", None, urlencode({"labels": '{"trioproxy.x":"","trioproxy.x":""}'})),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "body", "query"),
    CLAIMS,
    ids=[f"{n} {one[0]}" for n, one in enumerate(CLAIMS)],
)
def test_no_client_gives_a_label_of_ours(
    operation: str, body: Json, query: str
) -> None:
    """By none of the ways in which the Engine takes labels."""
    asked = marked(operation, body, query.encode())
    assert "leave it out" in asked.claims


@pytest.mark.parametrize(
    ("operation", "body", "query"),
    [
        ("ContainerCreate", {"Labels": {}, "labels": {}}, b""),
        ("ContainerCreate", {"Label\u017f": {OWN: "x"}}, b""),
        ("ContainerCreate", {"Ho\u017ftConfig": {}}, b""),
        ("ContainerCreate", {"HostConfig": {}, "hostConfig": {}}, b""),
        ("ContainerCreate", {"HostConfig": {"Mounts": [], "mounts": []}}, b""),
        ("ContainerCreate", {"Labels": []}, b""),
        ("ContainerCreate", [], b""),
        ("ImageBuild", None, b"labels=%7B"),
        ("ImageBuild", None, b"labels=" + b"[" * 100_000),
        ("ImageCommit", {}, b"changes=%ff"),
    ],
)
def test_what_has_no_one_reading(operation: str, body: Json, query: bytes) -> None:
    """Where the Engine would merge, fold or guess, nobody knows which labels are given."""
    with pytest.raises(BadRequest):
        marked(operation, body, query)


def test_mounts_are_bounded() -> None:
    """Each is looked at: more than any container has are refused."""
    mounts: list[Json] = [volume() for _ in range(MOST_ITEMS + 1)]
    with pytest.raises(BodyTooLarge, match="Mounts"):
        marked("ContainerCreate", {"HostConfig": {"Mounts": mounts}})


HARMLESS = [
    [], ["CMD x"], ["LABEL a=b c=\"d e\" f='g'"], ["LABEL version=$VERSION", "ENV A=$B"],
    ["label a b c"], ["LABEL a=b \\", "  c=d"], ["ENV A=trioproxy.owner"],
    ["CMD echo $HOME", "LABEL a=b"], ["LABEL a=trioproxy"], ["# LABEL", "ENV X=1"],
]  # fmt: skip
FORGED = [
    ["LABEL trioproxy.owner=x"], ["label a=b trioproxy.x=y"], ["LABEL trioproxy.owner x"],
    ["LABEL \"trioproxy.owner\"=x"], ["LABEL 'trio'\"proxy\".owner=x"], ["LABEL trio\\proxy.owner=x"],
    ["LABEL trio\\", "proxy.owner=x"], ["LABEL trio\\\nproxy.owner=x"], ["LA\\\nBEL trioproxy.owner=x"],
    ["LABEL trio\\  \n\n# a remark\n  # more\nproxy.owner=x"], ["# escape=`\nLABEL trio`\nproxy.owner=x"],
    ["ENV A=trioproxy", "LABEL $A.owner=x"], ["ENV A=trioproxy", "LABEL a=b ${A}.owner=x"],
    ["ENV A=trioproxy", "LABEL a=b \\\n $A.owner=x"], ["ENV A=trioproxy", "LABEL\t$A.owner x"],
    ["ENV A=trioproxy", "LA\\\nBEL \"$A.owner\"=x"], ["ENV A=oxy", "LABEL tripr$A.owner=x"],
    ["ENV A=trioproxy", "LABEL a=1 \\\n# b=\n\n $A.owner=x"],
    ["\ufeffLABEL trioproxy.owner=x"], ["ONBUILD LABEL trioproxy.owner=x"], ["LABEL\u00a0trioproxy.owner=x"],
]  # fmt: skip


@pytest.mark.parametrize("changes", HARMLESS)
def test_instructions_that_give_other_labels_pass(changes: list[str]) -> None:
    """Variables in values, quotes, words of ours elsewhere: nothing gives our label."""
    assert not may_label(changes)


@pytest.mark.parametrize("changes", FORGED)
def test_instructions_that_may_give_ours_do_not(changes: list[str]) -> None:
    """However the word is cut, continued or put together by variables."""
    assert may_label(changes)


@given(st.data())
def test_our_label_is_found_however_it_is_cut(data: st.DataObject) -> None:
    """Escapes, quotes, ends of lines and remarks in the middle of words hide nothing."""
    cuts = st.sampled_from(["", "", "", "\\", "\\\n", "\\ \t\n", '""', "''", "\\\n# x\n", "\\\n\n"])  # fmt: skip
    text = "".join(letter + data.draw(cuts) for letter in f"LABEL {OWN}")
    assert may_label([f"{text}=x"])


@pytest.mark.parametrize("text", ["\n" * 40_000, "#" * 100_000, "\\\n" * 40_000, " " * 100_000, "$" * 100_000])  # fmt: skip
def test_long_instructions_are_read_in_no_time(text: str) -> None:
    """What fills a head is read in one pass, and not in a square of its length."""
    assert may_label([f"LABEL a=b{text}", "LABEL trio\\", "proxy.x=y"])


def test_each_creation_has_its_labels_looked_at() -> None:
    """What has a body is marked by it; builds and pulls only show what they ask for."""
    assert {"ImageBuild", "ImageCreate"} == MARKED - BODIES
    for operation in MARKED - BODIES:
        query = b"t=a%3Ab&labels=%7B%22a%22:%22b%22%7D&changes=LABEL+a=b"
        assert marked(operation, None, query) == read(query, None)
