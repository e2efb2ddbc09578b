"""All that decides is loaded before the first request, and made: nothing of it is found on disk later."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import trioproxy
from trioproxy.file.permissions import parse_policy

PACKAGE = Path(trioproxy.__file__).parent
ROOMS = ("api", "limits", "judge", "file", "http", "evidence", "proxy")


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


FEATURES = {
    ("connection.py", "trioproxy.proxy.holding"),
    ("log.py", "trioproxy.evidence.keeping"),
    ("server.py", "trioproxy.evidence.keeping"),
    ("server.py", "trioproxy.proxy.connection"),
    ("server.py", "trioproxy.proxy.containers"),
    ("server.py", "trioproxy.proxy.holding"),
    ("server.py", "trioproxy.proxy.metrics"),
    ("server.py", "trioproxy.proxy.scraping"),
}
"""What serves, behind the listeners; what asks a person, tells what creations asked for, knows clients by their containers,
and measures."""


def test_functions_import_features_alone() -> None:
    """Nothing that judges or moves bytes is imported by a function, so that no request is the first to need it; what is a
    feature of its own, and what serves, is loaded when a server starts."""
    found = set(imported_in_functions())
    assert {one for one in found if one[1].startswith("trioproxy.")} == FEATURES


def test_what_values_are_tried_with_is_made_before_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of a thousand items with stars takes a second, in which nobody would be served;
    who only reads a file makes none of it."""
    lists = {"CREATE_BINDS": "/srv/a-*,/srv/b", "CREATE_IMAGES": "app:*"}
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", **lists})
    read, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", **lists})
    policy.limits.make_ready()

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
