"""`trioproxy learn`: let a client work, and write down what it needs."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from click.core import ParameterSource

from trioproxy.commands import fromlog, tell
from trioproxy.commands.capture import paths_of_engine, why_not
from trioproxy.commands.catalogue import PREFIX, locate
from trioproxy.config import (
    DEFAULT_PORT,
    Address,
    Config,
    UnixAddress,
    parse_address,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.evidence.clients import Clients
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.rules import Policy
from trioproxy.learning.flows import parse_states
from trioproxy.learning.only import Strangers
from trioproxy.learning.proposal import Quiet, Wish
from trioproxy.learning.store import Store
from trioproxy.limits.objects import NO_OBJECTS

SOCKET_PATH_LIMIT: Final = 100
"""A Unix socket's path holds 107 bytes; this leaves some for its name."""

EPILOG = """\b
Examples:
  trioproxy learn -o learned/app.env -- pytest
  trioproxy learn -o learned/app.env --listen tcp://127.0.0.1:2375
  docker logs socket-proxy 2>&1 | trioproxy learn -o app.env --from-log -
"""


@click.command(
    name="learn",
    epilog=EPILOG,
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The env file; its evidence is stored next to it.  [default: learned/NAME.env]",
)
@click.option("--name", help="Whose file it is.  [default: FILE's or COMMAND's name]")
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="tcp://HOST:PORT or unix:///path?mode=0660. May be repeated."
    "  [default: a private Unix socket]",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="The Engine.  [default: SOCKET_PATH, DOCKER_HOST, /var/run/docker.sock]",
)
@click.option(
    "--within",
    metavar="FILE",
    help="A ceiling: what this env file refuses is refused and not learned.",
)
@click.option("--fresh", is_flag=True, help="Start over: forget what FILE holds.")
@click.option(
    "--include-failed", is_flag=True, help="Grant also what was tried and never worked."
)
@click.option(
    "--no-arguments",
    is_flag=True,
    help="Learn routes alone: what requests ask for and name stays open.",
)
@click.option(
    "--no-objects",
    is_flag=True,
    help="Do not learn whose containers, networks and volumes are named: any may be. What"
    " the client makes gets no label then.",
)
@click.option(
    "--objects",
    type=click.Choice([Strangers.NAMES.value, Strangers.PROJECT.value]),
    help="List also what is not the client's own, by names or Compose projects."
    "  [default: its kind stays open]",
)
@click.option(
    "--restore",
    multiple=True,
    metavar="NAME",
    help="Grant a declined operation again, or list a declined value:"
    " CREATE_BINDS=/srv. May be repeated.",
)
@click.option(
    "--from",
    "only_from",
    multiple=True,
    metavar="CLIENT",
    help="On a shared listener, or in a log, learn from this address, network or uid:N"
    " alone; others are served. May be repeated.",
)
@click.option(
    "--until-quiet",
    metavar="30m|3runs",
    help="Say when nothing new was seen for so long; without COMMAND, end then.",
)
@click.option(
    "--never",
    multiple=True,
    metavar="STATE",
    help="A state that does not come up for this client, such as missing-image: it is"
    " not waited for. May be repeated.",
)
@click.option(
    "--capture",
    is_flag=True,
    help="Give COMMAND our socket also where the Engine's is, for clients that do not"
    " ask DOCKER_HOST. Linux; root or user namespaces.",
)
@click.option(
    "--linger",
    type=click.IntRange(min=0, max=86_400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Stay so long after the last request of what COMMAND leaves behind.",
)
@click.option(
    "--from-log",
    "logs",
    multiple=True,
    metavar="FILE|-",
    help="Learn from a log of HAProxy (tecnativa, linuxserver), wollomatic, sockguard,"
    " dockerd -D or trioproxy, packed by gzip or not. May be repeated.",
)
@click.option(
    "--split-by",
    type=click.Choice(["client"]),
    help="With --from-log: a file for each client, named for its address.",
)
@click.option(
    "--require-seen",
    is_flag=True,
    help="Exit with 1 where nothing was seen: in CI the client may go around us.",
)
@click.option(
    "--status-every",
    metavar="60s|5m",
    help="Say how it goes on in a line every so often, for the log of a CI job. On a"
    " terminal, without COMMAND, a block says so otherwise.",
)
@click.option("--quiet", is_flag=True, help="Show the closing table only.")
@click.option(
    "--log-level", metavar="LEVEL", help="A syslog level.  [default: warning]"
)
@click.argument(
    "argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGUMENT]...]"
)
def command(
    *,
    output: str | None,
    name: str | None,
    listen: tuple[str, ...],
    upstream: str | None,
    within: str | None,
    fresh: bool,
    include_failed: bool,
    no_arguments: bool,
    no_objects: bool,
    objects: str | None,
    restore: tuple[str, ...],
    only_from: tuple[str, ...],
    until_quiet: str | None,
    never: tuple[str, ...],
    capture: bool,
    linger: int,
    status_every: str | None,
    quiet: bool,
    log_level: str | None,
    argv: tuple[str, ...],
    logs: tuple[str, ...],
    split_by: str | None,
    require_seen: bool,
) -> int:
    """Record what a client uses, and write the env file that allows just that.

    With COMMAND: run it with DOCKER_HOST set to a private socket, and exit as it does.
    Without: until SIGINT, SIGTERM or SIGHUP.

    With --from-log: from what another proxy has seen already. Nothing is served.

    While it learns, everything passes: whoever reaches the listener has what the
    Engine gives. Review the file before you use it. What the client makes gets the
    label trioproxy.owner, by which its own containers, networks and volumes are known.
    """
    if quiet and status_every:
        raise click.UsageError("--quiet and --status-every exclude each other")
    if logs:
        _refuse_serving()
    ceiling = _read_ceiling(within)
    path = _output_path(output, name, argv)
    wish = Wish(
        name=name or path.stem,
        file=str(path),
        ceiling=ceiling,
        include_failed=include_failed,
        arguments=not no_arguments,
        # Of many clients on one listener nobody can tell who made what.
        objects=_strangers(
            objects, no_objects=no_objects or no_arguments or bool(only_from)
        ),
        restore=frozenset(restore),
    )
    until = Quiet.parse(until_quiet) if until_quiet else None
    states = parse_states(never)
    if logs:
        return fromlog.learn(
            fromlog.LogPlan(
                logs=logs,
                wish=wish,
                within=within or "",
                fresh=fresh,
                only_from=only_from,
                apart=split_by is not None,
                until=until,
                never=states,
                quiet=quiet,
            )
        )
    if split_by:
        raise ConfigError(
            "--split-by is for logs, which are read with --from-log",
            hint="live, each client has a learner of its own: --from, or --listen",
        )
    # Here, for who reads a log needs none of it, and may be where nothing can serve.
    from trioproxy.commands import start
    from trioproxy.commands.learner import Plan, learn
    from trioproxy.commands.status import parse_every

    start.refuse_haproxy_config()
    clients = _read_clients(only_from, listen, has_command=bool(argv))
    store = Store(path, wish, fresh=fresh)
    known, listed = store.begin(within or "")
    with _private_socket(path, needed=bool(argv) or not listen) as private:
        config = _read_config(listen, upstream, log_level, private)
        warning = start.check_upstream(config.upstream, config.listen, os.environ)
        if warning:
            tell.warn(warning)
        plan = Plan(
            config=config,
            store=store,
            known=known,
            listed=listed,
            ceiling=ceiling,
            command=argv,
            docker_host=private,
            captured=_captured(config.upstream, argv, capture=capture),
            clients=clients,
            until=until,
            never=states,
            linger=linger,
            require_seen=require_seen,
            quiet=quiet,
            objects=store.objects() if wish.objects else NO_OBJECTS,
            proxy_socket=_proxy_socket(store, config.listen),
            base=_base() if argv else "",
            status_every=parse_every(status_every) if status_every else 0,
        )
        return start.run(learn, plan)


def _strangers(objects: str | None, *, no_objects: bool) -> Strangers | None:
    if not no_objects:
        return Strangers(objects) if objects else Strangers.ANY
    if objects:
        raise click.UsageError(
            "--objects has no place beside --no-objects, --no-arguments or --from"
        )
    return None


def _proxy_socket(store: Store, listen: Iterable[Address]) -> str:
    """The socket that is bound in place of the Engine's, where FILE will have one too.

    So what the client starts, such as a reaper, is learned as well.
    """
    paths = [one.path for one in listen if isinstance(one, UnixAddress)]
    return paths[0] if paths and store.has_proxy_socket() else ""


def _base() -> str:
    """The folder that COMMAND is started in, as lists write it; empty where it gives root."""
    from trioproxy.api import normal
    from trioproxy.limits import root

    try:
        folder = normal.path(os.getcwd())
    except OSError:  # it is gone
        return ""
    return "" if root.of_path(folder) else normal.quote(folder)


SERVING_ONLY: Final = (
    *("listen", "upstream", "capture", "linger", "status_every", "log_level"),
    "argv",
)
"""What means nothing where a log is read."""


def _refuse_serving() -> None:
    context = click.get_current_context()
    for one in SERVING_ONLY:
        if context.get_parameter_source(one) is ParameterSource.COMMANDLINE:
            named = "COMMAND" if one == "argv" else f"--{one.replace('_', '-')}"
            raise ConfigError(
                f"--from-log reads a log and serves nobody: {named} has no place there",
                hint=f"leave out {named}, or learn live without --from-log",
            )


def _read_ceiling(within: str | None) -> Policy | None:
    if within is None:
        return None
    policy, warnings = parse_policy_file(read_text(locate(within)), name=within)
    for warning in warnings:
        tell.warn(warning)
    return policy


def _read_clients(
    texts: Sequence[str], listen: Sequence[str], *, has_command: bool
) -> Clients | None:
    if not texts:
        return None
    if not listen:
        raise ConfigError(
            "--from restricts who is learned from on a shared listener",
            hint="name the listener with --listen",
        )
    # The command comes by its own socket, as the user that we are.
    return Clients.parse([*texts, *([f"uid:{os.geteuid()}"] if has_command else [])])


def _output_path(output: str | None, name: str | None, command: Sequence[str]) -> Path:
    if output and output.startswith(PREFIX):
        raise ConfigError(
            f"{output[:80]} comes with the program and is not written",
            hint="write a file of your own; trioproxy merge takes both",
        )
    if output:
        return Path(output)
    stem = name or (Path(command[0]).name if command else "")
    if not stem:
        raise ConfigError(
            "no output file", hint="name it with -o FILE, or the client with --name"
        )
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", stem, re.ASCII):
        raise ConfigError(f"{stem!r:.80} cannot be a file name", hint="use -o FILE")
    return Path("learned", f"{stem}.env")


@contextmanager
def _private_socket(output: Path, *, needed: bool) -> Iterator[str]:
    """Make a folder that only we may enter, for a socket nobody else may find."""
    if not needed:
        yield ""
        return
    with _private_folder(output) as folder:
        yield f"unix://{folder}/docker.sock"


def _private_folder(output: Path) -> TemporaryDirectory[str]:
    for base in _folders(output):
        with suppress(OSError):
            return TemporaryDirectory(prefix="trioproxy-", dir=base)
    raise ConfigError(
        "there is no folder to make a private socket in",
        hint="name one that we may write in with TMPDIR, or a socket with --listen",
    )


def _folders(output: Path) -> Iterator[str]:
    """Folders for the private socket, best first; those it cannot be in are left out.

    Clients read DOCKER_HOST in different ways: some decode a `%`, and some end at a `#`.
    So only a plain path does, and a short one.
    """
    with suppress(FileNotFoundError):  # no folder of the usual ones takes a file
        yield from _plain(tempfile.gettempdir())
    fallbacks = (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/run", "/dev/shm")  # noqa: S108  mkdtemp makes a folder of its own in it, mode 0700
    for base in (*fallbacks, os.path.realpath(output.parent)):
        yield from _plain(base)


def _plain(base: str) -> Iterator[str]:
    fits = len(base) <= SOCKET_PATH_LIMIT - len("/trioproxy-xxxxxxxx/docker.sock")
    if fits and re.fullmatch(r"/[A-Za-z0-9/._+-]*", base, re.ASCII):
        yield base


def _captured(upstream: Address, command: Sequence[str], *, capture: bool) -> list[str]:
    """The paths at which COMMAND is to find our socket; stop where it cannot."""
    if not capture:
        return []
    if not command:
        raise ConfigError(
            "--capture is for a COMMAND that we start",
            hint="other clients are led here by --listen unix://PATH",
        )
    path = upstream.path if isinstance(upstream, UnixAddress) else ""
    paths = paths_of_engine(path)
    if reason := why_not(paths):
        raise ConfigError(
            f"--capture: this system gives no mount namespace: {reason}",
            hint="run as root (in a container: --cap-add SYS_ADMIN), or allow user"
            " namespaces; without --capture the client must ask DOCKER_HOST",
        )
    return paths


def _read_config(
    listen: Sequence[str], upstream: str | None, log_level: str | None, private: str
) -> Config:
    urls = (*([private] if private else []), *listen)
    return Config.read(
        tuple(parse_address(url, port=DEFAULT_PORT) for url in urls),
        upstream_address(upstream, os.environ, docker_host=True),
        os.environ,
        level=log_level or os.environ.get("LOG_LEVEL") or "warning",
    )
