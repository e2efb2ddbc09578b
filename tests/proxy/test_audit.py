"""What a log in JSON tells of creations: who asked for what, and nothing that is a secret."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.answering_engine import answering_engine
from tests.commands.running import running
from tests.fakes import connect, request
from tests.judge.judging import found_of, judged, of_endpoint
from trioproxy.api.routes import OPERATIONS
from trioproxy.config import Level, LogFormat
from trioproxy.errors import BadRequest
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, Passes, Refused
from trioproxy.judge.outcome import Moment, Outcome
from trioproxy.limits.marks import MARKED
from trioproxy.logs.loglines import read_line
from trioproxy.proxy.log import MOST_ASKED, PIPE_ATOM, Log

OPEN = {"CONTAINERS": "1", "VOLUMES": "1", "IMAGES": "1", "BUILD": "1", "POST": "1"}
LIMITED = {"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_IMAGES": "alpine"}
BODY: Any = {
    "Image": "alpine",
    "Env": ["PASSWORD=hunter2"],
    "Cmd": ["sh", "-c", "echo hunter2"],
    "HostConfig": {"Binds": ["/srv/a:/a:ro"], "Privileged": True},
    "Labels": {"token": "hunter2"},
}
CREATE = ("POST", b"/containers/create?name=hunter2")


def gate_of(variables: dict[str, str]) -> Gate:
    return replace(Gate.enforcing(parse_policy(variables)[0]), audits=True)


def line_of(body: object, variables: dict[str, str] = OPEN) -> tuple[str, Any]:
    """The line of a creation, and what it says."""
    verdict = judged(gate_of(variables), *CREATE, body=body, is_read=True)  # type: ignore[arg-type]
    reader, writer = os.pipe()
    log = Log(Level.INFO, writer, LogFormat.JSON)
    log.request(Outcome(Moment.WHOLE, "a:1", verdict.in_words(), 201, is_ours=False))
    log.finish()
    text = os.read(reader, 1 << 20).decode()
    os.close(reader)
    os.close(writer)
    return text, json.loads(text)


@pytest.mark.parametrize("variables", [OPEN, LIMITED], ids=["unlimited", "limited"])
def test_a_creation_says_what_it_asks_for(variables: dict[str, str]) -> None:
    """Which folder is bound has an answer, whether anything limits that or not; a secret is told to nobody."""
    text, said = line_of(BODY, variables)
    assert {*said["asks"]} == {
        "CREATE_BINDS=/srv/a:ro",
        "CREATE_IMAGES=alpine:latest",
        "CREATE_PRIVILEGED=1",
    }
    assert "asks_untold" not in said
    assert read_line(text.encode()) is not None  # as `learn --from-log` reads it
    assert "hunter2" not in text


def test_a_line_stays_short() -> None:
    """However much is asked for: what has no room is counted, and so is what may not be told."""
    binds = [f"/srv/{number}/{'x' * 90}:/a{number}" for number in range(900)]
    text, said = line_of({"Image": "alpine", "HostConfig": {"Binds": binds}})
    assert len(text) < PIPE_ATOM
    assert 10 < len(said["asks"]) < MOST_ASKED / 90
    assert said["asks_untold"] == 901 - len(said["asks"])


NAMES = st.sampled_from(
    ["Image", "HostConfig", "Binds", "Mounts", "Labels", "Cmd", "Source", "Type", "Ulk"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, JSON, max_size=4), st.sampled_from(sorted(MARKED)))
def test_nothing_is_judged_by_it(body: dict[str, Any], operation: str) -> None:
    """Whatever a creation says, it passes or is refused, and goes on, as where no log tells of it."""
    found = list[object]()
    for audits in (False, True):
        gate = replace(gate_of(OPEN), audits=audits)
        row = OPERATIONS[operation][0]
        (asked, *_) = of_endpoint(row)
        try:
            one = found_of(
                gate, asked.method, asked.target.raw, body=body, is_read=True
            )
        except BadRequest as error:
            found.append((type(error), str(error)))
        else:
            assert isinstance(one, Passes | Refused)
            sent = one.sent if isinstance(one, Passes) else None
            found.append((one.decision, sent))
    assert found[0] == found[1]


async def test_the_log_of_the_program_tells_it(tmp_path: Path) -> None:
    """With LOG_FORMAT=json, and not without: then nothing is read for it."""
    for form in ("json", "text"):
        options = ("--listen", f"unix://{tmp_path}/p.sock")
        engine = ("--upstream", f"unix://{tmp_path}/e.sock")
        variables = {**OPEN, "LOG_FORMAT": form}
        async with (
            answering_engine(tmp_path / "e.sock"),
            running("enforce", *options, *engine, variables=variables) as proxy,
        ):
            await proxy.line("start")
            client = await connect(f"unix://{tmp_path}/p.sock")
            raw = json.dumps(BODY).encode()
            fields = "Content-Type: application/json"
            await client.send(request("POST", CREATE[1].decode(), fields, body=raw))
            assert (await client.read_response()).status == 200
            client.close()
            line = await proxy.line("ContainerCreate")
            assert ("CREATE_BINDS=/srv/a:ro" in line) == (form == "json")
