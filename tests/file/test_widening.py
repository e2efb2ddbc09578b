"""A policy with more in its lists, as a person allows it for a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.file.widening import widened
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant

FILE = {
    "ALLOW_OPERATIONS": "ContainerList,GET:/frob/{id}",
    "CREATE_BINDS": "/srv/app,{base}/x",
    "CREATE_BASE": "/srv/base",
    "CREATE_IMAGES": "*",
    "ONLY_CONTAINERS": "@own,web",
    "ONLY_NETWORKS": "*",
    "ONLY_OWNER": "app",
}


def policy(variables: dict[str, str]) -> Policy:
    return parse_policy(variables)[0]


GRANTS: dict[str, tuple[Grant, dict[str, str]]] = {
    "ALLOW_OPERATIONS=VolumeList": (Grant("ALLOW_OPERATIONS", "VolumeList"), {"ALLOW_OPERATIONS": "ContainerList,VolumeList,GET:/frob/{id}"}),
    "CREATE_BINDS=/data": (Grant("CREATE_BINDS", "/data"), {"CREATE_BINDS": "/srv/app,{base}/x,/data"}),
    "CREATE_BINDS={base}/y": (Grant("CREATE_BINDS", "{base}/y"), {"CREATE_BINDS": "/srv/app,{base}/x,{base}/y"}),
    "CREATE_CAPS=SYS_TIME": (Grant("CREATE_CAPS", "SYS_TIME"), {"CREATE_CAPS": "SYS_TIME"}),
    "CREATE_IMAGES=app": (Grant("CREATE_IMAGES", "app"), {}),
    "ONLY_CONTAINERS=db": (Grant("ONLY_CONTAINERS", "db"), {"ONLY_CONTAINERS": "@own,web,db"}),
    "ONLY_CONTAINERS=web": (Grant("ONLY_CONTAINERS", "web"), {}),
    "ONLY_NETWORKS=front": (Grant("ONLY_NETWORKS", "front"), {}),
    "ONLY_VOLUMES=data": (Grant("ONLY_VOLUMES", "data"), {"ONLY_VOLUMES": "@own,data"}),
}  # fmt: skip


@given(names=st.lists(st.sampled_from(sorted(GRANTS)), unique=True))
def test_it_is_the_file_with_these_lines(names: list[str]) -> None:
    """What is allowed for a while is what the file would be with it: no more, and no less."""
    lists = dict(FILE)
    for name in names:
        for variable, value in GRANTS[name][1].items():
            before, after = lists.get(variable, "").split(","), value.split(",")
            new = [one for one in after if one not in before]
            old = after if variable not in lists else [*before, *new]
            lists[variable] = ",".join(old)
    made = widened(policy(FILE), [GRANTS[name][0] for name in names])
    assert made == policy(lists)
    assert made.fingerprint == policy(lists).fingerprint
    assert made.opened_operations == policy(lists).opened_operations


def test_an_item_that_is_listed_is_not_listed_twice() -> None:
    """Nor is what somebody allows a second time."""
    more = [Grant("ONLY_CONTAINERS", "db")] * 2
    both = widened(widened(policy(FILE), more), more)
    assert "ONLY_CONTAINERS=@own,web,db" in both.objects.lines


def test_a_network_that_stands_in_goes_on_standing_in() -> None:
    """What the file says beside its lists is said as before."""
    file = {**FILE, "ONLY_NETWORKS": "front", "CREATE_NETWORK": "front"}
    file |= {"ALLOW_OPERATIONS": "ContainerList", "REDACT": "env"}
    made = widened(policy(file), [Grant("ONLY_CONTAINERS", "db")])
    assert (made.objects.network, made.objects.owner) == ("front", "app")
    assert made.hides == policy(file).hides


@pytest.mark.parametrize(
    ("grant", "file"),
    [
        (Grant("ALLOW_OPERATIONS", "Frob"), FILE),
        (Grant("ALLOW_OPERATIONS", "GET:/frob/{id}/x"), FILE),
        (Grant("ONLY_CONTAINERS", "*"), FILE),
        (Grant("ONLY_CONTAINERS", "w*"), FILE),
        (Grant("ONLY_CONTAINERS", "@own"), FILE),
        (Grant("REDACT", "none"), FILE),
        (Grant("POST", "1"), FILE),
        (Grant("CREATE_BINDS", "srv"), FILE),
        (Grant("ONLY_CONTAINERS", "db"), {"ALLOW_OPERATIONS": "ContainerList"}),
        (Grant("ALLOW_OPERATIONS", "VolumeList"), {"CONTAINERS": "1"}),
    ],
    ids=str,
)
def test_what_no_list_of_the_file_can_hold(grant: Grant, file: dict[str, str]) -> None:
    """A star that a client wrote, a list that the file has not, a policy of sections."""
    as_it_is = policy(file)
    with pytest.raises(ConfigError):
        widened(as_it_is, [grant])
