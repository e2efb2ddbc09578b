"""What an Engine says of itself at a start; who has no answer in time says nothing."""

from typing import Final

from trioproxy.commands.dialing import answer_of
from trioproxy.config import Address
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody

SECONDS: Final = 2.0
"""From the question to the end of the answer."""

# Of HTTP/1.0, to which nobody answers in chunks; the end of the answer is that of the data.
QUESTION: Final = b"GET %b HTTP/1.0\r\nHost: docker\r\n\r\n"


def versions(upstream: Address) -> object:
    """Ask an Engine for its versions: what it answers, None where it does not."""
    return _said(upstream, b"/version")


def data_root(upstream: Address) -> str:
    """Where an Engine keeps all that its containers have; empty where it does not say."""
    told = _said(upstream, b"/info")
    root = told.get("DockerRootDir") if isinstance(told, dict) else None
    return root if isinstance(root, str) and root.startswith("/") else ""


def _said(upstream: Address, path: bytes) -> object:
    try:
        answer = answer_of(upstream, QUESTION % path, SECONDS)
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            return None
        return jsonbody.parse(body)
    except (OSError, BadRequest):
        return None
