"""`CREATE_NETWORK`: what a creation joins that names no network, or the bridge."""

import json
from typing import Any

import pytest

from tests.corpus import WORLD
from tests.deciding import Answer, Door, asked
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate

FILE = {
    "ALLOW_OPERATIONS": "ContainerCreate,ImageBuild",
    "CREATE_NETWORK": "web",
    "ONLY_NETWORKS": "web,none",
    "ONLY_OWNER": "app",
}
ID = WORLD["/networks/web"]["Id"]
JOINED = {"web": {"NetworkID": ID}}


def created(body: dict[str, Any], **more: str) -> Answer:
    gate = Gate.enforcing(parse_policy({**FILE, **more})[0])
    line = "POST /containers/create"
    return asked(Door(gate=gate), line, json.dumps(body).encode(), WORLD)


def endpoints(**each: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"NetworkingConfig": {"EndpointsConfig": each}}


REPLACED = [
    pytest.param({}, JOINED, id="nothing"),
    pytest.param({"HostConfig": {"NetworkMode": "bridge"}}, JOINED, id="bridge"),
    pytest.param({"HostConfig": {"NetworkMode": "default"}}, JOINED, id="default"),
    pytest.param(
        {"HostConfig": {"NetworkMode": "default"}, **endpoints(default=None)},
        JOINED,
        id="endpoint",
    ),
    pytest.param(
        endpoints(default={"MacAddress": "02:42:ac:11:00:02", "NetworkID": "x"}),
        {"web": {"MacAddress": "02:42:ac:11:00:02", "NetworkID": ID}},
        id="with-settings",
    ),
    pytest.param(endpoints(bridge={}, web={"Aliases": ["a"]}), {"web": {"Aliases": ["a"], "NetworkID": ID}}, id="both"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "joined"), REPLACED)
def test_what_names_no_network_joins_the_listed_one(
    body: dict[str, Any], joined: dict[str, Any]
) -> None:
    """By its name, with the id of what was judged; settings of the bridge's endpoint are its."""
    answer = created(body)
    assert answer.allowed
    assert answer.body["HostConfig"]["NetworkMode"] == "web"
    assert answer.body["NetworkingConfig"]["EndpointsConfig"] == joined


@pytest.mark.parametrize("mode", ["none", "theirs", "container:web"])
def test_what_names_another_is_left_as_it_is(mode: str) -> None:
    """And judged as ever."""
    answer = created({"HostConfig": {"NetworkMode": mode}})
    assert answer.allowed is (mode == "none")
    if mode == "none":
        assert answer.body["HostConfig"]["NetworkMode"] == "none"
        assert "NetworkingConfig" not in answer.body  # and it joins nothing beside that


def test_what_stands_there_is_judged() -> None:
    """A network that is not listed is refused, though the file names it."""
    assert not created({}, ONLY_NETWORKS="mine").allowed


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("", f"networkmode={ID}"),
        ("?t=x&networkmode=bridge", f"t=x&networkmode={ID}"),
        ("?networkmode=", f"networkmode={ID}"),
        ("?networkmode=none", "networkmode=none"),
    ],
)
def test_a_build_joins_it_as_well(query: str, sent: str) -> None:
    """By its id, in the query."""
    gate = Gate.enforcing(parse_policy(FILE)[0])
    answer = asked(Door(gate=gate), f"POST /build{query}", b"", WORLD)
    assert (answer.allowed, answer.line.partition("?")[2]) == (True, sent)


@pytest.mark.parametrize("name", ["bridge", "host", "a b", "@own", "*"])
def test_it_is_a_network_that_somebody_made(name: str) -> None:
    """And there is a list to judge it by."""
    with pytest.raises(ConfigError, match="no network that somebody made"):
        parse_policy({**FILE, "CREATE_NETWORK": name})
    with pytest.raises(ConfigError, match="needs lists to be judged by"):
        parse_policy({"ALLOW_OPERATIONS": "", "CREATE_NETWORK": "web"})
