"""`enforce --print-config`: each setting, its value, and where that comes from."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.commands.running import run
from trioproxy.commands.configured import ELSEWHERE, url_of, values
from trioproxy.config import Config, UnixAddress, parse_listener
from trioproxy.file.variables import SETTINGS

GIVEN = {
    "ALLOWED_HOSTS": ("proxy.example.org", ["proxy.example.org"]),
    "LISTEN": ("tcp://127.0.0.1:1", ["tcp://127.0.0.1:1"]),
    "LOG_FORMAT": ("json", "json"),
    "LOG_LEVEL": ("warn", "warning"),
    "ASK_SECONDS": ("7", 7),
    "LOG_TO": ("stdout", "stdout"),
    "MAX_BODY": ("8192", 8192),
    "MAX_CONNECTIONS": ("10", 10),
    "MAX_CONNECTIONS_PER_CLIENT": ("3", 3),
    "METRICS": ("tcp://127.0.0.1", "tcp://127.0.0.1:9375"),
    "SOCKET_PATH": ("/run/x.sock", "unix:///run/x.sock"),
}


def printed(*args: str, **variables: str) -> dict[str, Any]:
    """What is printed as JSON."""
    done = run("enforce", "--print-config", "--json", *args, variables=variables)
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_each_setting_is_told_of() -> None:
    """None that the program reads is left out: with each in the environment, and with none."""
    told_of = values(Config(listen=(), upstream=UnixAddress(path="/x"))).keys()
    assert told_of | ELSEWHERE.keys() == SETTINGS
    assert GIVEN.keys() | ELSEWHERE.keys() | {"POLICIES"} == SETTINGS
    given = {name: text for name, (text, _) in GIVEN.items()}
    told = printed(**given)["settings"]
    for name, (_, value) in GIVEN.items():
        assert told[name] == {"value": value, "from": "environment"}
    plain = printed()["settings"]
    assert {one["from"] for one in plain.values()} == {"default"}
    assert (
        plain.keys()
        == told.keys()
        == told_of | {"--ask", "--record", "--shadow", "--watch"}
    )


def test_the_first_that_says_it_is_named(tmp_path: Path) -> None:
    """An option before a variable, and that before another one."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    url = f"unix://{tmp_path}/a.sock?mode=0660"
    told = printed(
        str(file),
        "--listen",
        url,
        "--watch",
        LISTEN="tcp://:1",
        DOCKER_HOST="tcp://x:1",
    )
    settings, policies = told["settings"], told["policies"]
    assert settings["LISTEN"] == {"value": [url], "from": "--listen"}
    assert settings["--watch"] == {"value": True, "from": "--watch"}
    assert settings["DOCKER_HOST"]["value"] == ELSEWHERE["DOCKER_HOST"]
    assert policies[""]["from"] == "FILE"
    assert "operations=1 source=" in policies[""]["value"]
    told = printed(ENV_FILE=str(file), BIND_CONFIG="127.0.0.1:80")
    assert told["settings"]["LISTEN"] == {
        "value": ["tcp://127.0.0.1:80"],
        "from": "BIND_CONFIG",
    }
    assert told["policies"][""]["from"] == "ENV_FILE"
    told = printed("--listen", f"{url}&policy={file}")
    assert told["policies"].keys() == {"app"}
    assert told["policies"]["app"]["from"] == "policy= of a listener"


def test_no_value_of_a_policy_is_told() -> None:
    """Of variables that grant the names stand there, for a list may hold what nobody else shall read."""
    variables = {
        "CONTAINERS": "1",
        "POST": "1",
        "CREATE_BINDS": "/srv/very-secret:ro",
    }
    done = run("enforce", "--print-config", variables=variables)
    assert done.status == 0
    assert "(environment: CONTAINERS CREATE_BINDS POST)" in done.out
    assert "very-secret" not in done.out + done.err


def test_what_is_set_to_nothing_is_named() -> None:
    """A variable without a value is named as those with one: it refuses, or closes a family."""
    variables = {"CONTAINERS": "1", "POST": "1", "PING": "", "CREATE_BINDS": ""}
    told = printed(**variables)["policies"][""]
    assert told["from"] == "environment: CONTAINERS CREATE_BINDS PING POST"
    told = printed(ALLOW_OPERATIONS="")["policies"][""]
    assert told["from"] == "environment: ALLOW_OPERATIONS"


def test_it_serves_nobody_and_writes_nothing(tmp_path: Path) -> None:
    """No socket is made and no evidence is begun; an Engine is not asked for."""
    record, listen = tmp_path / "x.jsonl", tmp_path / "x.sock"
    args = ("--record", str(record), "--listen", f"unix://{listen}")
    told = printed(*args, SOCKET_PATH=f"{tmp_path}/no-engine.sock")
    assert told["settings"]["--record"]["value"] == str(record)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_policies_is_tried_out_anywhere(tmp_path: Path) -> None:
    """`POLICIES` serves in a container alone; what it would serve by, or not, is told outside of one."""
    file = tmp_path / "web.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    variables = {"POLICIES": str(tmp_path), "LISTEN": "tcp://:2375"}
    assert printed(**variables)["policies"]["web"]["from"] == "POLICIES"
    file.write_text("ALLOW_OPERATIONS=ContainerLists\n")
    done = run("enforce", "--print-config", variables=variables)
    assert done.status == 2
    assert "'ContainerLists' in ALLOW_OPERATIONS of " in done.err


BAD = {
    "a bad setting": (["--print-config"], {"MAX_BODY": "much"}, "bad MAX_BODY"),
    "a bad policy": (["--print-config"], {"CREATE_BINDZ": "/x"}, "CREATE_BINDZ"),
    "one socket twice": (
        ["--print-config", "--listen", "fd://a", "--listen", "fd://a"],
        {},
        "fd://a and fd://a are one address",
    ),
    "itself as the Engine": (
        ["--print-config", "--upstream", "tcp://127.0.0.1:2375"],
        {},
        "is one of our own listeners",
    ),
    "no evidence file": (
        ["--print-config", "--record", "x.txt"],
        {},
        "'x.txt' is no evidence file",
    ),
    "a time that is too long": (
        ["--print-config"],
        {"ASK_SECONDS": "99"},
        "bad ASK_SECONDS '99'",
    ),
    "who can be asked about nothing": (
        ["--print-config", "--ask", "unix:///nowhere/ask.sock"],
        {"CONTAINERS": "1"},
        "no policy here is one",
    ),
    "a form of nothing": (["--json"], {}, "--json is the form of --print-config"),
}


@pytest.mark.parametrize(("args", "variables", "said"), BAD.values(), ids=BAD)
def test_what_a_start_refuses_is_refused(
    args: list[str], variables: dict[str, str], said: str
) -> None:
    """It is a way to try a configuration out."""
    done = run("enforce", *args, variables=variables)
    assert done.status == 2
    assert said in done.err


WORDS = st.text(alphabet="aB9._-/ %&+?,=#é", min_size=1, max_size=12)


@given(
    path=WORDS,
    mode=st.integers(0, 0o777),
    gid=st.integers(-1, 65535),
    policy=st.one_of(st.just(""), WORDS.map(lambda text: f"{text}/app.env")),
    uids=st.frozensets(st.integers(0, 65535), max_size=3),
)
def test_an_address_is_told_as_it_is_given(
    path: str, mode: int, gid: int, policy: str, uids: frozenset[int]
) -> None:
    """What is printed can be given to `--listen`, and means the same."""
    plain = parse_listener("unix:///x")
    entry = replace(plain.entry, policy=policy, uids=uids)
    address = UnixAddress(path=f"/{path}", mode=mode, gid=gid, entry=entry)
    assert parse_listener(url_of(address)) == address


@pytest.mark.parametrize(
    "url",
    [
        "tcp://:2375?policy=/p/a.env&allow=10.0.0.0/8,fe80::/10",
        "tcp://[::1]:80",
        "fd://web?policy=a.env&uids=1,2",
    ],
)
def test_other_addresses_are_told_as_they_are_given(url: str) -> None:
    """By TCP, and sockets of the service manager."""
    assert url_of(parse_listener(url)) == url
