"""A policy in the words of another proxy, judged by that proxy's own rules."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge.judging import REACHABLE, of_table
from trioproxy.api.target import Target
from trioproxy.file.envfile import parse
from trioproxy.file.incumbents import LINUXSERVER, TECNATIVA
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.rules import Policy
from trioproxy.review.translate import Exported, Proxy, export

NAMES = REACHABLE
COVERED = {
    "DebugPprofNamed": {
        "DebugPprofCmdline", "DebugPprofProfile", "DebugPprofSymbol", "DebugPprofTrace",
    },
    "LibpodArtifactDelete": {"LibpodArtifactDeleteAll"},
    "LibpodImageDelete": {"LibpodImageDeleteAll"},
    "LibpodManifestCreate": {"LibpodManifestPush"},
    "LibpodNetworkInspect": {"LibpodNetworkList"},
    "PluginInspectLegacy": {"GetPluginPrivileges", "PluginInspect"},
}  # fmt: skip
"""Templates whose parameter covers literal routes, in a language without exceptions."""

Judge = Callable[[str, str], bool]


def exact(*names: str) -> Policy:
    """A policy of a list."""
    return parse_policy({"ALLOW_OPERATIONS": ",".join(names)})[0]


def reader_of(proxy: Proxy, text: str) -> Judge:
    """The other proxy, with the exported text as its configuration."""
    if proxy is Proxy.CETUSGUARD:
        rules = [line.split(" ", 1) for line in text.splitlines() if line[0] != "!"]
    else:
        lines = [line for line in text.splitlines() if line[0] != "#"]
        pairs = [line.split("=", 1) for line in lines]
        if proxy in {Proxy.TECNATIVA, Proxy.LINUXSERVER}:
            one = TECNATIVA if proxy is Proxy.TECNATIVA else LINUXSERVER
            variables = parse(text, name="x")
            return lambda method, path: one.allows(variables, method, path)
        rules = [[name.split("_")[2], pattern] for name, pattern in pairs]
    compiled = [(method, re.compile(f"^{pattern}$")) for method, pattern in rules]
    return lambda method, path: any(
        method == wanted and pattern.match(path) for wanted, pattern in compiled
    )


def over_grants(policy: Policy, exported: Exported, proxy: Proxy) -> set[str]:
    """The operations of the table that the other proxy opens beyond the policy.

    Where a file for an incumbent opens nothing of Podman by name, its routes are left out.
    """
    judge = reader_of(proxy, exported.text)
    speaks = proxy not in {Proxy.TECNATIVA, Proxy.LINUXSERVER} or any(
        re.match(r"LIBPOD_\w+=1\Z", line) for line in exported.text.splitlines()
    )
    opened = {
        request.operation
        for request in of_table(podman=speaks)
        if judge(request.method, request.target.path)
    }
    return opened - policy.opened_operations


@pytest.mark.parametrize("proxy", Proxy)
@settings(max_examples=30, deadline=None)
@given(names=st.sets(st.sampled_from(NAMES), max_size=8))
def test_what_was_learned_passes_there(proxy: Proxy, names: set[str]) -> None:
    """All that the policy allows is allowed there, with a version and without."""
    policy = exact(*names)
    exported = export(policy, proxy, source="app.env")
    judge = reader_of(proxy, exported.text)
    for request in of_table():
        if request.operation in names and request.operation not in exported.missing:
            path = request.target.path
            assert judge(request.method, path), request
            assert judge(request.method, f"/v1.45{path}"), request


@pytest.mark.parametrize("proxy", Proxy)
@settings(max_examples=30, deadline=None)
@given(names=st.sets(st.sampled_from(NAMES), max_size=8))
def test_over_grants_are_told(proxy: Proxy, names: set[str]) -> None:
    """What the other proxy opens beyond the policy is exactly what is reported."""
    policy = exact(*names)
    exported = export(policy, proxy, source="app.env")
    assert set(exported.over) == over_grants(policy, exported, proxy)


@pytest.mark.deep
@pytest.mark.parametrize("proxy", [Proxy.WOLLOMATIC, Proxy.CETUSGUARD])
@pytest.mark.parametrize("name", NAMES[:: by_depth(4, 1)])
def test_regular_expressions_are_exact(proxy: Proxy, name: str) -> None:
    """A rule for one route opens no other, where expressions can tell the two apart."""
    policy = exact(name)
    exported = export(policy, proxy, source="app.env")
    assert over_grants(policy, exported, proxy) == COVERED.get(name, set())
    assert exported.missing == ()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("GET", "/images/a/b/c:1.2@sha256:00/json", True, id="image"),
        pytest.param("GET", "/images/../containers/json", False, id="climbing"),
        pytest.param(
            "GET", "/images/a/../../containers/x/json", False, id="climbing-2"
        ),
        pytest.param("GET", "/images//json", False, id="empty"),
        pytest.param("GET", "/imagesXjson", False, id="dot"),
        pytest.param("GET", "/v1.45/images/x/json", True, id="version"),
        pytest.param("GET", "/v2/images/x/json", False, id="other-version"),
        pytest.param("GET", "/x/images/a/json", False, id="anchored-left"),
        pytest.param("GET", "/images/a/json/x", False, id="anchored-right"),
        pytest.param("POST", "/images/a/json", False, id="method"),
        pytest.param("GET", "/new/a/b", True, id="route"),
        pytest.param("HEAD", "/new/a/b", True, id="route-head"),
        pytest.param("GET", "/new/a/c/b", False, id="route-one-segment"),
    ],
)
@pytest.mark.parametrize("proxy", [Proxy.WOLLOMATIC, Proxy.CETUSGUARD])
def test_patterns_mean_whole_paths(
    proxy: Proxy, method: str, path: str, allowed: bool
) -> None:
    """An id is a segment, an image name several, and no path climbs out of its route."""
    policy = exact("ImageInspect", "GET:/new/{x}/b")
    judge = reader_of(proxy, export(policy, proxy, source="app.env").text)
    assert judge(method, path) is allowed


def test_options_follow_the_sections_that_are_open() -> None:
    """Under section variables OPTIONS is open below them only."""
    policy, _ = parse_policy({"IMAGES": "1", "POST": "1"})
    judge = reader_of(
        Proxy.WOLLOMATIC, export(policy, Proxy.WOLLOMATIC, source="x").text
    )
    assert judge("OPTIONS", "/images/anything/at/all")
    assert not judge("OPTIONS", "/containers/json")


def test_a_verb_alone_suffices_where_the_target_has_it() -> None:
    """linuxserver restarts containers without POST=1; tecnativa cannot."""
    policy = exact("ContainerRestart")
    lsio = export(policy, Proxy.LINUXSERVER, source="app.env")
    assert "POST=0\n" in lsio.text
    assert set(lsio.over) == {"ContainerKill", "ContainerStop"}
    assert "POST=1\n" in export(policy, Proxy.TECNATIVA, source="app.env").text


def test_a_pause_policy_opens_no_section_in_tecnativa() -> None:
    """tecnativa 0.5 has a verb for pausing, so `CONTAINERS` stays closed there."""
    exported = export(exact("ContainerPause"), Proxy.TECNATIVA, source="app.env")
    head, *lines = exported.text.splitlines()
    assert head.endswith("for tecnativa/docker-socket-proxy 0.5.0")
    ones = {line for line in lines if line.endswith("=1")}
    assert ones == {"ALLOW_PAUSE=1", "POST=1"}
    assert exported.over == ()


@pytest.mark.parametrize("proxy", [Proxy.TECNATIVA, Proxy.LINUXSERVER])
def test_the_exported_file_starts_here_too(proxy: Proxy) -> None:
    """What is written for an incumbent is read here without a word."""
    text = export(exact("ContainerPause", "ImageList"), proxy, source="a.env").text
    policy, warnings = parse_policy(parse(text, name="x"))
    assert warnings == ()
    assert policy.opened_operations >= {"ContainerPause", "ImageList"}


def test_what_cannot_be_said_is_reported() -> None:
    """/debug has no variable; routes of newer engines have no expression."""
    exported = export(exact("DebugVars"), Proxy.TECNATIVA, source="app.env")
    assert exported.missing == ("DebugVars",)
    policy, _ = parse_policy({"IMAGES": "1"})
    exported = export(policy, Proxy.CETUSGUARD, source="app.env")
    assert "routes in IMAGES that this version does not know" in exported.missing


@pytest.mark.parametrize("proxy", Proxy)
def test_a_file_name_makes_no_line(proxy: Proxy) -> None:
    """The name of the file stands in a comment and cannot leave it."""
    text = export(exact("ImageList"), proxy, source="a\nPOST=1 $(x)").text
    plain = export(exact("ImageList"), proxy, source="a").text
    assert text.splitlines()[1:] == plain.splitlines()[1:]


def test_targets_are_real_paths() -> None:
    """The paths that the rules are tried with are those that the table matches."""
    assert all(Target.parse(one.target.raw) == one.target for one in of_table())
