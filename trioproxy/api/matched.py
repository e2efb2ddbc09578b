"""What is judged: a request as values, and the route that a person may name for it.

A template stands for all paths that fit it: wherever a policy is asked about a route and
not about a request, the template itself is the path.
"""

import re

from trioproxy.api import normal, query
from trioproxy.api.routes import PARAMETER, Endpoint, match, section_of
from trioproxy.api.target import Target, quote_path
from trioproxy.errors import BadTarget
from trioproxy.values import ordered_class, value_class

_NO_CAPITAL = re.compile(r"[^A-Z]")


@ordered_class
class Request:
    """What is judged: a method, a target, and the endpoint that they mean."""

    method: str
    target: Target
    endpoint: Endpoint | None

    @classmethod
    def parse(cls, method: str, raw_target: bytes) -> "Request":
        """Read a target, and find its route.

        Raises `BadRequest` where the Engine might read it otherwise.
        """
        target = Target.parse(raw_target)
        if target.query:
            query.check_filters(target.query)
        if (target.query or ":" in target.path) and normal.is_of_host(
            f"{target.path}?{query.as_text(target.query)}"
        ):
            raise BadTarget(
                "an image that to Podman is a storage or a file of its host"
            )
        return cls(method, target, match(method, target))

    @property
    def operation(self) -> str:
        """The Engine's name for it, or `unknown`."""
        return self.endpoint.operation if self.endpoint else "unknown"

    @property
    def section(self) -> str | None:
        """The section variable that covers its path."""
        return section_of(self.target.path)

    @property
    def parameter(self) -> str:
        """What its path has for the first parameter of its template: a name or an id.

        With slashes where the Engine takes them: a legacy link is `PARENT/ALIAS`.
        """
        begin, end = self._bounds()
        name = self.target.path[begin:end]
        return name.encode("latin-1").decode("utf-8", "surrogateescape")

    def with_parameter(self, text: str) -> str:
        """Version and path with another text in that place; empty for an empty one."""
        if not text:
            return ""
        begin, end = self._bounds()
        path = self.target.path
        return self.target.version + quote_path(f"{path[:begin]}{text}{path[end:]}")

    def _bounds(self) -> tuple[int, int]:
        template = self.endpoint.template if self.endpoint else ""
        # From both ends, for a name may hold slashes: what the template has in front of its first parameter and behind
        # it is taken off, and the rest is the name. It is judged by that, and its id goes on in the same place
        # (`with_parameter`).
        before, mark, rest = template.partition("{")
        path, behind = self.target.path, rest.partition("}")[2]
        if not mark:
            return len(path), len(path)
        if "{" in behind:  # two parameters, each of one segment
            return len(before), path.index("/", len(before))
        return len(before), len(path) - len(behind)

    @property
    def shown(self) -> str:
        """Name it for people: operation, method and template, or the path as escaped."""
        return shown(self.method, self.endpoint, self.target.shown)


def shown(method: str, endpoint: Endpoint | None, path: str) -> str:
    """Name a request for people by its endpoint; by its path where it has none."""
    method = shown_method(method)
    if endpoint is None:
        return f"{method} {path}"
    return f"{endpoint.operation} ({method} {endpoint.template})"


def shown_method(method: str) -> str:
    """Write a method that may be made up."""
    return _NO_CAPITAL.sub("?", method[:16])


def with_segments(template: str, segment: str) -> str:
    """Write a path that fits a template, with one and the same segment for each parameter."""
    return PARAMETER.sub(segment, template)


@value_class
class Route:
    """A `METHOD:/path/{template}` of `ALLOW_OPERATIONS`, for routes not in the table."""

    method: str
    template: str

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is meant; a parameter is one segment, `GET` has its `HEAD`."""
        methods = {"GET", "HEAD"} if self.method == "GET" else {self.method}
        wanted, given = self.template.split("/"), path.split("/")
        if method not in methods or len(wanted) != len(given):
            return False
        pairs = zip(wanted, given, strict=True)
        return all(one.startswith("{") or one == other for one, other in pairs)

    def __str__(self) -> str:
        return f"{self.method}:{self.template}"
