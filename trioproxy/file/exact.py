"""A list to a policy: what `ALLOW_OPERATIONS` names may pass, and nothing else."""

from dataclasses import dataclass

from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.api.matched import Route, shown_method
from trioproxy.api.routes import ENDPOINTS, Endpoint
from trioproxy.judge.rules import Mode, Policy, Reason, Ruling
from trioproxy.limits.limit import NO_LIMITS, Limits
from trioproxy.limits.objects import NO_OBJECTS, Objects


def exact_policy(
    operations: frozenset[str],
    routes: tuple[Route, ...] = (),
    *,
    limits: Limits = NO_LIMITS,
    objects: Objects = NO_OBJECTS,
) -> Policy:
    """Let pass operations of the table, and routes that are in none."""
    return Policy(
        mode=Mode.EXACT,
        rules=_Listed(operations, routes).rule,
        lines=operations | {str(route) for route in routes},
        operations=operations,
        routes=routes,
        limits=limits,
        objects=objects,
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    operations: frozenset[str]
    routes: tuple[Route, ...]

    def rule(self, method: str, endpoint: Endpoint | None, path: str) -> Ruling:
        """Say whether a route is on the list, or how to put it there."""
        if endpoint is None:
            if any(route.fits(method, path) for route in self.routes):
                return Ruling(True, Reason.ROUTE, OPERATIONS_VARIABLE)
            name = f"a {shown_method(method)}:/path/{{template}} for it"
        else:
            if endpoint.operation in self.operations or self._has_get_of(endpoint):
                return Ruling(True, Reason.OPERATION, OPERATIONS_VARIABLE)
            name = endpoint.operation
        advice = f"add {name} to {OPERATIONS_VARIABLE}"
        return Ruling(False, Reason.OPERATION, OPERATIONS_VARIABLE, advice)

    def _has_get_of(self, endpoint: Endpoint) -> bool:
        """Whether a HEAD route of its own has the template of a granted GET."""
        return endpoint.method == "HEAD" and any(
            one.operation in self.operations
            for one in ENDPOINTS
            if one.method == "GET" and one.template == endpoint.template
        )
