"""A request as it was read: the one form in which it goes on.

Apart from `asking`, which fills it in: where nothing is limited a creation is read for
its labels alone (`marks`), and who serves that need not carry the table.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from trioproxy.api import query

if TYPE_CHECKING:
    from trioproxy.api.arguments import Argument
    from trioproxy.api.decoding import Json, Mention


class Asked(NamedTuple):
    """A request as read: what it asks for, and the one form in which it goes on."""

    arguments: "tuple[Argument, ...]"
    never: str
    """A field that no list can allow, or empty."""
    body: "dict[str, Json] | None"
    """None: the body is content, or there is none."""
    query: bytes
    named: "tuple[Mention, ...]" = ()
    """Where its body names images, containers, networks and volumes."""
    is_whole: bool = True
    """False: nothing limits what it asks for, so its labels alone were looked at."""
    claims: str = ""
    """Which of the proxy's own labels it gives, and what to do; empty: none (`marks`)."""
    is_told: bool = False
    """Its body went on, and is not here any more: what is left are words."""

    def in_words(self) -> "Asked":
        """The same without its body, and without what leads into that."""
        if self.body is None:
            return self
        return self._replace(body=None, named=(), is_told=True)

    def has(self, key: str) -> bool:
        """Whether its query has a value for a key."""
        return any(k == key and value for k, value in query.parse(self.query))

    @property
    def of_defaults(self) -> "tuple[Argument, ...]":
        """What it asks for that may be what the Engine gives by default."""
        return tuple(one for one in self.arguments if one.unless_default)

    def with_query(self, values: Mapping[str, str]) -> "Asked":
        """The same with other values for some keys of the query."""
        pairs = query.parse(self.query)
        changed = [(key, values.get(key, value)) for key, value in pairs]
        return self._replace(query=query.render(changed))
