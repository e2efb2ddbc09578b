"""The command line as a whole: what holds for every command."""

import click
import pytest
from click.testing import CliRunner

from tests.commands.running import run
from trioproxy.cli import COMMANDS, group


def options(*, once: bool) -> list[tuple[str, str]]:
    """Each command and option that takes a value: those to be given once, or the others."""
    ctx = click.Context(group)
    return [
        (name, spelling)
        for name in COMMANDS
        for option in getattr(group.get_command(ctx, name), "params", ())
        if isinstance(option, click.Option)
        and not option.is_flag
        and option.multiple is not once
        for spelling in option.opts
    ]


ONCE, REPEATED = options(once=True), options(once=False)


@pytest.mark.parametrize(
    ("command", "option"), [pytest.param(*one, id=" ".join(one)) for one in ONCE]
)
def test_given_twice(command: str, option: str) -> None:
    """An option with one value that is given twice stops, whatever the two values are."""
    done = CliRunner().invoke(group, [command, option, "7", option, "7"])
    assert done.exit_code == 2
    assert "is given twice: keep one of the two" in done.stderr


def test_which_options_are_given_once() -> None:
    """Ceilings, policies, outputs, Engines and evidence are among them; listeners are not."""
    assert {
        ("learn", "--within"), ("learn", "-o"), ("learn", "--upstream"),
        ("enforce", "--env-file"), ("enforce", "--record"),
    } <= set(ONCE)  # fmt: skip
    assert {("learn", "--listen"), ("learn", "--restore")} <= set(REPEATED)


def test_two_spellings_of_one_option() -> None:
    """-o and --output are one option; the line names it, and says where to look."""
    done = run("learn", "-o", "a.env", "--output=b.env", "--", "true")
    assert (done.status, done.err) == (
        2,
        "trioproxy: --output is given twice: keep one of the two\n"
        "hint: see trioproxy learn --help\n",
    )


def test_what_belongs_to_the_command_is_not_ours() -> None:
    """Behind -- an option may stand as often as the command likes."""
    arguments = ["--within", "a", "--within", "b"]
    done = CliRunner().invoke(group, ["learn", "--from", "x", "--", "sh", *arguments])
    assert "given twice" not in done.output
