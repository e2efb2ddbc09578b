"""What can go wrong, as a small tree; each child knows the HTTP status it becomes.

A refusal by the policy is no error but a value (`judge.rules.Decision`).
"""

from collections.abc import Iterator
from typing import ClassVar


class TrioProxyError(Exception):
    """Anything this program raises on purpose; `hint` says what to do next."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(TrioProxyError):
    """Bad options, variables or files: one line on stderr, exit status 2."""


class BadRequest(TrioProxyError):
    """A request that cannot be read in exactly one way, answered and closed."""

    status = 400


class BadTarget(BadRequest):
    """A request target that the Engine might read differently from us."""


class HeadTooLarge(BadRequest):
    """A request head longer than the limit."""

    status = 431


class HeadEvicted(BadRequest):
    """A request head that never ended, and whose memory others needed."""

    status = 503


class BadBody(BadRequest):
    """A body that the Engine might read differently from us, or not at all."""


class BodyTooLarge(BadRequest):
    """A body longer, or of more values, than is read here."""

    status = 413


class RequestTooSlow(BadRequest):
    """A head or a body that did not arrive in time."""

    status = 408


class TooManyBodies(BadRequest):
    """All bodies that are read at once have no room for another."""

    status = 503


class CrossSite(BadRequest):
    """A request that a web page of another site made a browser send."""

    status = 403


class UpstreamError(TrioProxyError):
    """The Engine is away, or answers what is no HTTP."""

    status = 502


class ConnectTimeout(UpstreamError):
    """The Engine's socket does not accept in time."""

    status = 504


class EngineTooSlow(UpstreamError):
    """The Engine does not answer a question of ours in time."""

    status = 504


class VolumeReserved(UpstreamError):
    """The Engine has not answered yet what relies on a volume that a request names."""

    status = 503


class Untold(UpstreamError):
    """The Engine answers a question of ours, and does not say what was asked."""


class TooMuch(Untold):
    """The Engine says more of one thing than is read."""


class UpstreamLost(UpstreamError):
    """The Engine's connection broke: it was reset, or ended where more was due."""


class Nobody(TrioProxyError):
    """Whoever is connected has no policy here."""

    status = 403


class ClientLost(TrioProxyError):
    """The client is gone: there is nobody left to answer."""


def leaf_of(error: BaseException) -> BaseException:
    """The failure that counts among those that nurseries have wrapped.

    What nobody planned for counts before what this program raises on purpose.
    """
    leaves = list(_leaves(error))
    unplanned = (leaf for leaf in leaves if not isinstance(leaf, TrioProxyError))
    return next(unplanned, leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error
