"""What must hold of any body that is judged; for hypothesis and for the fuzzer."""

from trioproxy.api.arguments import Given
from trioproxy.api.fields import ARGUED, Operation
from trioproxy.api.reading import Asked, ask
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody

CREATE = ARGUED["ContainerCreate"]
JUDGED = [
    CREATE,
    *(ARGUED[n] for n in ("VolumeCreate", "NetworkCreate", "ContainerExec")),
]


def read(operation: Operation, raw: bytes) -> Asked | None:
    """What a body asks for; None if it is refused."""
    try:
        value = jsonbody.parse(raw)
        if value is None:
            return None
        return ask(Given(operation=operation, path="", body=value))
    except BadRequest:
        return None


def check_body(raw: bytes) -> None:
    """A body is refused, or goes on as bytes that ask for the same and go on as they are."""
    for operation in JUDGED:
        asked = read(operation, raw)
        if asked is None:
            continue
        sent = jsonbody.render(asked.body)
        again = read(operation, sent)
        assert again is not None, sent
        assert again.arguments == asked.arguments
        assert not again.never
        assert jsonbody.render(again.body) == sent
