"""Holes: what they fit, where they stand, and what nobody reaches through one."""

import re
import string
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.limits.arguing import limits
from tests.limits.listing import values
from trioproxy.api.families import LIMITS, Places
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of
from trioproxy.limits import places, root
from trioproxy.limits.inclusion import beyond
from trioproxy.limits.languages import TAG
from trioproxy.limits.patterns import Pattern
from trioproxy.limits.sorts import parse_pattern, sort_of
from trioproxy.limits.varying import HOLE, end_of_literal, with_holes

CLASSES = {
    "{num}": "[0-9]+",
    "{uuid}": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "{date}": "[0-9]{4}(-?)[01][0-9]\\1[0-3][0-9]",
    "{uid}": "[1-9][0-9]{3}|[1-5][0-9]{4}",
    **{f"{{hex{n}}}": f"[0-9a-f]{{{n}}}" for n in (4, 7, 12, 40, 64)},
    **{f"{{rand{n}}}": f"[A-Za-z0-9_]{{{n}}}" for n in (4, 6, 8, 10, 64)},
}
"""The grammar once more, by another hand."""

NEAR = st.one_of(
    st.text("0123456789abcdefgAZ_-./", min_size=1, max_size=12),
    st.text("0123456789", min_size=1, max_size=6),
    st.dates().map(str),
    st.dates().map(lambda day: f"{day:%Y%m%d}"),
    st.uuids().map(str),
    st.text("0123456789abcdef", min_size=63, max_size=65),
)


def bind(text: str, base: str = "") -> Pattern:
    return parse_pattern("CREATE_BINDS", text, places=Places(base))


@settings(max_examples=400)
@given(st.sampled_from(sorted(CLASSES)), NEAR)
def test_a_hole_fits_its_class_and_length(hole: str, value: str) -> None:
    """A value passes through a hole if the grammar has it, and no other does."""
    fits = re.fullmatch(CLASSES[hole], value) is not None
    assert bind(f"/srv/x-{hole}.d/y").fits(f"/srv/x-{value}.d/y") is fits


@given(st.sampled_from(sorted(CLASSES)), st.data())
def test_what_a_hole_fits_is_one_clean_segment(hole: str, data: st.DataObject) -> None:
    """Nothing that it fits goes up, deeper, or is longer than it says."""
    value = data.draw(values(bind(f"/srv/{hole}")))
    segment = value.removesuffix(":ro").removeprefix("/srv/")
    assert re.fullmatch("[A-Za-z0-9_-]+", segment)
    assert re.fullmatch(CLASSES[hole], segment)


# Where a hole stands, or why it does not.
STANDS = {
    "CREATE_BINDS": [
        "/srv/{num}", "/srv/job%402/job%40{num}:ro", "/srv/{uuid}/*", "/srv/a-{hex8}.d/{rand6}",
        "{base}/{rand8}/x", "/srv/my%20{num}", "/srv/{date}/{date}_{num}", "/srv/{date}-{date}-{uid}-{uid}",
    ],
    "CREATE_IMAGES": ["app:{hex7}", "app-{rand8}:1", "acme-{hex8}/app:1", "x.io/{uuid}/app:{num}"],
    "CREATE_TAGS": ["app-{uuid}:latest"],
    "PULL_IMAGES": ["acme/app-{hex8}:{num}", "x.io:5000/acme/app:{date}"],
    "CREATE_OPTIONS": ["ContainerCreate:HostConfig.CgroupParent=job-{num}"],
    "EXEC_COMMANDS": ["/tmp/job-{rand8}.sh"],
    "EXEC_USERS": ["{uid}", "{uid}%3A{uid}"],
}  # fmt: skip
REFUSED = {
    "CREATE_BINDS": [
        "/{rand8}", "/{rand4}/x", "/a{num}/x", "/{hex8}:ro", "{rand8}/x", "/srv/{base}",
        "/srv/{frob}", "/srv/{rand3}", "/srv/{hex65}", "/srv/{hex08}", "/srv/{NUM}", "/srv/{}",
        "/srv/{num}{hex8}", "/srv/{rand8}{num}", "/srv/1{num}", "/srv/{num}0", "/srv/*{num}",
        "/srv/{num}*{2}", "/srv/{num", "/srv/num}", "/srv/a:{hex4}", "/srv/{date}{date}{date}{date}{date}",
    ],
    "CREATE_IMAGES": [
        "{rand9}/app:1", "local{rand4}/app:1", "x.{hex4}/app:1", "x.io:{num}/app:1", "{hex8}.io/app:1",
        "app@sha256:{hex64}", "sha256:{hex64}", "sha256:a{rand63}",
    ],
    "CREATE_TAGS": ["{rand8}/app:1"],
    "PULL_IMAGES": ["{hex8}/app:1", "x.io/{hex8}/app:1", "x.io/acme/{num}/app:1", "src:{num}"],
    "CREATE_OPTIONS": [
        "ContainerCreate:HostConfig.Sysctls.{num}=1", "ContainerCreate:HostConfig.{rand8}", "{rand8}:x=1",
    ],
    "EXEC_USERS": ["{num}", "{rand8}", "{hex4}"],
    "CREATE_PORTS": ["{num}", "80{num}", "127.0.0.1:{num}", "{uid}"],
    "CREATE_CAPS": ["{rand8}"],
    "CREATE_DEVICES": ["/dev/sd{hex4}", "/dev/{num}", "driver:{hex8}"],
    "CREATE_DRIVERS": ["volume:{hex8}"],
    "CREATE_NAMESPACES": ["net:{rand4}"],
    "CREATE_PRIVILEGED": ["{num}"],
    "CREATE_RUNTIMES": ["{rand4}"],
    "CREATE_SECURITY": ["seccomp:sha256-{hex64}"],
}  # fmt: skip


def test_where_the_first_hole_begins() -> None:
    """What stands before it is literal, and all of a text without one."""
    rows = {"/srv/{hex7}/{num}": 5, "/srv/{no}": 9, "{num}": 0, "": 0}
    assert {text: end_of_literal(text) for text in rows} == rows


@pytest.mark.parametrize(
    ("variable", "item"), [(v, one) for v, items in STANDS.items() for one in items]
)
def test_where_a_hole_stands(variable: str, item: str) -> None:
    """In any segment but the first, in repository and tag, behind an option's `=`."""
    text = parse_pattern(variable, item, places=Places("/home/me/app")).text
    assert parse_policy({"ALLOW_OPERATIONS": "", "CREATE_BASE": "/home/me/app", variable: text})  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "item"), [(v, one) for v, items in REFUSED.items() for one in items]
)
def test_where_none_stands(variable: str, item: str) -> None:
    """Elsewhere, and where it is none, the file does not load, and a hint says what to do."""
    with pytest.raises(ConfigError) as caught:
        parse_pattern(variable, item, places=Places("/home/me/app"))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["ONLY_CONTAINERS", "ONLY_VOLUMES", "ONLY_OWNER"])
@pytest.mark.parametrize(
    "item", ["{num}", "a-{hex8}", "@project:{rand8}", "@label:a={num}"]
)
def test_no_object_is_named_by_a_hole(name: str, item: str) -> None:
    """A list of objects with a hole does not load."""
    with pytest.raises(ConfigError):
        parse_policy({"ALLOW_OPERATIONS": "ContainerList", name: item})


def test_a_variable_that_forgets_to_say_has_no_holes() -> None:
    """Each sort says where its values vary, and only the four kinds that do have holes."""
    with_some = {name for name in LIMITS if sort_of(name).varies.holes}
    assert with_some == {
        "CREATE_BINDS", "CREATE_IMAGES", "CREATE_OPTIONS", "CREATE_TAGS", "EXEC_COMMANDS",
        "EXEC_OPTIONS", "EXEC_USERS", "PULL_IMAGES", "PULL_OPTIONS", "BUILD_OPTIONS",
    }  # fmt: skip


def test_a_brace_is_written_as_an_escape() -> None:
    """What a client calls `{num}` is itself in the list, and no number."""
    assert bind("/srv/%7Bnum%7D").fits("/srv/%7Bnum%7D")
    assert not bind("/srv/{num}").fits("/srv/%7Bnum%7D")
    assert not bind("/srv/%7Bnum%7D").fits("/srv/7")


ROOT = [
    *("/tmp/{rand7}", "/tmp/ssh-{rand12}", "/tmp/tmux-{num}", "/var/{rand5}/cron"),
    *("/home/{hex8}/.ssh", "/home/{rand6}", "/home/{num}", "/Users/{uid}/.kube:ro"),
    *("/mnt/{rand6}", "/media/{uuid}", "/mnt/{hex8}/etc", "/host/{rand8}", "/var/{rand4}"),
    *("/run/{rand6}", "/var/run/{rand6}", "/run/user/{uid}/x", "/var/lib/{rand6}/x"),
    *("/usr/{hex8}", "/etc/{rand8}/x", "/root/{uuid}"),
]  # fmt: skip
NO_ROOT = [
    *("/tmp/{rand8}", "/tmp/{num}", "/tmp/{uuid}/work", "/tmp/{hex7}", "/var/{num}"),
    *("/home/me/{rand8}", "/srv/{rand4}", "/mnt/disk/{num}", "/var/tmp/{date}"),
    *("/run/{hex6}", "/var/lib/{num}/x", "/opt/{rand8}.sock"),
]  # fmt: skip


@pytest.mark.parametrize("item", ROOT, ids=str)
def test_root_through_a_hole(item: str) -> None:
    """An item is root if any value that it fits is: all that may stand there is judged."""
    assert root.of_bind(item)


@pytest.mark.parametrize("item", NO_ROOT, ids=str)
def test_no_root_through_a_hole(item: str) -> None:
    """Where no value of its class is root, a hole is none."""
    assert root.of_bind(item) == ""


_PATHS = st.builds(
    "/{}{}{}".format,
    st.sampled_from(["tmp", "var", "home", "run", "mnt", "usr", "srv", "var/lib", "private"]),
    st.lists(st.sampled_from([*sorted(CLASSES), "x", "a-{hex6}", "{rand6}.sock", "{rand5}", "{rand7}"]), min_size=1, max_size=3).map(lambda parts: "".join(f"/{one}" for one in parts)),
    st.sampled_from(["", ":ro", "/*"]),
)  # fmt: skip


@pytest.mark.deep
@settings(max_examples=by_depth(75, 300), deadline=None)
@given(_PATHS, st.data())
def test_no_value_of_what_is_harmless_is_root_or_a_socket(
    item: str, data: st.DataObject
) -> None:
    """Where an item is told as no root, neither is any value, nor is one a socket."""
    pattern = bind(item)
    value = data.draw(values(pattern))
    if pattern.fits(value):
        assert not root.SOCKET.fullmatch(value.removesuffix(":ro"))
        if not root.of_bind(item):
            assert not root.of_bind(value)


@pytest.mark.parametrize("name", ["docker", "podman", "containerd", "buildkitd", "crio"])  # fmt: skip
def test_no_hole_is_an_engines_socket(name: str) -> None:
    """Through a hole that its name would fit, an Engine's socket is refused."""
    hole = f"/srv/{{rand{len(name)}}}.sock"
    assert not bind(hole).fits(f"/srv/{name}.sock")
    assert not bind(f"{hole}:ro").fits(f"/srv/{name}.sock:ro")
    assert bind("/srv/{rand6}.sock").fits("/srv/abcdef.sock")


@pytest.mark.parametrize(
    ("binds", "is_root"),
    [
        ("/srv/{num},/srv/{num}/x", True),
        ("/srv/{num}:ro,/srv/{num}/x", False),
        ("/srv/app,/srv/{rand4}/x", False),
        ("/srv/apps,/srv/{rand4}/x", True),
        ("/srv/{hex8},/srv/{num}/x", True),
        ("/srv/{hex8},/srv/{hex7}/x", False),
        ("/srv/{rand8}/a,/srv/{rand8}/b", False),
        ("/srv/{rand8}/*", True),
        ("/var/srv/{uuid},/srv/{uuid}/x", True),
    ],
)  # fmt: skip
def test_a_link_planted_in_a_hole(binds: str, is_root: bool) -> None:
    """A bind that any value of a writable one holds is a way to root."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": binds})  # fmt: skip
    assert meaning_of(policy).is_root is is_root


# Two items, and whether the first is proven to hold all of the second.
WITHIN = [
    ("/srv/*{8}", "/srv/{rand8}", True),
    ("/srv/*", "/srv/{num}", True),
    ("/srv/*", "/srv/{uuid}", True),
    ("/srv/*{36}", "/srv/{uuid}", True),
    ("/srv/*{8}", "/srv/{num}", False),
    ("/srv/{rand8}", "/srv/{hex8}", True),
    ("/srv/{hex8}", "/srv/{rand8}", False),
    ("/srv/{hex8}", "/srv/{hex7}", False),
    ("/srv/{num}", "/srv/{uid}", True),
    ("/srv/{num}", "/srv/{date}", False),
    ("/srv/*", "/srv/{date}", True),
    ("/srv/{rand8}", "/srv/*{8}", False),
    ("/srv/{num}", "/srv/17", True),
    ("/srv/{num}", "/srv/x", False),
    ("/srv/{uuid}/*", "/srv/{uuid}/a/b", True),
    ("/srv/a-{rand8}", "/srv/a-{hex4}{hex4}", True),
]


@pytest.mark.parametrize(("wide", "narrow", "is_within"), WITHIN)
def test_holes_are_compared_by_all_their_values(
    wide: str, narrow: str, is_within: bool
) -> None:
    """Inclusion is the same walk for holes as for stars."""
    found = beyond(limits({"CREATE_BINDS": wide}), limits({"CREATE_BINDS": narrow}), LIMITS)  # fmt: skip
    assert (not list(found)) is is_within


@pytest.mark.deep
def test_long_lists_of_holes_are_compared_at_once() -> None:
    """A hundred items of long holes are proven to be within as many others."""
    wide = ",".join(f"/srv/{n}/{{rand64}}/{{uuid}}" for n in range(100))
    narrow = ",".join(f"/srv/{n}/{{hex64}}/{{uuid}}" for n in range(100))
    found = beyond(limits({"CREATE_BINDS": wide}), limits({"CREATE_BINDS": narrow}), LIMITS)  # fmt: skip
    assert not list(found)


@given(st.sampled_from(sorted(CLASSES)), st.sampled_from(sorted(CLASSES)), st.data())
def test_places_meet_if_a_value_is_in_both(
    one: str, other: str, data: st.DataObject
) -> None:
    """Two places with holes that share a value are known to meet."""
    value = data.draw(values(bind(f"/srv/{one}"))).removesuffix(":ro")
    if bind(f"/srv/{other}").fits(value):
        found = [
            places.place(a).meets(places.place(b))
            for a in with_holes(f"/srv/{one}", TAG)
            for b in with_holes(f"/srv/{other}", TAG)
        ]
        assert any(found)


def test_made_names_pass_through_their_holes() -> None:
    """What the usual makers make has a hole that fits it."""
    assert bind("/srv/{uuid}").fits(f"/srv/{uuid.UUID(int=7)}")
    assert HOLE.fullmatch("{rand8}")
    assert bind("/tmp/tmp{rand8}").fits("/tmp/tmpa9_81kq0")
    assert bind("/tmp/tmp.{rand10}").fits("/tmp/tmp.Ab12Cd34Ef")
    assert set(string.ascii_letters + string.digits + "_") == {
        c for c in map(chr, range(128)) if bind("/tmp/{rand4}").fits(f"/tmp/{c * 4}")
    }
