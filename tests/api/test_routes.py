import re
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.derived import columns
from trioproxy.api import normal, podman, routes
from trioproxy.api.matched import Request, with_segments
from trioproxy.api.routes import (
    ENDPOINTS,
    LIBPOD_SECTIONS,
    MEANINGS,
    OPERATIONS,
    SECTIONS,
    Endpoint,
    Files,
    Risk,
    Stream,
    match,
    section_of,
)
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget

ROUTES = Path(__file__).parent.parent / "data" / "routes.tsv"
ONLY_HTTP2 = "BuildKitGrpc"
NO_VARIABLE = {
    "ANY",
    "DEBUG",
    *(f"LIBPOD_{name}" for name in ("ARTIFACTS", "BUILD", "COMMIT", "KUBE", "LOCAL")),
    *(f"LIBPOD_{name}" for name in ("QUADLETS", "SWAGGER")),
}
"""Sections that no other proxy has a variable for."""


def operation(method: str, raw: bytes) -> str | None:
    endpoint = match(method, Target.parse(raw))
    return endpoint.operation if endpoint else None


def fill(template: str, value: str) -> bytes:
    return with_segments(template, value).encode()


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.template}"


SERVED = [e for e in ENDPOINTS if e.operation != ONLY_HTTP2]


def test_the_table_is_complete() -> None:
    """Every route that an Engine of any version has is in the table, and no other."""
    lines = ROUTES.read_text().splitlines()[1:]
    assert sorted("\t".join(columns(one)) for one in ENDPOINTS) == sorted(lines)
    operations, sections = zip(*(line.split("\t")[2:4] for line in lines), strict=True)
    assert set(OPERATIONS) == set(operations)
    assert {*SECTIONS, *LIBPOD_SECTIONS} == {*sections} - NO_VARIABLE


def import_with(found: str, other: str, folder: Path, podmans: str = "") -> None:
    """Import a copy of the table, in which one row has something else."""
    source, copy = Path(routes.__file__).read_text(), folder / "routes.py"
    assert source.count(found) == 1
    copy.write_text(source.replace(found, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(podman), "TABLE", podmans)  # the import took it away
        runpy.run_path(str(copy))


PUT = "PutContainerArchive      write  upload         unpacks names  -   only         --r----- host-root "
GET = "SwarmInspect             read   none           -       any    -   open         -------r host-root "
LOGS = "ContainerLogs            read   follow         -       names  -   -            -------o secret-leak "
COLUMNS = ("write ", "upload ", "unpacks", "names ", "-   only", "only", "--r-----")


@pytest.mark.parametrize("column", [*COLUMNS, "host-root"])
def test_a_row_says_all_of_it(column: str, tmp_path: Path) -> None:
    """A row that leaves a column out is no row: nothing is imported, so nothing is served."""
    without = PUT.replace(column, "only" if column == "-   only" else "")
    with pytest.raises((ValueError, TypeError, KeyError, AssertionError)):
        import_with(PUT, without, tmp_path)
    import_with(PUT, PUT, tmp_path)


LIES = {
    "no such word": (PUT, "unpacks", "undoes", "is not a valid Files"),
    "no such letter": (PUT, "--r-----", "--y-----", "y says nothing of reach"),
    "a letter too few": (PUT, "--r-----", "--r----", "missing"),
    "a letter too many": (PUT, "--r-----", "--r------", "takes 9"),
    "a letter in another's place": (PUT, "--r-----", "r-------", "nothing of post"),
    "a name in the path": (PUT, "names", "-    ", "names just what stands"),
    "no name in the path": (GET, "any  ", "names", "no objects that it could name"),
    "files of a container": (PUT, "--r-----", "--------", "does not reach into it"),
    "root, and no word of it": (GET, "open", "-   ", "is root, and says neither"),
    "any objects": (GET, "any", "-  ", "others reach any"),
    "a read that needs POST": (PUT, "--r-----", "p-r-----", "needs POST by its method"),
    "what is not read": (PUT, "-   only", "c   only", "in what is not read"),
    "no container": (GET, "-------r", "--r----r", "and names none"),
    "a secret, and no word of it": (
        LOGS,
        "-------o",
        "--------",
        "reads secrets, and says nothing",
    ),
    "nothing that could run": (GET, "-------r", "---w---r", "and names none"),
}


@pytest.mark.parametrize(("row", "said", "lie", "why"), LIES.values(), ids=LIES)
def test_a_row_that_belies_itself_does_not_import(
    row: str, said: str, lie: str, why: str, tmp_path: Path
) -> None:
    """What one column says must not be less than what another shows."""
    with pytest.raises((ValueError, TypeError, AssertionError), match=why):
        import_with(row, row.replace(said, lie), tmp_path)


OTHERS = {
    "writes by GET": ("ContainerAttachWebsocket write  websocket      -       names  -   -            p-e-x--", "p", "-", "passes without POST"),
    "two rows": ("/containers/{id}/stop                      ContainerStop ", "Stop ", "Start", "says otherwise"),
    "no mark": ("VolumeCreate             write  none           -       makes  v   create       ------b", "b", "-", "is not marked"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "said", "lie", "why"), OTHERS.values(), ids=OTHERS)
def test_rows_that_belie_one_another_do_not_import(
    row: str, said: str, lie: str, why: str, tmp_path: Path
) -> None:
    """A GET that writes needs POST, what is made is marked, two routes of one operation agree."""
    changed = lie.join(row.rpartition(said)[::2])
    with pytest.raises(AssertionError, match=why):
        import_with(row, changed, tmp_path)


def test_podmans_rows_are_checked(tmp_path: Path) -> None:
    """A row of Podman's says all of it, too, and that it reaches any objects."""
    table = runpy.run_path(podman.__file__)["TABLE"]
    import_with(PUT, PUT, tmp_path, podmans=table)
    row = "LibpodPodStart              write none           fills   any "
    assert row in table
    for said, lie in ((" any ", " -   "), (" any ", " ")):
        podmans = table.replace(row, row.replace(said, lie))
        with pytest.raises((ValueError, AssertionError)):
            import_with(PUT, PUT, tmp_path, podmans=podmans)


OF_A_CONTAINER = re.compile(
    r"(?:/libpod)?/(?:containers/\{|commit|build\b|local/build)"
)
MOVING = {Stream.DOWNLOAD, Stream.UPLOAD, Stream.UPLOAD_FOLLOW}


def test_what_moves_files_of_a_container_says_so() -> None:
    """A route that takes files out of a container, or puts some in, has a word for that."""
    moving = [
        one
        for one in ENDPOINTS
        if OF_A_CONTAINER.match(one.template)
        and (one.stream in MOVING or re.search("commit|checkpoint$", one.template))
        and one.operation not in {"CheckpointList", "ContainerCopyLegacy"}
    ]
    assert len(moving) > 10
    assert [one for one in moving if one.files in {Files.NONE, Files.LOOKS}] == []
    assert OPERATIONS["ContainerCopyLegacy"][0].summary.startswith("answers 404")


def test_summaries_are_short_lines() -> None:
    """Each summary fits in a comment of an env file."""
    for endpoint in ENDPOINTS:
        assert 0 < len(endpoint.summary) <= 60
        assert endpoint.summary.isascii()
        assert endpoint.summary.isprintable()


def test_what_people_read_of_a_route() -> None:
    """The worst that it does stands in capitals, and that the Engine connects; what lists
    hold is told without what they take away."""
    marks = {name: rows[0].marks for name, rows in OPERATIONS.items()}
    assert marks["ContainerCreate"] == "HOST-ROOT"
    assert marks["ImageDelete"] == "DESTRUCTIVE"
    assert marks["DistributionInspect"] == "info-leak, connects"
    assert marks["ContainerPause"] == "availability"
    assert OPERATIONS["ContainerCreate"][0].held == "makes a container"
    assert OPERATIONS["ContainerPause"][0].held == "freezes a container"
    assert [*MEANINGS] == [*reversed(Risk)]
    words = ["root", "removes", "disturbs", "secrets", "reads", "harmless"]
    assert all(one in said for one, said in zip(words, MEANINGS.values(), strict=True))


def test_operations_are_sorted_and_hold_every_route() -> None:
    """Operations are found by name, in order, each with all of its routes."""
    assert list(OPERATIONS) == sorted(OPERATIONS)
    assert {e for group in OPERATIONS.values() for e in group} == set(ENDPOINTS)
    assert [e.template for e in OPERATIONS["NetworkList"]] == [
        "/networks",
        "/networks/",
    ]


@pytest.mark.parametrize("version", ["", "/v1.45"], ids=["bare", "versioned"])
@pytest.mark.parametrize("endpoint", SERVED, ids=name)
def test_each_route_is_matched_by_its_own_row(endpoint: Endpoint, version: str) -> None:
    """A filled-in template is matched by its own row, with and without a version."""
    method = "LOCK" if endpoint.method == "ANY" else endpoint.method
    if version and endpoint.is_podmans:
        version = "/v5.4.2"
    target = Target.parse(version.encode() + fill(endpoint.template, "abc"))
    assert match(method, target) is endpoint


@pytest.mark.parametrize("endpoint", SERVED, ids=name)
def test_only_parameters_of_some_sections_hold_slashes(endpoint: Endpoint) -> None:
    """A slash inside a parameter stays in the route only where the Engine says `.*`."""
    if "{" not in endpoint.template:
        assert not endpoint.takes_slashes
        return
    raw = fill(endpoint.template, "a/b")
    method = "LOCK" if endpoint.method == "ANY" else endpoint.method
    found = match(method, Target.parse(raw))
    assert (found is endpoint) == endpoint.takes_slashes


@pytest.mark.parametrize(
    ("method", "raw", "expected"),
    [
        ("GET", b"/containers/json/logs", "ContainerLogs"),
        ("POST", b"/containers/prune/start", "ContainerStart"),
        ("GET", b"/images/get/json", "ImageInspect"),
        ("POST", b"/images/load/push", "ImagePush"),
        ("POST", b"/networks/create/connect", "NetworkConnect"),
        ("GET", b"/containers/a/b/json", "ContainerInspect"),
        ("GET", b"/containers/a/logs/json", "ContainerInspect"),
        ("GET", b"/containers/a/attach/ws", "ContainerAttachWebsocket"),
        ("DELETE", b"/containers/x/anything", "ContainerDelete"),
        ("DELETE", b"/containers/a/checkpoints/b", "CheckpointDelete"),
        ("DELETE", b"/containers/a/b/checkpoints/c", "ContainerDelete"),
        ("DELETE", b"/containers/a/checkpoints/b/c", "ContainerDelete"),
        ("DELETE", b"/containers/a/checkpoints", "ContainerDelete"),
        ("GET", b"/containers/a/b/checkpoints", "CheckpointList"),
        ("GET", b"/networks/a/connect", "NetworkInspect"),
        ("GET", b"/networks/", "NetworkList"),
        ("GET", b"/plugins/privileges", "GetPluginPrivileges"),
        ("GET", b"/plugins/a/json", "PluginInspect"),
        ("GET", b"/plugins/json", "PluginInspectLegacy"),
        ("GET", b"/debug/pprof/", "DebugPprofIndex"),
        ("GET", b"/debug/pprof/trace", "DebugPprofTrace"),
        ("GET", b"/debug/pprof/heap", "DebugPprofNamed"),
        ("GET", b"/images/registry:5000/a/b/json", "ImageInspect"),
        ("GET", b"/images/foo%2Fbar/json", "ImageInspect"),
        ("GET", b"/containers%2Fx/json", "ContainerInspect"),
        ("DELETE", b"/images/a%2Fb", "ImageDelete"),
        ("GET", b"/networks/a%2Fb", "NetworkInspect"),
        ("GET", b"/containers/%85%ff/json", "ContainerInspect"),
        ("GET", b"/%63ontainers/%6ason", "ContainerList"),
        ("GET", b"/libpod/_ping", "LibpodPing"),
        ("GET", b"/v5.4.2/libpod/containers/json", "LibpodContainerList"),
        ("GET", b"/v1.12/libpod/containers/json", "LibpodContainerList"),
        ("GET", b"/v4.9.3/libpod/containers/json/logs", "LibpodContainerLogs"),
        (
            "GET",
            b"/v4.9.3/libpod/containers/json/healthcheck",
            "LibpodContainerHealthcheck",
        ),
        ("GET", b"/v4.9.3/%6cibpod/%63ontainers/x/json", "LibpodContainerInspect"),
        ("POST", b"/v5.0.0/libpod/images/scp/x/tag", "LibpodImageTag"),
        ("POST", b"/v5.0.0/libpod/images/scp/x/push", "LibpodImagePush"),
        ("POST", b"/v5.0.0/libpod/images/scp/host::x", "LibpodImageScp"),
        ("GET", b"/v5.0.0/libpod/images/foo%2Fbar/json", "LibpodImageInspect"),
        ("DELETE", b"/v5.0.0/libpod/images/remove", "LibpodImageDeleteAll"),
        ("DELETE", b"/v5.0.0/libpod/artifacts/remove", "LibpodArtifactDeleteAll"),
        ("POST", b"/v5.0.0/libpod/manifests/create", "LibpodManifestCreate"),
        ("POST", b"/v5.0.0/libpod/manifests/x/add", "LibpodManifestCreate"),
        ("POST", b"/v5.0.0/libpod/manifests/x/registry/y", "LibpodManifestPush"),
        ("GET", b"/v5.0.0/libpod/networks/json", "LibpodNetworkList"),
        ("GET", b"/v5.0.0/libpod/networks/x", "LibpodNetworkInspect"),
    ],
)
def test_greedy_routes(method: str, raw: bytes, expected: str) -> None:
    """A request is classified by the whole template, as the Engine does."""
    assert operation(method, raw) == expected


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", b"/INFO"),
        ("get", b"/info"),
        ("POST", b"/info"),
        ("PATCH", b"/containers/json"),
        ("TRACE", b"/info"),
        ("GET", b"/infox"),
        ("GET", b"/info;x"),
        ("GET", b"/info%20"),
        ("GET", b"/info%3Fx"),
        ("GET", b"/services/a/b"),
        ("GET", b"/containers"),
        ("GET", b"/containers/x"),
        ("GET", b"/containers/x/unheard-of"),
        ("GET", b"/v1.45/v1.45/info"),
        ("GET", b"/v/info"),
        ("GET", b"/_trioproxy/health"),
        ("POST", b"/moby.buildkit.v1.Control/Solve"),
        ("GET", b"/debug"),
        ("GET", b"/debug/pprof/a/b"),
        ("HEAD", b"/build"),
        ("GET", b"/libpod"),
        ("GET", b"/v5.0.0/libpod/INFO"),
        ("GET", b"/v5.0.0/libpod/containers/a/b/json"),
        ("DELETE", b"/v5.0.0/libpod/containers/a/b"),
        ("POST", b"/v5.0.0/libpod/containers/a/b/stop"),
        ("POST", b"/v5.0.0/libpod/info"),
        ("GET", b"/v5.0.0/libpod/libpod/info"),
    ],
)
def test_unknown_routes(method: str, raw: bytes) -> None:
    """A route that the Engine does not have is no endpoint, whatever it resembles."""
    assert operation(method, raw) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/_ping", "SystemPingHead"),
        (b"/containers/a/archive", "ContainerArchiveInfo"),
        (b"/info", "SystemInfo"),
        (b"/networks/", "NetworkList"),
        (b"/debug/vars", "DebugVars"),
        (b"/libpod/_ping", "LibpodPingHead"),
        (b"/v5.0.0/libpod/containers/a/archive", "LibpodContainerArchiveInfo"),
        (b"/v5.0.0/libpod/info", "LibpodInfo"),
    ],
)
def test_head(raw: bytes, expected: str) -> None:
    """HEAD is its own route where there is one, else the GET route."""
    assert operation("HEAD", raw) == expected


def test_debug_takes_any_method() -> None:
    """Old engines serve /debug whatever the method, so any token is that operation."""
    for method in ("POST", "DELETE", "ANY", "x"):
        assert operation(method, b"/debug/pprof/heap") == "DebugPprofNamed"


@pytest.mark.parametrize("raw", [b"/info", b"/debug/vars", b"/x/y", b"/a%2Fb"])
def test_options(raw: bytes) -> None:
    """OPTIONS is one operation on every path."""
    assert operation("OPTIONS", raw) == "SystemOptions"


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", b"/info/"),
        ("GET", b"/containers/json/"),
        ("GET", b"/volumes/"),
        ("DELETE", b"/containers/x/"),
        ("DELETE", b"/containers/x%2F"),
        ("DELETE", b"/networks/"),
        ("GET", b"/networks/x/"),
        ("GET", b"/debug/pprof/heap/"),
        ("OPTIONS", b"/info/"),
        ("GET", b"/unheard/of/"),
        ("POST", b"/v5.0.0/libpod/manifests/"),
        ("GET", b"/libpod/"),
    ],
)
def test_trailing_slash(method: str, raw: bytes) -> None:
    """A trailing slash is refused wherever the table has none."""
    with pytest.raises(BadTarget, match="no route ends in a slash"):
        operation(method, raw)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", b"/containers%2Fjson?secret"),
        ("GET", b"/v1.45%2finfo"),
        ("GET", b"/networks%2F"),
        ("GET", b"/services/a%2Fb"),
        ("GET", b"/services/a%2Flogs"),
        ("GET", b"/debug/pprof%2Fheap"),
        ("DELETE", b"/containers/a%2Fcheckpoints/b"),
        ("GET", b"/unheard%2Fof"),
        ("GET", b"/v5.0.0/libpod/containers/a%2Fjson"),
        ("GET", b"/v5.0.0%2Flibpod/info"),
        ("GET", b"/libpod%2Finfo"),
        ("DELETE", b"/v5.0.0/libpod/volumes/a%2Fb"),
    ],
)
def test_encoded_slash(method: str, raw: bytes) -> None:
    """An encoded slash is refused where no parameter of the route may hold one."""
    with pytest.raises(BadTarget, match="no route takes an encoded slash") as caught:
        operation(method, raw)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("section", [*SECTIONS, *LIBPOD_SECTIONS])
def test_sections(section: str) -> None:
    """A section variable covers the paths below its own segment, known or not."""
    podman, libpod, name = section.rpartition("LIBPOD_")
    assert not podman
    segment = "/_ping" if name == "PING" else f"/{name.lower()}"
    segment = f"/libpod{segment}" if libpod else segment
    assert section_of(segment) == section
    assert section_of(f"{segment}/x/unheard-of") == section
    assert section_of(f"{segment}x") is None
    assert section_of(f"/x{segment}") is None


@pytest.mark.parametrize(
    "path",
    [
        "/debug/vars",
        "/ping",
        "/PING",
        "/_PING",
        "/Containers/json",
        "/post",
        "/",
        "/libpod",
        "/libpod/",
        "/libpod/artifacts/json",
        "/libpod/build",
        "/libpod/commit",
        "/libpod/Containers/json",
        "/libpod/kube/play",
        "/libpod/local/build",
        "/libpod/quadlets",
        "/libpod/swagger",
        "/LIBPOD/containers/json",
        "/libpodx/containers/json",
        "/x/libpod/containers/json",
    ],
)
def test_no_section(path: str) -> None:
    """No variable covers /debug, another case, or what only resembles a section."""
    assert section_of(path) is None


@pytest.mark.parametrize(
    "endpoint", [e for e in SERVED if e.section != "ANY"], ids=name
)
def test_section_of_each_route(endpoint: Endpoint) -> None:
    """The section of a route is that of its path, so both ways of asking agree."""
    expected = None if endpoint.section in NO_VARIABLE else endpoint.section
    assert section_of(endpoint.template) == expected


SEGMENT = st.sampled_from(
    sorted({s for e in ENDPOINTS for s in e.template.split("/")[1:] if s})
)


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "ANY", "x"]),
    st.lists(SEGMENT, min_size=1, max_size=5),
    st.sampled_from(["/", "%2F"]),
)
def test_matching_never_crashes(method: str, segments: list[str], slash: str) -> None:
    """Any path of the Engine's own words is matched, unknown, or a `BadTarget`."""
    raw = "/" + slash.join(segments)
    try:
        endpoint = match(method, Target.parse(raw.encode()))
    except BadTarget:
        return
    assert endpoint is None or endpoint.method in {method, "GET", "ANY"}


@given(st.data(), st.sampled_from(SERVED))
def test_the_canonical_form_is_the_same_operation(
    data: st.DataObject, endpoint: Endpoint
) -> None:
    """What is sent on is matched by the endpoint that was judged."""
    value = data.draw(st.sampled_from(["a", "a%40b", "a:1", "%e9", "a%2Fb", "%252F"]))
    method = "GET" if endpoint.method == "ANY" else endpoint.method
    try:
        target = Target.parse(fill(endpoint.template, value))
        first = match(method, target)
    except BadTarget:
        return
    assert match(method, Target.parse(target.canonical)) is first


def test_nothing_is_kept_of_a_segment_that_is_the_clients_own() -> None:
    """Podman's routes are made when they are asked for: of what is none nothing is held, however often."""
    assert routes._find("GET", "/libpod/containers/json") is not None
    before = routes._ROUTES.keys() | set()
    for number in range(3):
        assert routes._find("GET", f"/libpod/frob{number}/json") is None
    assert routes._ROUTES.keys() == before


def test_a_name_of_any_bytes() -> None:
    """What is no text is a name all the same, and goes on as it came."""
    one = Request.parse("GET", b"/v1.45/containers/%FF%C3%A9/json")
    assert one.parameter == "\udcff\u00e9"
    assert normal.quote(one.parameter) == "%FF%C3%A9"
    assert normal.unquote("%FF%C3%A9") == one.parameter
    assert one.with_parameter("abc") == "/v1.45/containers/abc/json"
    assert one.target.canonical == b"/v1.45/containers/%FF%C3%A9/json"


def test_whose_answers_tell_which_images_were_made() -> None:
    """Those that are read as they pass, to hide the rest of what is there."""
    makes = {one.operation for one in ENDPOINTS if one.makes_images}
    assert makes == {"ImageBuild", "ImageCommit"}
