"""A request as it was read, and what is changed of that before it goes on.

`reading` fills it in; where nothing is limited a creation is read for its labels alone
(`marks`).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from trioproxy.api import query
from trioproxy.api.edits import Edit, Sent, apply

if TYPE_CHECKING:
    from trioproxy.api.arguments import Argument
    from trioproxy.api.decoding import Json, Mention


PROJECT_LABEL: Final = "com.docker.compose.project"
LONGEST_PROJECT: Final = 255


class Asked(NamedTuple):
    """A request as read: what it asks for, and the one form that it has.

    Nothing in it is ever changed: it goes on with its `edits`, and those of the judging.
    """

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
    edits: tuple[Edit, ...] = ()
    """What goes on otherwise, whatever the Engine has."""
    told: "tuple[Argument, ...]" = ()
    """What it asks for where nothing limits that: for the log, and nothing is judged by it."""
    kept_project: str = ""
    """Its `project`, where its body is not here any more."""

    @property
    def project(self) -> str:
        """The Compose project of what it makes; empty: it names none."""
        if self.body is None:
            return self.kept_project
        labels = self.body.get("Labels")
        said = labels.get(PROJECT_LABEL) if isinstance(labels, dict) else None
        is_name = isinstance(said, str) and len(said) <= LONGEST_PROJECT
        return str(said) if is_name else ""

    def in_words(self) -> "Asked":
        """The same without its body, and without what leads into that."""
        if self.body is None:
            return self
        return self._replace(
            body=None, named=(), edits=(), is_told=True, kept_project=self.project
        )

    def sent(self, more: Iterable[Edit] = ()) -> Sent:
        """Give what goes on: with its own edits, and with `more`."""
        return apply((*self.edits, *more), self.query, self.body)

    def has(self, key: str) -> bool:
        """Whether its query has a value for a key."""
        return any(k == key and value for k, value in query.parse(self.query))

    @property
    def of_defaults(self) -> "tuple[Argument, ...]":
        """What it asks for that may be what the Engine gives by default."""
        return tuple(one for one in self.arguments if one.unless_default)
