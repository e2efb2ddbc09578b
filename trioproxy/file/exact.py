"""A list to a policy: what `ALLOW_OPERATIONS` names may pass, and nothing else."""

from collections.abc import Container

from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.api.matched import Route, shown_method
from trioproxy.api.routes import ENDPOINTS, Endpoint
from trioproxy.judge.rules import Confines, Mode, Policy, Reason, Ruling


def passing(operations: Container[str]) -> frozenset[Endpoint]:
    """The rows that pass where these operations are listed: theirs, and each HEAD route of
    its own with the GET that has its template."""
    listed = {one for one in ENDPOINTS if one.operation in operations}
    gets = {one.template for one in listed if one.method == "GET"}
    heads = (one for one in ENDPOINTS if one.method == "HEAD" and one.template in gets)
    return frozenset(listed.union(heads))


def exact_policy(
    operations: frozenset[str], routes: tuple[Route, ...], confines: Confines
) -> Policy:
    """Let pass operations of the table, and routes that are in none."""
    rows = passing(operations)

    def rule(method: str, endpoint: Endpoint | None, path: str) -> Ruling:
        if endpoint is None:
            if any(route.fits(method, path) for route in routes):
                return Ruling(True, Reason.ROUTE, OPERATIONS_VARIABLE)
            name = f"a {shown_method(method)}:/path/{{template}} for it"
        else:
            if endpoint in rows:
                return Ruling(True, Reason.OPERATION, OPERATIONS_VARIABLE)
            name = endpoint.operation
        advice = f"add {name} to {OPERATIONS_VARIABLE}"
        return Ruling(False, Reason.OPERATION, OPERATIONS_VARIABLE, advice, True)

    return Policy(
        mode=Mode.EXACT,
        rules=rule,
        lines=operations | {str(route) for route in routes},
        operations=operations,
        routes=routes,
        **confines._asdict(),
    )
