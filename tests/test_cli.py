"""The command line as a whole: what holds for every command."""

import re
import resource
import sys
from contextlib import nullcontext
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.commands.running import run
from trioproxy.cli import COMMANDS, group, main, refuse_to_serve_elsewhere
from trioproxy.errors import ConfigError


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
        ("enforce", "--record"), ("enforce", "--upstream"),
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


@pytest.mark.parametrize(
    ("most", "is_enough"), [(12, False), (32, True), (resource.RLIM_INFINITY, True)]
)
def test_few_descriptors(
    monkeypatch: pytest.MonkeyPatch, most: int, *, is_enough: bool
) -> None:
    """What serves says that it has too few descriptors, before it needs one that is not there."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    refused = pytest.raises(ConfigError, match="needs 32 descriptors, and may have 12")
    with nullcontext() if is_enough else refused:
        refuse_to_serve_elsewhere("enforce")


def test_what_belongs_to_the_command_is_not_ours() -> None:
    """Behind -- an option may stand as often as the command likes."""
    arguments = ["--within", "a", "--within", "b"]
    done = CliRunner().invoke(group, ["learn", "--from", "x", "--", "sh", *arguments])
    assert "given twice" not in done.output


# -- how much of it there is -------------------------------------------------------


def helped(name: str) -> list[str]:
    """The lines of a command's help, on a terminal of 80 columns."""
    done = CliRunner().invoke(group, [name, "--help"], terminal_width=80)
    return done.stdout.splitlines()


def test_how_many_commands_and_options() -> None:
    """Ten commands at most, and 44 pairs of one and an option of it."""
    context = click.Context(group)
    pairs = [
        (name, option.name)
        for name in COMMANDS
        for option in getattr(group.get_command(context, name), "params", ())
        if isinstance(option, click.Option)
    ]
    assert len(COMMANDS) <= 10
    assert len(pairs) <= 44, pairs


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen(name: str) -> None:
    """The help of each command has 40 lines of 80 columns at most, and two examples."""
    lines = helped(name)
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    examples = lines[lines.index("  Examples:") + 1 :]
    assert sum("trioproxy " in line for line in examples) >= 2


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_typed_as_they_stand(name: str) -> None:
    """No shell reads a `?` of an example as a pattern: zsh would find no such file, and stop."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert "?" not in re.sub("'[^']*'", "", command.epilog or "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("approve {0}.env --live unix:///x", "is no terminal", id="live"),
        pytest.param("check {0}.env POST /auth --body -", "allowed: ", id="check"),
        pytest.param("learn -o {0}.env --from-log -", "is empty", id="log"),
    ],
)
def test_stdin_may_be_closed(
    words: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where it is closed there is nothing to be read, and nobody to be asked: no traceback."""
    file = tmp_path / "app"
    file.with_suffix(".env").write_text("ALLOW_OPERATIONS=SystemAuth\n")
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("sys.argv", ["trioproxy", *words.format(file).split()])
    with pytest.raises(SystemExit):
        main()
    sys.stdin.close()
    assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"learn", "health"}))
def test_a_file_may_have_its_option(name: str, tmp_path: Path) -> None:
    """Whoever comes from other tools may write --env-file in front of a file."""
    missing = str(tmp_path / "missing.env")
    more = {
        "check": (),
        "diff": (missing,),
        "approve": (missing,),
        "merge": ("-o", str(tmp_path / "x.env")),
        "export": ("--to", "tecnativa"),
    }.get(name, ())
    plain = run(name, missing, *more)
    assert plain.status == 2
    assert f"cannot read {tmp_path}" in plain.err
    assert run(name, "--env-file", missing, *more) == plain
    assert run(name, f"--env-file={missing}", *more) == plain


QUOTES, COMMENT = (
    "write the value without quotes",
    "put the comment on a line of its own",
)


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ({"LISTEN": '"tcp://127.0.0.1:0,unix:///x"'}, f"{QUOTES}: LISTEN "),
        ({"SOCKET_PATH": "'/var/run/docker.sock'"}, f"{QUOTES}: SOCKET_PATH "),
        ({"METRICS": '"tcp://127.0.0.1:0"'}, f"{QUOTES}: METRICS "),
        ({"ALLOW_OPERATIONS": '"SystemPing"'}, f"{QUOTES}: ALLOW_OPERATIONS "),
        ({"CONTAINERS": '"1"'}, f"{QUOTES}: CONTAINERS "),
        ({"ALLOW_OPERATIONS": "ContainerList # x"}, f"{COMMENT}: ALLOW_OPERATIONS "),
        ({"ALLOW_OPERATIONS": "ContainerList ContainerStop"}, "write a comma between"),
        ({"IMAGES": '"1"', "LISTEN": "x"}, "write tcp://HOST:PORT"),
        ({"SOCKET_PATH": "/o'brien/none.sock"}, "name the socket with --upstream"),
    ],
)
def test_what_docker_leaves_in_a_value(variables: dict[str, str], hint: str) -> None:
    """Quotes or a comment in an --env-file of docker's had advice of their own in no variable."""
    done = run("enforce", variables=variables)
    assert (done.status, f"\nhint: {hint}" in done.err) == (2, True)


def test_what_is_left_in_a_value_is_told_of_that_value_alone(tmp_path: Path) -> None:
    """An error of a file had advice on a variable of the environment that is called as one in it, or has a comment with a comma."""
    (file := tmp_path / "a.env").write_text("CONTAINERS=2\n")
    for value in ('"1"', "1 # x, e"):
        done = run("enforce", str(file), variables={"CONTAINERS": value})
        assert "\nhint: write CONTAINERS=1 to grant" in done.err
