"""Names of files that hide, reorder or forge what people read."""

import os
import tempfile
from contextlib import chdir
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.commands.running import called
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import dump, load
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED, Sight, Who, route

TIME = 1_795_515_300
FORGED = "FORGED"
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

hostile = st.one_of(
    st.characters(categories=["Cc", "Cf", "Zl", "Zp"], exclude_characters="\0"),
    st.binary(min_size=1, max_size=1)
    .filter(lambda byte: byte >= b"\x80")
    .map(os.fsdecode),
    st.sampled_from(
        [f"\n{FORGED} ", f"\r{FORGED} ", f"\u2028{FORGED} ", " ", "\x1b[2J"]
    ),
    st.characters(categories=["L", "N"]),
)
NAMES = st.lists(hostile, min_size=1, max_size=12).map("".join)
EXAMPLES = (
    f"a\n{FORGED}",
    f"\n{FORGED}",
    "a\u202egpj.b\u2066",
    "\x1b]0;title\x07\x9b2J",
    "a\u2028b\u2029c\x85d",
    os.fsdecode(b"\xff\xfe"),
)


def every(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Names that a file can have."""
    return names.filter(lambda name: len(os.fsencode(name)) < 200)


def said(*args: str) -> str:
    """What a command writes, to stdout and to stderr."""
    done = called(*args)
    return done.out + done.err


def check(text: str) -> None:
    """Nothing is hidden, and no line is another's."""
    assert {one for one in text if category(one) in HIDDEN} <= {"\n"}
    assert not any(line.startswith(FORGED) for line in text.split("\n"))


def evidence(*, came_from: str = "") -> str:
    """Of one run, in which something passed and something was refused."""
    made, when, who = Evidence(), When(TIME), Who("app/1", "10.0.0.5", "1.45")
    made.begin("r1", TIME)
    for operation, result in (("ContainerList", "200"), ("ImageList", REFUSED)):
        section = "CONTAINERS" if operation == "ContainerList" else "IMAGES"
        made.observe(route(operation, "GET", section), result, when, who)
    made.observe(route("ContainerCreate", "POST", "CONTAINERS"), "201", when, who)
    made.observe(Sight("CREATE_BINDS", "/etc", "ContainerCreate"), REFUSED, when)
    if came_from:
        made.come_from(came_from)
    return dump(made)


LOOKS = (
    ("explain", "{}.env"),
    ("explain", "--as", "markdown", "{}.env"),
    ("explain", "--as", "json", "{}.env"),
    ("check", "{}.env"),
    ("check", "{}.env", "GET", "/images/json"),
    ("diff", "{}.env", "plain.env"),
    ("diff", "--as", "markdown", "plain.env", "{}.env"),
    ("diff", "--as", "json", "plain.env", "{}.env"),
    ("diff", "{}.env", "{}.jsonl"),
    ("approve", "{}.env", "{}.jsonl"),
    ("approve", "{}.env", "{}.jsonl", "--yes", "{}"),
    ("explain", "{}.env", "--as", "html"),
    ("explain", "{}.env", "--as", "html", "-o", "{}.html"),
    ("export", "{}.env", "--to", "tecnativa"),
    ("merge", "{}.env", "{}.jsonl", "-o", "{}-merged.env"),
    ("explain", "{}-merged.env"),
    ("merge", "{}.jsonl", "-o", "{}-merged.jsonl"),
    ("explain", "learned:{}"),
    ("explain", "{}-missing.env"),
    ("explain", "{}"),
    ("{}", "x"),
    ("explain", "--{}", "x"),
)


@pytest.mark.parametrize("args", LOOKS, ids=" ".join)
@given(name=every(NAMES))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(name=EXAMPLES[0])
@example(name=EXAMPLES[1])
@example(name=EXAMPLES[2])
@example(name=EXAMPLES[3])
@example(name=EXAMPLES[4])
@example(name=EXAMPLES[5])
def test_a_name_is_shown_as_what_it_is(args: tuple[str, ...], name: str) -> None:
    """Whatever a file, an operation or an option is called, a command shows all of it,
    in its place."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path(f"{name}.env").write_text(
            "ALLOW_OPERATIONS=ContainerList,ContainerCreate\nCREATE_BINDS=\n"
        )
        Path(f"{name}.jsonl").write_text(evidence())
        Path("plain.env").write_text("ALLOW_OPERATIONS=ImageList\n")
        if "{}-merged.env" in args and args[0] != "merge":
            said("merge", f"{name}.env", f"{name}.jsonl", "-o", f"{name}-merged.env")
        check(said(*(one.replace("{}", name) for one in args)))


@given(name=every(NAMES))
@settings(deadline=None)
@example(name="a\u202egpj.b")
@example(name="\ud800")
def test_names_in_evidence_are_kept_as_they_are_shown(name: str) -> None:
    """Where evidence came from goes into files that people read: nothing is hidden there,
    or it is refused."""
    raw = evidence(came_from="FILE").replace("FILE", as_json(name)).encode()
    try:
        loaded = load(raw, name="x")
    except ConfigError as error:
        assert str(error).isprintable()  # noqa: PT017  most names are read
        return
    seen = loaded.evidence
    files = [run.files for run in seen.runs.values()]
    assert all(one.isprintable() for one in set[str]().union(*files))
    text = dump(seen)
    assert dump(load(text.encode(), name="x").evidence) == text


def as_json(name: str) -> str:
    """A name as JSON writes it, without its quotes."""
    return "".join(f"\\u{code:04x}" for code in utf16(name))


def utf16(name: str) -> list[int]:
    """The code units of a name."""
    data = name.encode("utf-16-le", "surrogatepass")
    return [
        int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)
    ]
