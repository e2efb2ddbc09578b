"""Writes a HAProxy configuration that decides as the incumbents' images do.

A configuration holds a front for each pair of incumbent and environment, so that one
process answers for all of them. The rules come from the tables in `file.incumbents`, in
their order; what HAProxy makes of them is HAProxy's business: path, decoding, methods,
regular expressions and truth values are its own. An Engine that says 200 to everything
and marks its answers stands behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trioproxy.file.incumbents import Incumbent, Rule

MARK = "X-Engine"
"""The header of answers that come from behind."""

_HEAD = """\
global
    maxconn 2000
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend engine
    bind unix@{engine}
    http-request return status 200 content-type application/json string "{{}}" hdr {mark} yes
backend behind
    server engine unix@{engine}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """An incumbent with an environment, and the socket where it listens."""

    incumbent: Incumbent
    variables: Mapping[str, str]
    path: Path

    @property
    def prefix(self) -> str:
        """Sets its variables apart from those of other fronts in the same process."""
        return f"{self.path.stem.upper()}_"

    def environment(self) -> dict[str, str]:
        """What the process must find in its environment: the image's values, then ours."""
        values = {**self.incumbent.defaults, **self.variables}
        return {f"{self.prefix}{name}": value for name, value in values.items()}


def configuration(fronts: Sequence[Front], engine: Path) -> str:
    """Write the whole configuration."""
    lines = [_HEAD.format(engine=engine, mark=MARK)]
    for front in fronts:
        lines += [
            f"frontend {front.path.stem}",
            f"    bind unix@{front.path}",
            *(f"    http-request {line}" for line in rules(front)),
            "    default_backend behind",
        ]
    return "\n".join(lines) + "\n"


def rules(front: Front) -> Iterator[str]:
    """The rules of its incumbent, as arguments of `http-request`."""
    for rule in front.incumbent.rules:
        yield _rule(rule, f"{{ env({front.prefix}{rule.variable}) -m bool }}")
    yield "deny"


def _rule(rule: Rule, is_set: str) -> str:
    condition = is_set if rule.allows else f"!{is_set}"
    if rule.writes_only:
        condition = f"!METH_GET {condition}"
    if rule.begins:
        path = rf"{{ path,url_dec -m reg -i ^(/v[\d\.]+)?{rule.begins} }}"
        condition = f"{path} {condition}"
    return f"{'allow' if rule.allows else 'deny'} if {condition}"
