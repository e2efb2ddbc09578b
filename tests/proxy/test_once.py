"""Each request is judged once: counted from its head to the first byte upstream."""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import trioproxy
from tests.fakes import EngineConnection, request, response
from tests.proxy.conftest import OPEN, Start
from tests.proxy.test_objects import LISTED, OWN, container, image
from trioproxy.api import matched
from trioproxy.api.target import Target
from trioproxy.judge import gate
from trioproxy.judge.rules import Policy
from trioproxy.proxy import admission, replies
from trioproxy.proxy.engine import Engine

ROOT = Path(__file__).parents[2]
JSON = "Content-Type: application/json"
LIMITED = {**OPEN, "CREATE_BINDS": "/srv/app"}
CREATE = json.dumps({"Image": "x", "HostConfig": {"Binds": ["/srv/app:/x"]}}).encode()
STEPS: list[tuple[Any, str]] = [
    (admission, "parse_request"),
    (Target, "parse"),
    (matched, "match"),
    (Policy, "decide"),
    (gate, "asking"),
    (gate, "find"),
    (admission, "render_request"),
    (admission, "render_whole"),
    (replies, "refusal"),
]
HEAD = {"parse_request": 1, "parse": 1, "match": 1, "decide": 1}
REQUESTS = {
    "plain": (OPEN, request("GET", "/info"), [], {"render_request": 1}),
    "refused": ({}, request("POST", "/build"), None, {"refusal": 1}),
    "a limited creation": (
        LIMITED,
        request("POST", "/containers/create", JSON, body=CREATE),
        [],
        {"asking": 1, "find": 1, "render_whole": 1},
    ),
    "a start of what is the client's own": (
        LISTED,
        request("POST", "/containers/web/start"),
        [container(OWN), image()],
        {"find": 1, "render_request": 1},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_each_step_is_done_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever more is needed than a head, it is parsed, matched, decided and rendered once."""
    variables, raw, answers, steps = REQUESTS[name]
    proxy = await start(variables)
    client = await proxy.connect()
    done = Counter[str]()

    def counted(step: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any, **named: Any) -> Any:  # noqa: ANN401  whatever it takes
            done[step] += 1
            return does(*args, **named)

        return count

    for owner, step in STEPS:
        monkeypatch.setattr(owner, step, counted(step, getattr(owner, step)))
    await client.send(raw)
    if answers is None:
        await client.read_response()
    else:
        engine = await proxy.fake.accept()
        await _answer(engine, answers)
    assert done == HEAD | steps


async def _answer(engine: EngineConnection, answers: list[bytes]) -> None:
    """Answer the questions; what comes behind them is the request itself."""
    for answer in answers:
        await engine.read_request()
        await engine.send(answer)
    await engine.read_request()


async def test_a_head_that_is_known_is_not_parsed_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a head that names what the Engine has, what was parsed is kept, and nothing judged."""
    proxy = await start({**LISTED, "ONLY_CONTAINERS": "web"})
    client = await proxy.connect()
    parsed = list[bytes]()
    parse = Target.parse

    def note(raw: bytes) -> Target:
        parsed.append(raw)
        return parse(raw)

    monkeypatch.setattr(Target, "parse", note)
    engine = None
    for number in range(4):
        await client.send(request("GET", "/containers/web/json"))
        engine = engine or await proxy.fake.accept()
        await engine.read_request()
        await engine.send(container(name="/web" if number < 3 else "/db"))
        if number < 3:
            await engine.read_request()
            await engine.send(response(body=b"{}"))
        answer = await client.read_response()
        assert answer.status == (200 if number < 3 else 403)
    assert len(parsed) == 2


@pytest.mark.parametrize("name", ["plain", "a limited creation"])
async def test_the_page_says_through_which_files_it_goes(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Who reads after a request meets the files that the page on architecture names, and no other."""
    variables, raw, _, _ = REQUESTS[name]
    proxy = await start(variables)
    client = await proxy.connect()
    package, met, admit, send = Path(trioproxy.__file__).parent, set[str](), admission.Admission.admit, Engine.send_request  # fmt: skip

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(package):
            met.add(path.stem)

    def begin(self: admission.Admission, head: bytes) -> object:
        sys.setprofile(note)
        return admit(self, head)

    async def end(self: Engine, data: bytes) -> None:
        sys.setprofile(None)
        await send(self, data)

    monkeypatch.setattr(admission.Admission, "admit", begin)
    monkeypatch.setattr(Engine, "send_request", end)
    try:
        await client.send(raw)
        await (await proxy.fake.accept()).read_request()
    finally:
        sys.setprofile(None)
    page = " ".join((ROOT / "docs" / "architecture.md").read_text().split())
    (plain,) = re.findall("plain head goes through these files: ([^.]+)", page)
    (more,) = re.findall("creation goes through more files: ([^.]+)", page)
    named = re.findall(r"`(\w+)`", plain if name == "plain" else plain + more)
    assert sorted(met) == sorted(named)
