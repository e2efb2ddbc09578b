"""What is judged: a request as values, and the route that a person may name for it."""

import re
from dataclasses import dataclass

from trioproxy.policy.endpoints import Endpoint, section_of
from trioproxy.policy.target import Target
from trioproxy.values import value_class


@value_class
class Request:
    """What is judged: a method, a target, and the endpoint that they mean."""

    method: str
    target: Target
    endpoint: Endpoint | None

    @property
    def operation(self) -> str:
        """The Engine's name for it, or `unknown`."""
        return self.endpoint.operation if self.endpoint else "unknown"

    @property
    def section(self) -> str | None:
        """The section variable that covers its path."""
        return section_of(self.target.path)

    @property
    def shown(self) -> str:
        """Name it for people: operation, method and template, or the path as escaped."""
        method = re.sub(r"[^A-Z]", "?", self.method[:16])
        if self.endpoint is None:
            return f"{method} {self.target.shown}"
        return f"{self.endpoint.operation} ({method} {self.endpoint.template})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A `METHOD:/path/{template}` of `ALLOW_OPERATIONS`, for routes not in the table."""

    method: str
    template: str

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is meant; a parameter is one segment, `GET` has its `HEAD`."""
        methods = {"GET", "HEAD"} if self.method == "GET" else {self.method}
        wanted, given = self.template.split("/"), path.split("/")
        return (
            method in methods
            and len(wanted) == len(given)
            and all(
                w.startswith("{") or w == g for w, g in zip(wanted, given, strict=True)
            )
        )

    def __str__(self) -> str:
        return f"{self.method}:{self.template}"
