"""`trioproxy check`: what a file is worth, and whether it lets a request pass."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, assert_never

import click

from trioproxy.api.matched import Request
from trioproxy.apiversion import is_older, oldest_of, too_old
from trioproxy.commands import observed
from trioproxy.commands.terminal import show, write_data
from trioproxy.errors import BadRequest, BadTarget, ConfigError
from trioproxy.file.policyfile import PolicyFile
from trioproxy.files import SIZE_LIMIT, cannot, read
from trioproxy.http import jsonbody
from trioproxy.http.request import NEVER_FORWARDED
from trioproxy.judge import gate
from trioproxy.judge.escapes import old_components
from trioproxy.judge.pruning import Listed
from trioproxy.judge.rules import UNREAD, UNRESOLVED, Decision, Policy, Reason
from trioproxy.limits.objects import LISTED_BY
from trioproxy.limits.things import Known

_Judged = gate.Found | gate.NeedBody | gate.NeedThings

REFUSED: Final = 1
CANNOT_TELL: Final = 2

EPILOG = """\b
Examples:
  trioproxy check learned/app.env --strict
  trioproxy check learned/app.env --within company.env
  trioproxy check learned/app.env POST /v1.45/containers/web/restart
  trioproxy check learned/app.env POST /containers/create --body create.json
  trioproxy check app.env GET /containers/db/json --upstream tcp://ci:2375

Exit status: 0 well, or allowed; 1 it goes beyond, an attack is open that its
verdict denies, or with --strict any; or refused; 2 cannot tell.
"""


@click.command(name="check", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.argument("method", metavar="[METHOD", required=False)
@click.argument("target", metavar="TARGET]", required=False)
@click.option(
    "--body",
    metavar="BODY",
    help="A file with the request's body, or -: what it asks for is judged as well.",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="Ask this Engine what it has under the names in the request. Nothing is changed.",
)
@click.option(
    "--within",
    metavar="FILE",
    help="Prove that it grants nothing that this one does not.",
)
@click.option("--strict", is_flag=True, help="Fail where any known attack is open.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    file: str,
    method: str | None,
    target: str | None,
    body: str | None,
    upstream: str | None,
    within: str | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Say what a policy file is worth, or whether it lets a request pass, and why.

    With FILE alone: how much it opens, whether that is root, and which of the known
    attacks on an Engine it shuts, judged as served requests are.
    """
    policy_file = observed.read_policy_file(file)
    if method is None:
        if body is not None or upstream is not None:
            raise click.UsageError("--body and --upstream need a METHOD and a TARGET")
        boundary = None if within is None else observed.read_policy_file(within)
        return _show_file(policy_file, boundary, strict=strict, as_json=as_json)
    if within is not None or strict:
        raise click.UsageError("--within and --strict are about a FILE alone")
    if target is None:
        raise click.UsageError("METHOD needs a TARGET, such as /containers/json")
    if method != method.upper():
        raise click.UsageError(f"methods are in capitals: write {method.upper()!r:.40}")
    raw = None if body is None else _read_body(body)
    return _check_request(policy_file, method, target, raw, upstream, as_json=as_json)


def _read_body(path: str) -> bytes:
    if path != "-":
        return read(Path(path))
    try:
        body = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise cannot("read", Path("stdin"), error) from error
    if len(body) > SIZE_LIMIT:
        raise ConfigError(f"stdin is larger than {SIZE_LIMIT >> 20} MiB")
    return body


def _show_file(
    file: PolicyFile, boundary: PolicyFile | None, *, strict: bool, as_json: bool
) -> int:
    # Here, for a request needs none of it.
    from trioproxy.commands.worth import Worth

    worth = Worth(file, boundary)
    mode, count = file.policy.mode, len(file.policy.opened_operations)
    if as_json:
        data: dict[str, object] = {"file": file.path, "mode": mode, "operations": count}
        data["limited"] = sorted(file.policy.limits.families)
        data |= {"warnings": file.warnings, **worth.data()}
        write_data(data)
    else:
        families = ",".join(sorted(file.policy.limits.families))
        limited = f" limited={families}" if families else ""
        show(f"{file.path}: mode={mode} operations={count}{limited}", *worth.lines())
    is_open = strict and worth.trials.opened
    return REFUSED if worth.beyond or worth.is_untrue or is_open else 0


def _check_request(
    file: PolicyFile,
    method: str,
    target: str,
    body: bytes | None,
    upstream: str | None,
    *,
    as_json: bool,
) -> int:
    whatever = ", whatever the policy"
    try:
        if os.fsencode(method) in NEVER_FORWARDED:
            raise BadTarget(f"the method {method} is never forwarded")
        request = Request.parse(method, os.fsencode(target))
        whatever = ""  # some policies do not look that closely
        found = _judge(file.policy, request, body, upstream)
    except BadRequest as error:
        if as_json:
            data = {"file": file.path, "allowed": False, "reason": "bad-request"}
            data |= {"status": error.status, "message": str(error)}
            write_data(data)
        else:
            show(f"refused: {error.status}{whatever}: {error}")
        return REFUSED
    decision = _decision(found)
    answer = None
    if upstream is not None:
        # Here, for all other calls speak to nobody.
        from trioproxy.commands.versions import versions
        from trioproxy.config import upstream_address

        answer = versions(upstream_address(upstream, os.environ))
    old = [f"old: {one}" for one in old_components(answer)]
    outdated = _outdated(file, request, answer)
    if as_json:
        data = {"file": file.path, **_as_data(request, decision)}
        data |= {} if upstream is None else {"old": old}
        data |= {"outdated": outdated} if outdated else {}
        write_data(data)
    else:
        show(*_told(request, found, outdated), *old)
    if isinstance(found, gate.NeedBody | gate.NeedThings):
        return CANNOT_TELL
    return 0 if decision.allowed else REFUSED


def _outdated(file: PolicyFile, request: Request, answer: object) -> str:
    """Why a request fails whatever the policy says; empty: nobody knows that it does.

    By what the Engine answers, or answered while the file was learned.
    """
    version = request.target.version
    if not version:
        return ""
    oldest = oldest_of(answer) or _oldest_seen(file.path)
    return too_old(oldest) if is_older(version, oldest) else ""


def _oldest_seen(file: str) -> str:
    """The oldest version of its API that the Engine took while a file was learned."""
    learned = observed.evidence_next_to(file)
    try:
        return observed.read_evidence(learned).oldest_api if learned else ""
    except ConfigError:  # a request is judged by the file alone
        return ""


def _judge(
    policy: Policy, request: Request, body: bytes | None, upstream: str | None
) -> _Judged:
    """Judge a request, as far as the command line has what that needs."""
    enforcing, operation = gate.Gate.enforcing(policy), request.operation
    one = gate.judging(enforcing, request, has_body=body != b"")
    answer: gate.Answer = None
    known: Known = {}
    while True:
        match found := gate.go_on(one, answer):
            case gate.NeedBody() if (
                body is None and operation in enforcing.read_operations
            ):
                return found
            case gate.NeedBody():
                # Nothing limits what it asks for: without --body it gives no label.
                answer = gate.ParsedBody({} if body is None else jsonbody.parse(body))
            case gate.NeedRaw():
                answer = body
            case gate.NeedThings():
                if upstream is None:
                    return found
                # Here, for all other calls speak to nobody.
                from trioproxy.commands import questions

                answer = known = questions.known(enforcing, found.references, upstream)
            case gate.NeedReserved() | gate.NeedMade() | None:
                answer = known  # nothing is made here: they are judged as they would be
            case gate.NeedListed():
                answer = Listed(found.prune)  # what it would remove was not asked
            case gate.Passes() | gate.Refused():
                return found
            case _:
                assert_never(found)


def _told(request: Request, found: _Judged, outdated: str) -> Iterator[str]:
    match found:
        case gate.NeedBody():
            yield f"cannot tell: {request.shown} depends on its body: give --body FILE"
        case gate.NeedThings():
            names = " and ".join(one.text[:64] for one in found.references)
            yield (
                f"cannot tell: {request.shown} depends on what the Engine has under"
                f" {names}: give --upstream URL"
            )
        case gate.Passes():
            unknown = ", a route that this version does not know"
            how = "" if request.endpoint else unknown
            if found.removals is not None:
                kind = found.removals.prune.kind
                how = f", of the {kind}s that {LISTED_BY[kind]} lists"
            yield f"allowed: {request.shown}{how}, by {found.decision.rule}"
            if outdated:
                yield outdated
        case gate.Refused():
            why = outdated or found.decision.message
            if found.decision.reason is Reason.MISSING:
                why = f"{found.decision.status}, as the Engine says: {found.decision.message}"
            yield f"refused: {why}"
        case _:
            assert_never(found)


def _decision(found: _Judged) -> Decision:
    if isinstance(found, gate.NeedBody):
        return UNREAD
    return UNRESOLVED if isinstance(found, gate.NeedThings) else found.decision


def _as_data(request: Request, decision: Decision) -> dict[str, object]:
    endpoint = request.endpoint
    return {
        "method": request.method,
        "target": request.target.shown,
        "operation": request.operation,
        "template": endpoint.template if endpoint else None,
        "section": request.section,
        "allowed": decision.allowed,
        "reason": str(decision.reason),
        "rule": decision.rule,
        "message": decision.message,
    }
