"""The command line: a group whose commands are imported only when called."""

import errno
import importlib
import os
import select
import socket
import sys
from typing import Final, NoReturn

import click

from trioproxy import __version__
from trioproxy.errors import ConfigError

COMMANDS: Final = {
    "learn": "Record what a client uses and write its env file.",
    "enforce": "Let pass what a policy allows, and nothing else.",
    "explain": "Show what a file grants, and how risky it is; or what there is.",
    "check": "Say whether a file allows a request, and why.",
    "diff": "Show what one file grants more than another, or than was needed.",
    "approve": "Go through what was refused, and allow it or not.",
    "merge": "Unite what many learners saw.",
    "export": "Write a policy for another proxy.",
    "health": "Ask a running proxy whether the Engine answers.",
}


SERVING: Final = frozenset({"learn", "enforce"})
"""The commands that serve; all others run wherever Python does."""

FILE_OPTION: Final = "--env-file"

NEEDED: Final = ((select, "epoll"), (os, "splice"), (socket, "SO_PEERCRED"))
"""What serving is built on and only Linux has, whatever the Engine runs on."""

FEWEST_DESCRIPTORS: Final = 32
"""With a dozen less nothing can be imported any more, be that to say so."""


class Commands(click.Group):
    """Finds each command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module when it is called."""
        if cmd_name == "haproxy":
            raise ConfigError(
                "this is trioproxy: the command `haproxy` has no effect here",
                hint="drop the command; the variables of the image work as they are",
            )
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"trioproxy.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and stop where it cannot run or has an option twice."""
        args = _with_file(args)
        # `learn --from-log` serves nobody.
        reads_a_log = any(arg.partition("=")[0] == "--from-log" for arg in args)
        if args and args[0] in SERVING and not reads_a_log:
            refuse_to_serve_elsewhere(args[0])
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_unclear(ctx, name, command, rest)
        return name, command, rest

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _with_file(args: list[str]) -> list[str]:
    """Take `--env-file FILE` as FILE, for the tools call it so from which people come.

    `learn` has no such file, and words of its COMMAND are none of ours.
    """
    if not args or args[0] == "learn":
        return args
    files = (arg.removeprefix(f"{FILE_OPTION}=") for arg in args)
    return [arg for arg in files if arg != FILE_OPTION]


def refuse_to_serve_elsewhere(name: str) -> None:
    """Say what to do where the kernel is not Linux's, before anything is imported."""
    if not all(hasattr(module, attribute) for module, attribute in NEEDED):
        raise ConfigError(
            f"{name} runs on Linux only: this system has no epoll",
            hint="run the image, which works in Docker Desktop, or use WSL:"
            " docs/engines.md has the commands",
        )
    import resource  # Linux has it

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FEWEST_DESCRIPTORS:
        raise ConfigError(
            f"{name} needs {FEWEST_DESCRIPTORS} descriptors, and may have {most}",
            hint="raise the hard limit (ulimit -n)",
        )


def _refuse_unclear(
    parent: click.Context, name: str | None, command: click.Command, args: list[str]
) -> None:
    """Raise `UsageError` where an option with one value has two, or an argument is empty.

    click keeps the last one: `learn --within a --within b` would drop a ceiling, and say
    nothing. It tells only its parser's callers, so the arguments are parsed here once more.
    An empty argument comes of a variable that is not set, and not of who wants no file.
    """
    ctx = click.Context(
        command, info_name=name, parent=parent, **command.context_settings
    )
    given = list[click.Parameter]()
    values, _, order = command.make_parser(ctx).parse_args(list(args))
    for option in order:
        its = values[str(option.name)]
        is_empty = "" in (its if isinstance(its, tuple) else (its,))
        is_ours = option.type is not click.UNPROCESSED  # as COMMAND's words are
        if isinstance(option, click.Argument) and is_ours and is_empty:
            what = str(option.name).upper()
            raise click.UsageError(f"{what} is empty: leave it out, or name one", ctx)
        if isinstance(option, click.Option) and not (option.multiple or option.is_flag):
            if option in given:
                raise click.UsageError(
                    f"{max(option.opts, key=len)} is given twice: keep one of the two",
                    ctx,
                )
            given.append(option)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Start here:  trioproxy learn -o learned/app.env -- docker ps",
)
@click.version_option(
    __version__, prog_name="trioproxy", message="%(prog)s %(version)s"
)
def group() -> None:
    """A Docker socket proxy that learns.

    Put it between a client and the Docker Engine while the client is tested: it writes
    down what the client needs. Run it with that file in production: nothing else passes.
    """


def main() -> NoReturn:
    """Run the command line; `ConfigError` becomes one clear line and status 2."""
    if sys.stdin is None:  # closed, as by `<&-`: there is nothing to be read
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    try:
        status = group.main(prog_name="trioproxy", standalone_mode=False)
    except ConfigError as error:
        from trioproxy.file.envfile import hint_of_left

        fail(str(error), hint_of_left(str(error), os.environ) or error.hint)
    except click.exceptions.Abort:
        fail("interrupted")
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        fail(_first_lower(error.format_message()), _usage(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output has seen enough (`trioproxy explain | head`).
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        # click itself writes help and version.
        from trioproxy.commands.terminal import unwritten

        fail(str(unwritten(error)))
    sys.exit(status if isinstance(status, int) else 0)


def _first_lower(text: str) -> str:
    """Without a capital, a full stop and lines, as all our messages; METHOD stays as it is."""
    text = " ".join(text.split())
    first = text[:1] if text[1:2].isupper() else text[:1].lower()
    return first + text[1:].rstrip(".")


def _usage(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"see {error.ctx.command_path} --help"
    return ""


def fail(message: str, hint: str = "", status: int = 2) -> NoReturn:
    """Say what is wrong, and what to do, on stderr; then exit."""
    # Here, for a start that goes well says nothing.
    from trioproxy.commands.terminal import show

    show(f"trioproxy: {message}", *([f"hint: {hint}"] if hint else []), err=True)
    sys.exit(status)
