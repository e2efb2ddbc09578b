"""Every policy file that is shipped: what the proxy advises, taken as text, and torn ones."""

import re
from pathlib import Path

import pytest

from tests.judge.judging import judged, of_endpoint
from tests.markdown import ROOT
from trioproxy.api.routes import OPERATIONS
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Decision

FILES = sorted(
    file
    for folder in ("learned", "examples")
    for file in (ROOT / folder).rglob("*.env")
)
every_file = pytest.mark.parametrize(
    "file", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in FILES]
)

ADDED = (
    "ConfigList",
    "ContainerList",
    "DistributionInspect",
    "ImageDelete",
    "ImageList",
    "NetworkList",
    "NodeList",
    "PluginList",
    "SystemDataUsage",
    "SystemEvents",
    "SystemInfo",
    "VolumeList",
)
"""Of sections of their own mostly, and nothing but the list decides on them."""


def decided(text: str, operation: str) -> Decision:
    """How a request of an operation is judged by the text of a file."""
    policy, _ = parse_policy_file(text, name="app.env")
    request = of_endpoint(OPERATIONS[operation][0])[0]
    target = request.target.path.encode()
    return judged(Gate.enforcing(policy), request.method, target).decision


@every_file
def test_the_advice_of_a_refusal_is_enough(file: Path) -> None:
    """What a refusal says to add, added to the line as text, lets the request pass."""
    text, taken = file.read_text(encoding="utf-8"), 0
    for operation in ADDED:
        refusal = decided(text, operation)
        if refusal.allowed:
            continue
        advice = re.fullmatch(
            r".* is not allowed: add (\w+) to (ALLOW_OPERATIONS)", refusal.message
        )
        assert advice
        name, variable = advice.groups()
        changed, lines = re.subn(rf"(?m)^{variable}=.+$", rf"\g<0>,{name}", text)
        assert lines == 1
        assert decided(changed, operation).allowed
        taken += 1
    assert taken


@every_file
def test_the_last_line_grants(file: Path) -> None:
    """All that limits stands above the one line that grants, which is the last of all."""
    lines = file.read_text(encoding="utf-8").splitlines()
    granting = [one for one in lines if one.startswith("ALLOW_OPERATIONS=")]
    assert granting == lines[-1:]
    _, warnings = parse_policy_file("\n".join([*lines, ""]), name=file.name)
    assert not [one for one in warnings if "ALLOW_OPERATIONS" in one]
