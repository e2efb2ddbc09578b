"""Env files as others read them: a file that is accepted here means the same to all.

The other readers are a real `sh` and a real `bash`, which source the file, the reader of
`docker run --env-file` as its source says (checked against the real one), and Compose.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.engine import Engine
from trioproxy.errors import ConfigError
from trioproxy.file.envfile import parse, split_by_sh
from trioproxy.file.variables import is_ours

SHELLS = [path for path in map(shutil.which, ("sh", "bash")) if path]
GO_SPACE = " \t\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

PIECES = st.sampled_from([
    "POST", "EXEC", "ALLOW_OPERATIONS", "FOO", "LISTEN", "A", "B", "=", "=", "=", "1", "0",
    "ContainerList", "%43", "%2A", ",", "a", "\n", "\n", "\n", " ", "\t", "#", "'", '"', "`",
    "$", "$(", "${", "$((", "$[", "$'", ")", "}", "]", "\\", "\\\n", "<<E", "E\n", "<", ">", "|",
    ";", "&", "&&", "!", "~", "*", "?", "[", "{", ":", ":=", "export ", "\r", "\r\n", "\x0b", "\x0c",
    "\x1c", "\x85", "\xa0", "\u2028", "\ufeff", "\0", "é", "unset POST", "exit", "return", ". ", "/",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=24).map("".join)
LINES = st.lists(
    st.builds(
        "{}={}{}".format,
        st.sampled_from(
            ["FOO", "A", "UID", "OPTIND", "LISTEN", "POST", "ALLOW_OPERATIONS"]
        ),
        st.lists(PIECES, max_size=5).map("".join),
        st.sampled_from(["", "", "\nPOST=1", "\nEXEC=1\n"]),
    ),
    max_size=4,
).map("\n".join)


def accepted(text: str) -> dict[str, str] | None:
    """The variables, or None where the file is refused."""
    try:
        return parse(text, name="f")
    except ConfigError:
        return None


def by_shell(shell: str, folder: Path) -> dict[str, str] | None:
    """All that a shell has exported when it has sourced the file; None if it stopped."""
    script = "set -a; . ./app.env; exec /usr/bin/env -0"
    ran = subprocess.run(
        [shell, "-c", script],
        cwd=folder,
        env={"PATH": str(folder / "empty"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    if ran.returncode or ran.stderr:
        return None
    pairs = os.fsdecode(ran.stdout).rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


def by_docker(text: str) -> dict[str, str] | None:
    """As docker's `kvfile` does: lines, left-trimmed, cut at the first `=`."""
    found = dict[str, str]()
    for number, line in enumerate(text.split("\n")):
        line = line.removesuffix("\r")
        line = (line.removeprefix("\ufeff") if number == 0 else line).lstrip(GO_SPACE)
        if not line or line.startswith("#"):
            continue
        name, mark, value = line.partition("=")
        if not name or set(name) & set(GO_SPACE):
            return None
        if mark:
            found[name] = value
    return found


def ours(variables: Mapping[str, str]) -> dict[str, str]:
    """The permissions among them."""
    return {name: value for name, value in variables.items() if is_ours(name)}


def check(text: str) -> None:
    variables = accepted(text)
    if variables is None:
        return
    assert by_docker(text) == variables
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.env").write_bytes(text.encode())
        for shell in SHELLS:
            read = by_shell(shell, Path(folder))
            assert read is not None, shell
            assert ours(read) == ours(variables), shell
            if not split_by_sh(variables):
                assert variables.keys() <= read.keys(), shell
        assert os.listdir(folder) == ["app.env"]


@pytest.mark.deep
@settings(max_examples=by_depth(80, 400))
@given(TEXTS)
@example("# lists\rALLOW_OPERATIONS=ContainerCreate\n")
@example("FOO=a POST=1\n")
@example("POST=0\nFOO=$(\nPOST=1\n)\n")
@example("FOO=<<E\nPOST=1\nE\n")
@example("FOO=a&POST=1\n")
@example("FOO=`\nPOST=1\n`\n")
def test_any_text(text: str) -> None:
    """Whatever is accepted grants the same to a shell and to docker, and runs nothing."""
    check(text)


@pytest.mark.deep
@settings(max_examples=by_depth(80, 400))
@given(LINES)
@example("FOO='a\\\nPOST=1'\n")
@example("FOO=${POST:=1}\n")
@example('FOO="$((POST=1))"\n')
@example("OPTIND=a\nPOST=0\n")
@example("FOO=a&OPTIND=a\nPOST=0\n")
@example("FOO=$'\\'\nPOST=1\n#'\n")
def test_lines(text: str) -> None:
    """The same for files of assignments, most of which are accepted."""
    check(text)


HARMLESS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\\"),
    max_size=12,
)
VALUES = st.one_of(
    HARMLESS.map("'{}'".format),
    st.text(st.sampled_from("abAB01_./:@%+,=?*[]{}~!#^-é"), max_size=12),
)


@given(st.lists(VALUES, max_size=5))
def test_what_people_write_is_accepted(values: list[str]) -> None:
    """Plain values of others are no error, whatever they hold, nor are quoted ones."""
    lines = [f"V{number}={value}" for number, value in enumerate(values)]
    text = "\n".join(["POST=1", *lines, "# end"])
    if not any(
        mark in text for mark in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\ufeff"
    ):
        assert parse(text, name="f").keys() == {
            "POST",
            *(f"V{n}" for n in range(len(values))),
        }
    check(text)


ACCEPTED = (
    "POST=1", "EXEC=0", "INFO=", "ALLOW_OPERATIONS=ContainerList,GET:/x/{y},GET:/z%7E",
    "LISTEN=unix:///run/x.sock?mode=0660+gid=999", "  A1=indented", "A2='b c; $(d) `e`'",
    'A3="b c"', "A4=http://x/?a=1&b=2", "A5=a#b", "A6=~/x:~", "A7=*?[a]{b,c}!d^e", "A8=",
    "A9=a=b=c", "B1=%43%zz", "B2='#'", "B3=é",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.engine
def test_the_real_docker_and_compose(engine: Engine, tmp_path: Path) -> None:
    """`docker run --env-file` and Compose take accepted lines as is said here."""
    text = "\n".join(["# comment", "", *ACCEPTED]) + "\n"
    variables = parse(text, name="f")
    (tmp_path / "app.env").write_text(text)
    made = engine.docker("create", f"--env-file={tmp_path / 'app.env'}", "busybox").text
    shown = json.loads(engine.docker("inspect", made).output)[0]["Config"]["Env"]
    engine.docker("rm", made)
    pairs = dict(pair.split("=", 1) for pair in shown)
    assert by_docker(text) == variables
    assert variables.items() <= pairs.items()
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a:\n    image: busybox\n    env_file: app.env\n"
    )
    file = str(tmp_path / "compose.yaml")
    ran = engine.docker("compose", "-f", file, "config", "--format", "json")
    (service,) = json.loads(ran.output)["services"].values()
    assert ours(service["environment"]) == ours(variables)
    assert service["environment"].keys() == variables.keys()
    assert service["environment"]["LISTEN"] == variables["LISTEN"]
