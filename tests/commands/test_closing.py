"""What the table at the end of learning says of lists: what in them is new, and whose it was."""

from trioproxy.api.families import Family
from trioproxy.commands.closing import _asked, _named
from trioproxy.evidence.seen import Evidence
from trioproxy.judge.power import Powers
from trioproxy.learning.learnedfile import policy_of
from trioproxy.learning.lists import Lists
from trioproxy.learning.only import ObjectLists
from trioproxy.limits.grant import Grant


def test_lists_of_objects() -> None:
    """A list with a new item is new, an owner is none, and what is the client's own is said to begin now."""
    lists = ObjectLists(
        values={
            "ONLY_CONTAINERS": "@own,db",
            "ONLY_VOLUMES": "data",
            "ONLY_NETWORKS": "",
            "ONLY_OWNER": "app",
        },
        counted={"ONLY_VOLUMES": "1 of others"},
    )
    known = frozenset(
        {Grant("ONLY_CONTAINERS", "db"), Grant("ONLY_VOLUMES", "data")},
    )
    assert [*_named(lists, known)] == [
        "they may name these alone; what is there already is not its own:",
        "  ONLY_CONTAINERS=@own,db  new",
        "  ONLY_VOLUMES=data  1 of others",
        "  ONLY_NETWORKS=",
        "  ONLY_OWNER=app",
    ]


def test_lists_of_values() -> None:
    """Each item with what is new about it and what it gives; then families of which nothing is listed."""
    values = {"CREATE_BINDS": "/etc,/srv/a", "EXEC_USERS": ""}
    lists = Lists(values=values, by_hand=frozenset({Grant("CREATE_BINDS", "/srv/a")}))
    powers = Powers(policy_of(frozenset({"ContainerCreate"}), values))
    known = frozenset({Grant("CREATE_BINDS", "/srv/a")})
    assert [*_asked(lists, Evidence(), known, powers)] == [
        "requests may ask for what is harmless, and for:",
        "  CREATE_BINDS=/etc  new, HOST-ROOT: is root's own",
        "  CREATE_BINDS=/srv/a  by hand",
        f"  nothing of {Family.EXEC}_*",
    ]
