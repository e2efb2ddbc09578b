"""The tables of docs/migration.md are true: of the images, and of what we do."""

import re

import pytest

from tests.differential.differences import DIFFERENCES, PODMAN, matters
from tests.markdown import ROOT
from tests.migration import tables
from tests.migration.clients import CLIENTS
from tests.migration.tables import PAGE, UNKNOWN, UNSET, Example, Variable
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.commands.enforce import read_config
from trioproxy.commands.start import check_time_zone
from trioproxy.file.incumbents import LINUXSERVER, TECNATIVA, Incumbent
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import LIBPOD_VARIABLES, VERBS
from trioproxy.judge.rules import Policy
from trioproxy.learning.minimize import opened_operations

VARIABLES = tables.variables()
PERMISSIONS = [one for one in VARIABLES if one.is_permission]
SETTINGS = [one for one in VARIABLES if not one.is_permission]
every_permission = pytest.mark.parametrize(
    "variable", PERMISSIONS, ids=lambda one: one.name
)
every_image = pytest.mark.parametrize(
    "incumbent", [TECNATIVA, LINUXSERVER], ids=lambda one: one.name
)
DOCKERS = [one for one in PERMISSIONS if one.difference != PODMAN.name]


def test_the_page_shows_the_tables() -> None:
    """docs/migration.md has the three tables as they are; `make derived` writes them."""
    text = PAGE.read_text(encoding="utf-8")
    assert tables.page(text) == text


@every_image
def test_no_variable_is_missing(incumbent: Incumbent) -> None:
    """Each variable that an image's rules read has a row, with the value that it sets."""
    told = {
        one.name: one.value(incumbent)
        for one in PERMISSIONS
        if one.value(incumbent) != UNKNOWN
    }
    assert told.keys() == set(incumbent.variables())
    for name, value in told.items():
        assert incumbent.defaults.get(name, "0") == value.replace(UNSET, "0"), name


@every_image
def test_an_image_s_own_values_start(incumbent: Incumbent) -> None:
    """All that an image sets, at its own value, starts here without a word."""
    values = {
        one.name: value
        for one in VARIABLES
        if (value := one.value(incumbent)) not in {UNSET, UNKNOWN}
    }
    policy, warnings = parse_policy(values)
    assert warnings == ()
    assert without_podman_s_probes(policy) == parse_policy({})[0].opened_operations
    read_config((), None, values)
    assert check_time_zone(values) == ""


@every_permission
def test_its_default_alone_starts(variable: Variable) -> None:
    """A variable at an image's own value, and nothing else, changes nothing here."""
    for incumbent in (TECNATIVA, LINUXSERVER):
        value = variable.value(incumbent)
        if value in {UNSET, UNKNOWN}:
            continue
        policy, warnings = parse_policy({variable.name: value})
        assert warnings == ()
        assert without_podman_s_probes(policy) == parse_policy({})[0].opened_operations


def without_podman_s_probes(policy: Policy) -> frozenset[str]:
    """What it opens, but for Podman's ping and version, which linuxserver's image has at 1."""
    return policy.opened_operations - {"LibpodPing", "LibpodPingHead", "LibpodVersion"}


@pytest.mark.parametrize("variable", SETTINGS, ids=lambda one: one.name)
def test_a_setting_is_read(variable: Variable) -> None:
    """A setting of an image, at a value that it takes, starts here too."""
    values = {
        "BIND_CONFIG": "[::]:2375 v4v6",
        "DISABLE_IPV6": "1",
        "LOG_LEVEL": "err",
        "SOCKET_PATH": "/var/run/balena-engine.sock",
        "TZ": "Etc/UTC",
    }
    value = values[variable.name]
    assert parse_policy({variable.name: value})[1] == ()
    read_config((), None, {variable.name: value})


@pytest.mark.parametrize("variable", DOCKERS, ids=lambda one: one.name)
def test_what_is_said_to_be_the_same_is(variable: Variable) -> None:
    """`the same` opens the same operations as there; else the named difference shows."""
    names = {row.name for row in DIFFERENCES}
    assert variable.difference in {UNKNOWN, *names}
    assert variable.here.startswith("the same") or variable.difference in names
    seen = set[str]()
    for values in _around(variable):
        policy, _ = parse_policy(values)
        for matter in matters(policy, values):
            if variable.value(matter.incumbent) != UNKNOWN:
                seen.add(matter.difference.name)
        if variable.here == "the same":
            for incumbent in (TECNATIVA, LINUXSERVER):
                there = opened_operations(values, [incumbent])
                assert policy.opened_operations == there
    assert variable.difference == UNKNOWN or variable.difference in seen


def _around(variable: Variable) -> list[dict[str, str]]:
    """Environments in which the variable decides something."""
    needs_containers = variable.name == "EXEC" or variable.name.startswith("ALLOW_")
    containers = {"CONTAINERS": "1"} if needs_containers else {}
    if variable.name in LIBPOD_VARIABLES:
        containers = {"LIBPOD_CONTAINERS": "1"}
    return [
        {variable.name: value, **containers, **post}
        for value in ("0", "1")
        for post in ({}, {"POST": "1"})
        if not (variable.name == "POST" and post)
    ]


@pytest.mark.parametrize("name", sorted(LIBPOD_VARIABLES))
def test_podman_s_variables_open_podman_s_routes_alone(name: str) -> None:
    """A variable of Podman's own routes starts at any value without a word, and opens at 1."""
    nothing = parse_policy({})[0].opened_operations
    zero, warnings = parse_policy({name: "0"})
    assert (zero.opened_operations, warnings) == (nothing, ())
    one, warnings = parse_policy({name: "1"})
    opened = one.opened_operations - nothing
    assert warnings == ()
    assert opened >= {"LibpodPing", "LibpodPingHead", "LibpodVersion"}
    assert opened <= opened_operations({name: "1"}, [LINUXSERVER])
    assert {OPERATIONS[name][0].is_podmans for name in opened} == {True}


@pytest.mark.parametrize("example", tables.examples(), ids=lambda one: one.name)
def test_an_example_starts(example: Example) -> None:
    """What people copy starts here, and its own settings alone are read."""
    policy, warnings = parse_policy(example.variables)
    assert warnings == ()
    assert policy.opened_operations
    read_config((), None, example.variables)


def test_the_page_names_the_routes_of_our_verbs() -> None:
    """Of each verb that neither image has, the page names the routes that it opens, and no others."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition("## Verbs that neither has")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| `(ALLOW_[A-Z]+)` \| (.*) \|$", section)
    told = {
        verb: set(re.findall(r"`((?:GET|POST|DELETE) /\S+)`", routes))
        for verb, routes in rows
    }
    assert told.keys() == VERBS.keys() - {one.name for one in VARIABLES}
    for verb, routes in told.items():
        opened = {
            f"{endpoint.method} {endpoint.template}"
            for name in VERBS[verb]
            for endpoint in OPERATIONS[name]
        }
        assert routes == opened, verb
        is_root = any(
            OPERATIONS[name][0].risk is Risk.HOST_ROOT for name in VERBS[verb]
        )
        assert ("**root on the host**" in dict(rows)[verb]) == is_root, verb


def test_each_example_has_its_tests() -> None:
    """What runs the examples and the commands is named: tests that exist, of each of them."""
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(\w+)\[(NAME|N)\]`", text)
    assert [name for *_, name in named] == ["NAME", "NAME", "N"]
    for file, function, _ in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"def {function}\(", source), (file, function)
    assert CLIENTS.keys() == {one.name for one in tables.examples()}
