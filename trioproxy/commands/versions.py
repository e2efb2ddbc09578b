"""What an Engine says of its versions; who has no answer in time says nothing."""

from typing import Final

from trioproxy.commands.dialing import answer_of
from trioproxy.config import Address
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody

SECONDS: Final = 2.0
"""From the question to the end of the answer."""

# Of HTTP/1.0, to which nobody answers in chunks; the end of the answer is that of the data.
QUESTION: Final = b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n"


def versions(upstream: Address) -> object:
    """Ask an Engine for its versions: what it answers, None where it does not."""
    try:
        head, _, body = answer_of(upstream, QUESTION, SECONDS).partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            return None
        return jsonbody.parse(body)
    except (OSError, BadRequest):
        return None
