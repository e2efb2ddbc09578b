"""Routes that the table does not have, as their templates may be: `/containers/{id}/frob`.

The evidence keeps the method and the section of such a request. Who watches learns more,
to look the route up or to grant it, and still no name or id of anything: what is no word
of a route is shown as a parameter.
"""

import re
from functools import cache
from typing import Final

from trioproxy.api.matched import Request
from trioproxy.api.routes import ENDPOINTS
from trioproxy.evidence.sight import METHODS, OTHER

ROUTES_KEPT: Final = 64
"""Different ones; a client may make up any number."""

PARAMETER: Final = "{id}"

_WORD = re.compile(r"[a-z]{2,24}", re.ASCII)
"""What names a collection or an action may look like."""


class UnknownRoutes(dict[str, None]):
    """Remembers which were asked for, in the order in which they came."""

    def add(self, request: Request) -> bool:
        """Remember the route of a request; whether it is a new one."""
        route = guess(request)
        if route in self or len(self) >= ROUTES_KEPT:
            return False
        self[route] = None
        return True


def guess(request: Request) -> str:
    """Guess method and template of a request that the table has no route for.

    A segment is a word of the route where the table has one in that place, where it
    begins the path, or where it stands behind a parameter, as actions do.
    """
    method = request.method if request.method in METHODS else OTHER
    shown = list[str]()
    for place, segment in enumerate(request.target.path.split("/")[1:]):
        is_free = not shown or shown[-1] == PARAMETER
        is_word = (place, segment) in _words() or (is_free and _WORD.fullmatch(segment))
        shown.append(segment if is_word else PARAMETER)
    return f"{method} /{'/'.join(shown)}"


@cache
def _words() -> frozenset[tuple[int, str]]:
    """What stands in the routes of the table, and where: of a parameter its name alone."""
    return frozenset(
        place for one in ENDPOINTS for place in enumerate(one.template.split("/")[1:])
    )
