"""Answers on the way: read, judged element by element, and written anew."""

import json
from typing import Any

import pytest

from tests.fakes import response
from tests.proxy.conftest import Proxy, Start
from tests.proxy.test_objects import LISTED, OWN, image

IMAGE = "sha256:" + "cd" * 32


def listed(number: int, labels: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A container as a list shows it."""
    return {
        "Id": f"{number:064x}",
        "Names": [f"/c{number}"],
        "ImageID": IMAGE,
        "Labels": labels,
        **more,
    }


@pytest.fixture
async def own(start: Start) -> Proxy:
    """A proxy whose client may name, and see, what it made."""
    return await start(LISTED)


def answer(value: object) -> bytes:
    return response(
        "200 OK", "Content-Type: application/json", body=json.dumps(value).encode()
    )


async def test_a_list_shows_what_is_its_own(own: Proxy) -> None:
    """Strangers are taken out; what is left comes as the Engine wrote it, with its length."""
    client, engine = await own.ask("GET", "/containers/json?all=1")
    asked = await engine.read_request()
    assert asked.line == b"GET /containers/json?all=1 HTTP/1.1"
    mine = [listed(1, OWN), listed(4, OWN)]
    await engine.send(answer([mine[0], listed(2), listed(3, {"x": "y"}), mine[1]]))
    questions = await own.fake.accept()
    assert (await questions.read_request()).line.startswith(b"GET /images/sha256:cd")
    await questions.send(image())
    found = await client.read_response()
    assert json.loads(found.body) == mine
    assert found.one("content-length") == str(len(found.body)).encode()
    assert len(own.lines_of(" hidden=2")) == 1
