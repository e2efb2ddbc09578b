"""The issue forms: GitHub shows one only if it has the form that it documents."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.markdown import ROOT
from tests.yamlfile import read_yaml

pytestmark = pytest.mark.engine

FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
CONFIG = FOLDER / "config.yml"
FORMS = sorted(set(FOLDER.glob("*.yml")) - {CONFIG})

# https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests
NEEDED = {"name", "description", "body"}
POSSIBLE = NEEDED | {"title", "labels", "assignees", "projects", "type"}
ATTRIBUTES = {
    "markdown": ({"value"}, set[str]()),
    "textarea": ({"label"}, {"description", "placeholder", "value", "render"}),
    "input": ({"label"}, {"description", "placeholder", "value"}),
    "dropdown": ({"label", "options"}, {"description", "multiple", "default"}),
    "checkboxes": ({"label", "options"}, {"description"}),
}
"""The types of elements; which attributes each needs, and which it may have."""


def faults(form: dict[str, Any]) -> list[str]:
    """What GitHub would complain about."""
    found = [f"{key} is missing" for key in sorted(NEEDED - form.keys())]
    found += [f"{key} is unknown" for key in sorted(form.keys() - POSSIBLE)]
    found += [
        f"{key} is no text"
        for key in ("name", "description")
        if not (isinstance(form.get(key), str) and form[key])
    ]
    body = form.get("body") or []
    if all(element.get("type") == "markdown" for element in body):
        found.append("body asks nothing")
    for key in ("id", "label"):
        values = [one.get(key) or one.get("attributes", {}).get(key) for one in body]
        found += [
            f"{key} {value!r} is there twice"
            for value, count in Counter(filter(None, values)).items()
            if count > 1
        ]
    return found + [fault for element in body for fault in _faults_of(element)]


def _faults_of(element: dict[str, Any]) -> list[str]:
    kind = element.get("type")
    if kind not in ATTRIBUTES:
        return [f"type {kind!r} is unknown"]
    needed, possible = ATTRIBUTES[kind]
    attributes = element.get("attributes", {})
    given = {key for key, value in attributes.items() if value}
    found = [f"{kind} without {key}" for key in sorted(needed - given)]
    found += [f"{kind} with {key}" for key in sorted(given - needed - possible)]
    if not re.fullmatch(r"[\w-]*", element.get("id", ""), re.ASCII):
        found.append(f"bad id {element['id']!r}")
    if any(key != "required" for key in element.get("validations", {})):
        found.append(f"bad validations of {kind}")
    if kind == "checkboxes":
        boxes = attributes.get("options", [])
        found += ["a box without label" for box in boxes if not box.get("label")]
    return found


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FORMS])
def test_form(engine: Engine, path: Path) -> None:
    """Each form has what a form needs, and nothing that GitHub does not know."""
    assert not faults(read_yaml(engine, path.read_text()))


def test_names_differ(engine: Engine) -> None:
    """Who opens an issue can tell the forms apart."""
    names = [read_yaml(engine, path.read_text())["name"] for path in FORMS]
    assert len(set(names)) == len(names) > 1


def test_chooser(engine: Engine) -> None:
    """The page where a form is chosen is set up by settings that there are."""
    settings = read_yaml(engine, CONFIG.read_text())
    assert settings.keys() <= {"blank_issues_enabled", "contact_links"}
    assert isinstance(settings.get("blank_issues_enabled", True), bool)


GOOD = """
name: A
description: B
body:
  - type: input
    id: one
    attributes: { label: C }
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("", "", [], id="good"),
        pytest.param("name: A", "", ["name is missing", "name is no text"], id="name"),
        pytest.param("name: A", "title: A\nname: 1", ["name is no text"], id="number"),
        pytest.param("description", "about", ["description is missing",
            "about is unknown", "description is no text"], id="markdown-form"),
        pytest.param("type: input", "type: text", ["type 'text' is unknown"], id="type"),
        pytest.param("type: input", "type: dropdown", ["dropdown without options"], id="options"),
        pytest.param("label", "title", ["input without label", "input with title"], id="label"),
        pytest.param("one", "one two", ["bad id 'one two'"], id="id"),
        pytest.param("body:", "body:\n  - { type: textarea, id: one, attributes: { label: C } }",
            ["id 'one' is there twice", "label 'C' is there twice"], id="twice"),
        pytest.param("input", "markdown", ["body asks nothing", "markdown without value",
            "markdown with label"], id="nothing-asked"),
    ],
)  # fmt: skip
def test_faults(engine: Engine, old: str, new: str, expected: list[str]) -> None:
    """What is wrong with a form is found: so the forms above are good ones."""
    assert faults(read_yaml(engine, GOOD.replace(old, new))) == expected
