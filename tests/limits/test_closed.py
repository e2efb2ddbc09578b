"""What somebody forgets to say does not import: each table is edited as text, and loaded."""

import shutil
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

import trioproxy
from trioproxy.api import arguments
from trioproxy.api.families import Kind
from trioproxy.errors import BadBody, Untold
from trioproxy.limits import things

TABLE = "trioproxy.api.fields"
READERS = "trioproxy.api.readers"
REFERENCES = "trioproxy.judge.references"
MEANING = "trioproxy.judge.meaning"
SORTS = "trioproxy.limits.sorts"
TAG = '"tag": Sort(lambda text, *_: image_of(text), '
VARIABLES = "trioproxy.api.families"


def load(name: str, old: str = "", new: str = "") -> types.ModuleType:
    """Load a module anew, with one edit of its source."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    assert source.count(old) >= 1 or not old
    module = types.ModuleType(name)
    # What the edit is of is not what others have imported.
    exec(compile(source.replace(old, new, 1), name, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    "name", [TABLE, READERS, REFERENCES, MEANING, SORTS, VARIABLES]
)
def test_as_it_is_it_loads(name: str) -> None:
    """Without an edit nothing is missing."""
    load(name)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        pytest.param(TABLE, "AutoRemove- ", "AutoRemove- Frob ", "Frob: say who reads it", id="a field without a sign"),
        pytest.param(TABLE, "AutoRemove- ", "AutoRemove- Frob>- ", "nobody is called -", id="a field with two"),
        pytest.param(TABLE, "Binds>binds", "Binds>bind", "nobody is called bind", id="a reader that is none"),
        pytest.param(TABLE, "Privileged>privileged ", "Privileged>caps ", "caps does not read a flag", id="a reader of another kind"),
        pytest.param(TABLE, "CREATE_PRIVILEGED flag ", "CREATE_PRIVILEGED text ", "does not read a flag", id="a kind too few"),
        pytest.param(TABLE, "CREATE_PRIVILEGED flag", "CREATE_POWER      flag", "nothing is called CREATE_POWER", id="a variable that is none"),
        pytest.param(TABLE, "Mounts:Mount>mounts@mounts", "Mounts:Mount@mounts", "nobody reads what holds Type", id="told with nobody"),
        pytest.param(TABLE, "RestartPolicy:RestartPolicy", "RestartPolicy-", "a struct holds no struct", id="a struct of nothing"),
        pytest.param(TABLE, "dockerfile>build-file", "dockerfile", "dockerfile: say who reads it", id="a key without a sign"),
        pytest.param(TABLE, "dockerfile>build-file", "dockerfile>binds", "binds does not read a text", id="a key of another kind"),
        pytest.param(TABLE, '"SecretInspect": P', '"SecretInspct": P', "SecretInspct: showsecret is no key", id="a key of Podman's for no operation"),
        pytest.param(TABLE, 'Podmans("destination"', 'Podmans("tag"', "tag is no key that Podman alone reads", id="one that Docker reads"),
        pytest.param(TABLE, "ImageTag  ", "ContainerKill  ", "its route says that nothing limits it", id="an operation that nothing limits"),
        pytest.param(TABLE, "ImageTag         repo>tag tag>with-parent force-\n", "", "ImageTag is limited as its route does not say", id="an operation that nobody reads"),
        pytest.param(TABLE, "t*>build-tag ", "", "ImageBuild is limited as its route does not say", id="a family too many"),
        pytest.param(TABLE, "tag>push-tag", "tag>push-tag@network", "its route says that it names nothing", id="a name that no route tells of"),
        pytest.param(MEANING, '"h": "reads any file of the host",', "", "has no reason", id="a letter without a reason"),
        pytest.param(READERS, '"caps": _caps,', "", "caps", id="a reader without code"),
        pytest.param(REFERENCES, '"binds": _binds,', "", "binds", id="a finder without code"),
        pytest.param(SORTS, f"{TAG}nothing, str, nothing, Varies.IMAGE),", "", "tag", id="a variable of no sort"),
        pytest.param(SORTS, f"{TAG}nothing, ", TAG, "missing 1 required", id="a sort without root"),
        pytest.param(SORTS, TAG, '"tag": Sort(', "missing 1 required", id="a sort without a form"),
        pytest.param(SORTS, 'nothing, Varies.IMAGE),', "Varies.IMAGE),", "missing 1 required", id="a sort without words"),
        pytest.param(SORTS, "Varies.IMAGE),", "),", "missing 1 required", id="a sort of which nobody knows how it varies"),
        pytest.param(VARIABLES, "CREATE_TAGS        family", "CREATE_TAGS", "CREATE_TAGS: say when", id="a variable that limits nobody knows when"),
        pytest.param(VARIABLES, "CREATE_TAGS ", "CRATE_TAGS ", "CRATE", id="a variable of no family"),
        pytest.param(VARIABLES, "tag        names of images that are written or pushed", "tag", "not enough values", id="a variable without words"),
    ],
)  # fmt: skip
def test_what_is_forgotten_does_not_load(
    name: str, old: str, new: str, says: str
) -> None:
    """A field without its sign, a reader with a kind too few, a sort without root."""
    with pytest.raises((AssertionError, TypeError, ValueError), match=says):
        load(name, old, new)


@pytest.mark.parametrize("value", [False, 0, 1, 1.5, "", "x", [], ["x"], [None], {}, {"a": "b"}, {"a": None}, True])  # fmt: skip
@pytest.mark.parametrize("read", [arguments.text_of, arguments.texts_of, arguments.structs_of, arguments.list_of, arguments.map_of])  # fmt: skip
def test_another_kind_is_not_nothing(read: object, value: object) -> None:
    """What a reader does not expect is refused; nothing is asked for by what is not there."""
    assert callable(read)
    assert not read(None)
    try:
        found = read(value)
    except BadBody:
        return
    assert found == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.CONTAINER, {"Id": "a" * 64, "Name": "x", "Config": [], "HostConfig": {}}),
        (Kind.CONTAINER, {"Id": "a" * 64, "Name": "x", "Config": {}, "HostConfig": ""}),
        (Kind.CONTAINER, {"Id": "a" * 64, "Name": "x", "Config": {"Labels": {"a": 1}}, "HostConfig": {}}),
        (Kind.CONTAINER, {"Id": "a" * 64, "Name": "x", "Config": {}, "HostConfig": {}, "Mounts": {}}),
        (Kind.CONTAINER, {"Id": "a" * 64, "Name": "x", "Config": {}, "HostConfig": {}, "NetworkSettings": {"Networks": []}}),
        (Kind.NETWORK, {"Id": "a" * 64, "Name": "x", "Containers": ["b" * 64]}),
        (Kind.VOLUME, {"Name": "x", "Labels": ["trioproxy.owner"]}),
        (Kind.VOLUME, {"Name": ["x"]}),
        (Kind.IMAGE, {"Id": "sha256:x", "RepoTags": "busybox:latest"}),
        (Kind.ENGINE, {"DefaultRuntime": "runc", "SecurityOptions": "name=seccomp"}),
        (Kind.ENGINE, {"DefaultRuntime": "runc", "Runtimes": []}),
    ],
)  # fmt: skip
def test_half_a_description_describes_nothing(kind: Kind, value: object) -> None:
    """Where a part of the Engine's answer is of another kind, it is not left out."""
    with pytest.raises(Untold, match="not complete"):
        things.describe(kind, value)  # type: ignore[arg-type]


ADDED = """
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of
from trioproxy.limits.sorts import why_root

def policy(**limits):
    return parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", **limits}, source="x")[0]

limits = policy(CREATE_FROBS="runsc,a*").limits
print(limits.lists("CREATE_FROBS", "ab"), limits.lists("CREATE_FROBS", "b"))
print(policy(CREATE_BINDS="").limits.lists("CREATE_FROBS", "ab"))
print(why_root("CREATE_FROBS", "runsc"), why_root("CREATE_FROBS", "a*"))
told = meaning_of(policy(CREATE_FROBS="")).limits
print(*(one.line for one in told if one.variable == "CREATE_FROBS"))
"""
"""A program that asks a copy of the tree about a variable that was added there."""


def test_a_variable_is_one_row(tmp_path: Path) -> None:
    """A row more is a variable: its items are read, its family closes it, all tell of it."""
    package = Path(trioproxy.__path__[0])
    copy = tmp_path / "trioproxy"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    table = copy / "api" / "families.py"
    row = "CREATE_IMAGES      alone"
    added = f"CREATE_FROBS       family runtime    things that frob\n{row}"
    text = table.read_text()
    assert row in text
    table.write_text(text.replace(row, added))
    done = subprocess.run(
        [sys.executable, "-c", ADDED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "True False",
        "False",
        " is a program that runs as root",
        "things that frob",
    ]
