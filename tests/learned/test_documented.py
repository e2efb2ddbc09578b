"""Each documented policy allows what a client's source shows, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from tests.judge.judging import found_of, of_table
from tests.learned.documented import (
    CALLS,
    CLIENTS,
    FOLDER,
    LIBRARIES,
    Call,
    Client,
    calls,
    rows,
)
from tests.markdown import ROOT, Document
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.routes import OPERATIONS
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.judge.gate import Found, Gate, Passes, Refused
from trioproxy.judge.meaning import meaning_of
from trioproxy.limits.things import Missing, Thing, describe

every_client = pytest.mark.parametrize(
    "client", [pytest.param(one, id=one.name) for one in CLIENTS]
)
THE_CLIENTS = {
    "com.docker.compose.container-number": "1",
    "com.docker.compose.project": "shop",
}
ID = "0" * 64


class World(Mapping[tuple[Kind, str], Thing | Missing]):
    """An Engine that has something under every name, and all of it has these labels."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels

    def __getitem__(self, key: tuple[Kind, str]) -> Thing:
        kind, name = key
        if kind is Kind.ENGINE:
            return describe(kind, {"DefaultRuntime": "runc"})
        if kind is Kind.IMAGE:
            return Thing(kind, f"sha256:{ID}", (name,))
        if kind is Kind.EXEC:  # which is its container's
            kind = Kind.CONTAINER
        value: dict[str, Json] = {"Driver": "local", "Options": None}
        if kind is Kind.CONTAINER:
            value = {"HostConfig": {"CapDrop": ["MKNOD"]}, "Mounts": []}
        held = name if kind is Kind.VOLUME else ID
        return Thing(kind, held, (name,), self.labels, inherited={}, value=value)

    def __iter__(self) -> Iterator[tuple[Kind, str]]:
        return iter(())

    def __len__(self) -> int:
        return 0


@cache
def gate_of(name: str) -> Gate:
    file = FOLDER / f"{name}.env"
    return Gate.enforcing(parse_policy_file(file.read_text(), name=file.name)[0])


def asked(
    client: Client,
    call: Call,
    labels: Mapping[str, str] | None = None,
    body: Json = None,
    gate: Gate | None = None,
) -> Found:
    """What becomes of a call, where all that there is has the client's labels, or others."""
    owner = client.limits.get("ONLY_OWNER", "x")
    labels = THE_CLIENTS | {"trioproxy.owner": owner} if labels is None else labels
    body = body or (json.loads(call.body) if call.body else {})
    found = found_of(
        gate or gate_of(client.name),
        call.method,
        call.target.encode("ascii"),
        body=body,
        is_read=True,
        known=World(labels),
    )
    assert isinstance(found, Passes | Refused), found
    return found


@every_client
def test_what_its_source_shows_passes(client: Client) -> None:
    """Each call of the table passes, with the body that the source gives it."""
    for call in calls(client):
        found = asked(client, call)
        assert isinstance(found, Passes), (call, found)


@every_client
def test_nothing_else_passes(client: Client) -> None:
    """An operation of which the table shows no call is refused."""
    granted = {call.operation for call in calls(client)}
    if "ContainerArchive" in granted:  # which asks the same with HEAD
        granted.add("ContainerArchiveInfo")
    for request in of_table():
        assert request.endpoint is not None
        if request.endpoint.operation not in granted:
            call = Call("", "", "", request.method, request.target.path)
            assert isinstance(asked(client, call), Refused), call


IMAGES = {
    "traefik": "traefik",
    "diun": "crazymax/diun",
    "autoheal": "willfarrell/autoheal",
    "dozzle": "amir20/dozzle",
}
"""Documented clients that the examples have, by their images."""
SHOWN = {
    str(file.relative_to(ROOT)): file.read_text()
    for file in sorted((ROOT / "examples" / "compose").glob("*/compose.yaml"))
} | {"README.md": next(Document(ROOT / "README.md").of_kind("yaml")).text}


def in_examples() -> Iterator[Any]:
    """Each documented client of a Compose file, and the proxy that enforces before it."""
    for where, text in SHOWN.items():
        services: dict[str, Any] = yaml.safe_load(text)["services"]
        for name, one in services.items():
            proxy = re.search(r"tcp://([\w-]+):2375", str(one))
            before = services.get(proxy[1], {}) if proxy else {}
            for client in CLIENTS:
                at = IMAGES.get(client.name, "-")
                if str(one["image"]).startswith(f"{at}:") and "command" not in before:
                    variables = before["environment"]
                    yield pytest.param(client, variables, id=f"{where}-{name}")


@pytest.mark.parametrize(("client", "variables"), list(in_examples()))
def test_an_example_serves_its_client(
    client: Client, variables: dict[str, Any]
) -> None:
    """What a client's source shows passes the proxy of each example that has the client."""
    file = str(variables.get("ENV_FILE", "")).removeprefix("documented:")
    policy, warnings = parse_policy({k: str(v) for k, v in variables.items()})
    assert not warnings
    gate = gate_of(file) if file else Gate.enforcing(policy)
    for call in calls(client):
        assert isinstance(asked(client, call, gate=gate), Passes), call


CREATING = [
    pytest.param(client, call, id=f"{client.name}-{call.function}")
    for client in CLIENTS
    for call in calls(client)
    if call.operation == "ContainerCreate"
]
HOST: dict[str, Json] = {
    "root": {"Binds": ["/:/host"]},
    "socket-in-a-folder": {"Binds": ["/var/run:/run"]},
    "privileged": {"Privileged": True},
    "capability": {"CapAdd": ["SYS_ADMIN"]},
    "processes": {"PidMode": "host"},
    "device": {"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/x"}]},
}


@pytest.mark.parametrize("more", HOST.values(), ids=HOST)
@pytest.mark.parametrize(("client", "call"), CREATING)
def test_what_it_creates_is_held(
    client: Client, call: Call, more: dict[str, Json]
) -> None:
    """The same creation is refused as soon as it asks for what is the host's."""
    body = json.loads(call.body)
    body["HostConfig"].update(more)
    assert isinstance(asked(client, call, body=body), Refused)


@pytest.mark.parametrize(("client", "call"), CREATING)
def test_another_image_is_not_created(client: Client, call: Call) -> None:
    """The same creation is refused with an image that the file does not list."""
    body = json.loads(call.body) | {"Image": "evil:1"}
    assert isinstance(asked(client, call, body=body), Refused)


@every_client
def test_who_creates_or_runs_names_no_strangers(client: Client) -> None:
    """A container of somebody else is named by none that lists objects, and whoever
    creates or runs commands lists them."""
    names = {call.operation for call in calls(client)}
    holds = any(name.startswith("ONLY_") for name in client.limits)
    assert holds or not names & {"ContainerCreate", "ContainerExec"}
    named = r"/containers/(?!json\b|create\b|watchtower\b)"
    for call in calls(client):
        if holds and re.match(named, call.target):
            assert isinstance(asked(client, call, labels={}), Refused), call


@every_client
def test_the_file_says_what_it_is(client: Client) -> None:
    """Its head has the verdict, as `explain` words it, then that it was read, and in which
    version and files; and it gives no root by a known way."""
    text = (FOLDER / f"{client.name}.env").read_text()
    policy, warnings = parse_policy_file(text, name=client.name)
    verdict, _, rest = text.partition(".\n# Read, not seen: ")
    meaning = meaning_of(policy)
    assert " ".join(re.sub("(?m)^# +", "", verdict).split()) == f"R{meaning.answer[1:]}"
    assert not meaning.ways
    head = " ".join(re.sub("(?m)^# +", "", rest).split())
    own = [call for call in rows() if call.name == client.name]
    assert head.startswith(f"{client.repository} {client.version}: {own[0].file}")
    assert ("a template" in head.partition(". #")[0]) is bool(client.limits)
    beyond = ("no ONLY_* variable limits ",)
    assert all(one.startswith(beyond) for one in warnings), warnings


def test_files_rows_and_clients() -> None:
    """Each client has a file and rows, each row a client or library, and no two are alike."""
    names = [one.name for one in (*CLIENTS, *LIBRARIES)]
    assert {row.name for row in rows()} == set(names)
    assert len(set(names)) == len(names)
    assert {file.stem for file in FOLDER.glob("*.env")} == {c.name for c in CLIENTS}
    assert len(set(rows())) == len(rows())
    assert len(CLIENTS) >= 20


def test_the_table_is_of_operations() -> None:
    """Each row is a call of a route that the Engine has, in ASCII, and a creation has a body."""
    for row in rows():
        (endpoint, *_) = OPERATIONS[row.operation]
        assert row.method in {endpoint.method, "HEAD"}
        assert bool(row.body) or row.operation not in {
            "ContainerCreate",
            "ContainerExec",
        }
    assert CALLS.read_text(encoding="utf-8").isascii()
