"""A body that is announced to a stream, and the real Engine refuses the stream."""

import select
import socket
from http.client import HTTPResponse
from itertools import product

import pytest

from tests.end_to_end.proxies import Proxy, enforcing
from tests.engine import Engine
from tests.fakes import request
from tests.patience import PATIENCE

pytestmark = pytest.mark.engine

MISSING = "/containers/no-such-thing/attach?stream=1&stdin=1"
BODY = b'{"Tty":false}'
FRAMINGS = {
    "sized": (f"Content-Length: {len(BODY)}", BODY),
    "chunked": ("Transfer-Encoding: chunked", b"d\r\n%b\r\n0\r\n\r\n" % BODY),
}
ROUTES = {
    "attach": (MISSING, ()),
    "attach-upgraded": (MISSING, ("Connection: Upgrade", "Upgrade: tcp")),
    "exec": ("/exec/no-such-thing/start", ()),
    "session": ("/session", ()),
}
CUTS = ("with-the-head", "own-segment", "byte-by-byte", "cut-off")


def pieces_of(route: str, framing: str, cut: str) -> list[bytes]:
    """A request in the pieces in which it is sent."""
    target, fields = ROUTES[route]
    field, body = FRAMINGS[framing]
    head = request("POST", target, *fields, field, "Content-Type: application/json")
    return {
        "with-the-head": [head + body],
        "own-segment": [head, body],
        "byte-by-byte": [head, *(body[at : at + 1] for at in range(len(body)))],
        "cut-off": [head, body[:4]],
    }[cut]


def answer_of(url: str, pieces: list[bytes], *, ends: bool) -> tuple[int, bytes]:
    """What is answered to them; each follows when no answer to the last one is there."""
    scheme, _, place = url.partition("://")
    family = socket.AF_UNIX if scheme == "unix" else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(PATIENCE)
        host, _, port = place.partition(":")
        sock.connect(place if scheme == "unix" else (host, int(port)))
        for piece in pieces:
            sock.sendall(piece)
            if select.select([sock], [], [], 0.02)[0]:
                break
        if ends:
            sock.shutdown(socket.SHUT_WR)
        response = HTTPResponse(sock, method="POST")
        response.begin()
        return response.status, response.read()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("route", "framing"), [*product(ROUTES, FRAMINGS)], ids=lambda word: word
)
def test_a_stream_that_is_refused_says_so(
    engine: Engine, proxy: Proxy, route: str, framing: str, cut: str
) -> None:
    """However the announced body comes, or ends too early, the Engine's own error arrives."""
    pieces = pieces_of(route, framing, cut)
    direct, through = (
        answer_of(url, pieces, ends=cut == "cut-off") for url in (engine.url, proxy.url)
    )
    assert through == direct
    assert through[0] >= 400


LOOKING = "ContainerInspect,ContainerList,SystemPing,SystemPingHead"


@pytest.mark.parametrize(
    ("granted", "command", "shown"),
    [
        ("ContainerList", "exec", "ContainerExec (POST /containers/{id}/exec) is not allowed: add ContainerExec"),
        ("ContainerExec", "exec", "unable to upgrade to tcp, received 403"),
        ("ContainerList", "attach", "unable to upgrade to tcp, received 403"),
    ],
    ids=["exec", "the-start-of-an-exec", "attach"],
)  # fmt: skip
def test_what_the_docker_command_shows(
    engine: Engine, container: str, granted: str, command: str, shown: str
) -> None:
    """Of a stream that is refused the CLI shows the status alone, as docs/troubleshooting.md says; of all else the message."""
    words = [command, container, *(["true"] if command == "exec" else [])]
    variables = {"ALLOW_OPERATIONS": f"{LOOKING},{granted}"}
    with enforcing(engine, variables=variables) as proxy:
        ran = engine.docker(*words, host=proxy.url, check=False)
    assert ran.status
    assert shown in ran.errors
