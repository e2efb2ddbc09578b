"""All that decides is loaded before the first request: nothing of it is found on disk later."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trioproxy
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.server import load

PACKAGE = Path(trioproxy.__file__).parent
ROOMS = ("api", "limits", "judge", "http", "proxy")


def imported_in_functions() -> Iterator[tuple[str, str]]:
    """Where, and what."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).glob("*.py")):
            for function in ast.walk(ast.parse(path.read_text())):
                if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                for one in ast.walk(function):
                    if isinstance(one, ast.Import):
                        yield from ((path.name, name.name) for name in one.names)
                    elif isinstance(one, ast.ImportFrom) and one.module:
                        whole = [f"{one.module}.{name.name}" for name in one.names]
                        is_package = (
                            PACKAGE.parent / one.module.replace(".", "/")
                        ).is_dir()
                        yield from (
                            (path.name, name)
                            for name in (whole if is_package else [one.module])
                        )


def test_the_door_loads_what_functions_import() -> None:
    """Nothing that judges or moves bytes is imported for the first time by a request.

    What only narrows answers, or tells of creations, comes with the first policy that does; and
    what knows clients by their containers, asks a person, or measures, when the listeners are
    bound, where anything does.
    """
    script = (
        "import sys, trioproxy.proxy.server, trioproxy.proxy.door\n"
        "from dataclasses import replace\n"
        "from trioproxy.file.permissions import parse_policy\n"
        "from trioproxy.judge.gate import Gate\n"
        "from trioproxy.proxy.server import load\n"
        "policy, _ = parse_policy({'ALLOW_OPERATIONS': 'ContainerList',"
        " 'ONLY_CONTAINERS': '@own', 'ONLY_OWNER': 'x', 'REDACT': 'env', 'CREATE_IMAGES': '@built'})\n"
        "load(Gate.enforcing(policy))\n"
        "load(replace(Gate.trying(policy), audits=True))\n"
        "import trioproxy.proxy.containers, trioproxy.proxy.holding\n"
        "import trioproxy.proxy.metrics, trioproxy.proxy.scraping\n"
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)  # fmt: skip
    loaded = set(done.stdout.decode().split())
    found = set(imported_in_functions())
    ours = {(file, name) for file, name in found if name.startswith("trioproxy.")}
    assert {(file, name) for file, name in ours if name not in loaded} == set()
    assert ours


def test_what_values_are_tried_with_is_made_before_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of a thousand items with stars takes a second, in which nobody would be served;
    who only reads a file makes none of it."""
    lists = {"CREATE_BINDS": "/srv/a-*,/srv/b", "CREATE_IMAGES": "app:*"}
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", **lists})
    read, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", **lists})
    load(Gate.enforcing(policy))

    def compiled(text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr(re, "compile", compiled)
    for name, value in (("CREATE_BINDS", "/srv/a-1"), ("CREATE_IMAGES", "app:1")):
        limit, late = policy.limits.limit_of(name), read.limits.limit_of(name)
        assert limit is not None
        assert late is not None
        assert limit.lists(value)
        with pytest.raises(AssertionError):
            late.lists(value)
