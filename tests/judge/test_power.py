"""The power of a grant is what the ways to root of its policy say, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.limits.listing import files
from tests.test_shipped_files import every_file
from trioproxy.api.families import OPERATIONS_VARIABLE, Hides
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.judge.meaning import meaning_of
from trioproxy.judge.power import LEVELS, LIMITED, Power, Powers
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant

OBJECTS: tuple[dict[str, str], ...] = (
    {},
    {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "x"},
    {"ONLY_CONTAINERS": "@own,db", "ONLY_VOLUMES": "*", "ONLY_OWNER": "x"},
)
REACHABLE = sorted(name for name, rows in OPERATIONS.items() if rows[0].is_reachable)
TELLING = [name for name in REACHABLE if OPERATIONS[name][0].hiding]
"""The operations whose answers have secrets, of which it is known where they stand."""


@pytest.mark.parametrize("name", ["ContainerList", "GET:/x/{y}", "CREATE_BINDS=/srv"])
def test_a_grant_has_the_name_by_which_it_is_known(name: str) -> None:
    """An operation or a route by itself, an item with its variable."""
    assert Grant.named(name).name == name


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_loud_where_it_is_root_and_only_there(level: Risk | str) -> None:
    """A page and a table show the level in the very words of the tables."""
    power = Power(level, "why")
    assert power.shown == (level.shown if isinstance(level, Risk) else level)
    assert (power.root_note == "HOST-ROOT: why") is (level == Risk.HOST_ROOT)


def grants(policy: Policy) -> list[Grant]:
    """All that a reviewer can strike out."""
    lists = {name: one.value for name, one in policy.limits.by_variable.items()}
    lists |= {one.variable: one.value for one in policy.objects.by_kind.values()}
    return [
        *(Grant(OPERATIONS_VARIABLE, one) for one in sorted(policy.opened_operations)),
        *(
            Grant(name, item)
            for name in lists
            for item in lists[name].split(",")
            if item
        ),
    ]


def check(policy: Policy) -> None:
    """The file is root if one of its grants is, and what is root is named by a way."""
    powers, found = Powers(policy), meaning_of(policy)
    assert powers.ways == found.ways
    assert powers.worst(grants(policy)).is_root is found.is_root
    doors = {way.operation for way in found.ways if way.grant is None}
    values = {way.grant for way in found.ways if way.grant}
    for one in grants(policy):
        power = powers.of(one)
        assert power.level in LEVELS
        assert bool(power.root_note) is power.is_root
        if one.variable == OPERATIONS_VARIABLE:
            assert power.is_root is (one.item in doors)
        elif not one.variable.startswith("ONLY_"):
            assert power.is_root is (one in values)


@every_file
def test_shipped_files(file: Path) -> None:
    """Of each file that is shipped the powers are what its ways are."""
    check(parse_policy_file(file.read_text(), name=file.name)[0])


@pytest.mark.deep
@settings(max_examples=by_depth(30, 100))
@given(
    st.sets(st.sampled_from(REACHABLE), min_size=1), files(), st.sampled_from(OBJECTS)
)
def test_any_policy(
    operations: set[str], limits: dict[str, str], objects: dict[str, str]
) -> None:
    """Whatever is granted, listed and confined, a grant is root where a way goes by it."""
    names = {"ALLOW_OPERATIONS": ",".join(sorted(operations))}
    check(parse_policy({**names, **limits, **objects})[0])


POWERS = [
    ({"ALLOW_OPERATIONS": "ContainerExec"}, "ContainerExec", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerExec", "EXEC_PRIVILEGED": "0"}, "ContainerExec", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerCreate"}, "ContainerCreate", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": ""}, "ContainerCreate", LIMITED),
    ({"ALLOW_OPERATIONS": "ContainerList"}, "ContainerList", Risk.SECRET_LEAK),
    ({"ALLOW_OPERATIONS": "GET:/frob/{x}"}, "GET:/frob/{x}", ""),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": "/etc"}, "CREATE_BINDS=/etc", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerList", "CREATE_BINDS": "/etc"}, "CREATE_BINDS=/etc", ""),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": ""}, "CREATE_BINDS=/etc", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": "/a,/a/b"}, "CREATE_BINDS=/a", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": "/a,/a/b"}, "CREATE_BINDS=/a/b", ""),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_NAMESPACES": "pid:container"}, "CREATE_NAMESPACES=pid:container", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_NAMESPACES": "pid:container", **OBJECTS[1]}, "CREATE_NAMESPACES=pid:container", ""),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_NAMESPACES": "net:container", **OBJECTS[1]}, "CREATE_NAMESPACES=net:container", ""),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_NAMESPACES": "ipc:container", **OBJECTS[1]}, "CREATE_NAMESPACES=ipc:container", ""),
    ({"ALLOW_OPERATIONS": "ContainerExec", **OBJECTS[2]}, "ONLY_CONTAINERS=db", Risk.HOST_ROOT),
    ({"ALLOW_OPERATIONS": "ContainerExec", "CREATE_CAPS": "", **OBJECTS[2]}, "ONLY_CONTAINERS=db", ""),
    ({"ALLOW_OPERATIONS": "ContainerInspect", **OBJECTS[2]}, "ONLY_CONTAINERS=db", ""),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "name", "level"), POWERS, ids=str)
def test_what_a_grant_gives_depends_on_the_rest(
    variables: dict[str, str], name: str, level: str
) -> None:
    """The same operation or item is root beside one rest of a file, and not beside another."""
    grant = Grant.parse(name) if "=" in name else Grant(OPERATIONS_VARIABLE, name)
    assert Powers(parse_policy(variables)[0]).of(grant).level == level


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("words", ["env", "commands", "labels", "env,labels", "env,commands,labels"])  # fmt: skip
def test_what_of_an_answer_is_told_and_what_is_hidden(name: str, words: str) -> None:
    """Each kind of secret that an answer can show is told of once: as shown, or as redacted."""
    row, hides = OPERATIONS[name][0], {Hides(one) for one in words.split(",")}
    policy = parse_policy({"ALLOW_OPERATIONS": name, "REDACT": words})[0]
    power = Powers(policy).of(Grant(OPERATIONS_VARIABLE, name))
    if not row.hiding & hides:
        assert (power.level, power.why) == (row.risk, row.summary)
    elif row.hiding <= hides:
        assert power.level == Risk.INFO_LEAK
    else:
        shown, _, hidden = power.why.partition(", where secrets may stand, too; ")
        said = {Hides.ENV: "environments", Hides.COMMANDS: "commands", Hides.LABELS: "labels"}  # fmt: skip
        for one in Hides:
            assert (said[one] in shown) is (one in row.hiding - hides)
            assert (said[one] in hidden) is (one in row.hiding & hides)


def test_what_needs_no_word() -> None:
    """A reviewer need not read of what tells little, but where it connects somewhere."""
    (plain,), (connecting,) = OPERATIONS["ContainerWait"], OPERATIONS["ImageSearch"]
    for level in (Risk.LOW, Risk.INFO_LEAK):
        assert Power(level).needs_no_word(plain)
        assert Power(level).needs_no_word(None)
        assert not Power(level).needs_no_word(connecting)
    assert not Power(Risk.SECRET_LEAK).needs_no_word(plain)
    assert not Power(LIMITED).needs_no_word(plain)
