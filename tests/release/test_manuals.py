"""Man pages and completions: each shell is asked what it would complete."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from tests.patience import PATIENCE
from trioproxy.cli import COMMANDS, group


def options(name: str) -> set[str]:
    """The long options of a command, as click has them."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return {opt for one in command.params for opt in one.opts if opt.startswith("--")}


def ask(*command: str) -> set[str]:
    """What a shell offers, a line each."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.stderr == ""
    return {line.partition("\t")[0].strip() for line in done.stdout.splitlines()}


def by_bash(manuals: Path, line: str) -> set[str]:
    """What bash would complete at the end of a line."""
    program = (
        f"source {manuals}/bash-completion/completions/trioproxy\n"
        f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}\n"
        "_trioproxy; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    return ask("bash", "--norc", "-c", program)


def by_fish(manuals: Path, line: str) -> set[str]:
    """What fish would."""
    file = f"{manuals}/fish/vendor_completions.d/trioproxy.fish"
    program = f"source {file}; complete -C {shlex.quote(line)}"
    return ask("fish", "--no-config", "-c", program)


def by_zsh(manuals: Path, line: str) -> set[str]:
    """What zsh would: `_arguments` and the like hand over what they are called with."""
    *words, _ = line.split(" ")
    program = (
        "_arguments() { [[ $1 == -C ]] && { state=${ZSH_STATE:-rest}; return 1 }; print -rl -- $@ }\n"
        "_describe() { print -rl -- ${(P)4} }\n"
        f"words=({shlex.join(words[1:])})\n"
        f"{'ZSH_STATE=command' if len(words) == 1 else ''}\n"
        f"source {manuals}/zsh/vendor-completions/_trioproxy"
    )
    found = ask("zsh", "-f", "-c", program)
    return {re.sub(r"^\*|^\([^)]*\)|[=\[:].*", "", one) for one in found}


@pytest.mark.parametrize(
    "shell", [by_bash, by_fish, by_zsh], ids=["bash", "fish", "zsh"]
)
def test_commands_and_options(manuals: Path, shell: object) -> None:
    """Each command is offered, and for each of them its options and no other's."""
    assert callable(shell)
    assert {*COMMANDS} <= shell(manuals, "trioproxy ")
    for name in COMMANDS:
        offered = {
            one
            for one in shell(manuals, f"trioproxy {name} --")
            if one.startswith("--")
        }
        assert offered - {"--help"} == options(name), name


@pytest.mark.parametrize("shell", [by_bash, by_fish], ids=["bash", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("export --to w", {"wollomatic"}, id="a-choice"),
        pytest.param("export --to=w", {"wollomatic"}, id="a-choice-behind-equals"),
        pytest.param("explain learned:ki", {"learned:kind"}, id="a-file-of-ours"),
        pytest.param("learn --upstream ", set(), id="what-nobody-knows"),
    ],
)
def test_values(manuals: Path, shell: object, line: str, offered: set[str]) -> None:
    """What is known of a value is offered: words, files that come with the program."""
    assert callable(shell)
    found = shell(manuals, f"trioproxy {line}") - {""}
    # bash has what stands before the colon on its line, fish all that stands behind `=`.
    found = {one.removeprefix("--to=") for one in found}
    assert found == (
        {one.rpartition(":")[2] for one in offered} if shell is by_bash else offered
    )


def test_man_pages(manuals: Path) -> None:
    """There is a page for the program and each command, and a strict reader has no complaint."""
    pages = sorted((manuals / "man" / "man1").iterdir())
    assert {one.stem for one in pages} == {
        "trioproxy",
        *(f"trioproxy-{one}" for one in COMMANDS),
    }
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    shown = subprocess.check_output(["mandoc", "-T", "utf8", *pages], text=True)
    shown = re.sub(".\b", "", shown)  # bold is a letter, a step back, and it again
    for name in COMMANDS:
        for option in options(name):
            assert option in shown, (name, option)
