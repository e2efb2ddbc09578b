"""`trioproxy learn`: let a client work, and write down what it needs."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click

from trioproxy.api import normal
from trioproxy.api.families import NOWHERE, Places
from trioproxy.commands import tell
from trioproxy.commands.asked import Call, Scope
from trioproxy.commands.capture import paths_of_engine, why_not
from trioproxy.config import (
    CLIENT,
    Address,
    Config,
    UnixAddress,
    parse_listener,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.evidence.clients import Origins
from trioproxy.evidence.disk import check_target
from trioproxy.learning.flows import parse_states
from trioproxy.learning.proposal import Quiet
from trioproxy.learning.store import Store
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import PROJECT_NAME

PLAIN_FOLDER: Final = re.compile(r"/[A-Za-z0-9/._+-]{,68}", re.ASCII)
"""A Unix socket's path holds 107 bytes; behind the folder ours has 31, and another name more."""

EPILOG = """\b
Examples:
  trioproxy learn -o learned/app.env -- pytest
  docker logs socket-proxy 2>&1 | trioproxy learn -o app.env --from-log -
"""


def _read(parse: Callable[[Any], object]) -> Callable[..., object]:
    """Have click read what is given; what is not given stays None."""
    return lambda _context, _option, given: None if given is None else parse(given)


@click.command(
    name="learn", epilog=EPILOG, context_settings={"allow_interspersed_args": False}
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The env file; {client} in its name: one for each client."
    "  [default: learned/COMMAND.env]",
)
@click.option(
    "--learn",
    "scope",
    type=click.Choice([one.value for one in Scope]),
    metavar="SCOPE",
    callback=_read(Scope),
    help=f"{', '.join(Scope)}; each learns what those before it do, too."
    "  [default: objects]",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="tcp://HOST:PORT or unix:///path?mode=0660; repeatable.  [default: a private"
    " socket]",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="The Engine.  [default: SOCKET_PATH, DOCKER_HOST, /var/run/docker.sock]",
)
@click.option(
    "--within", metavar="FILE", help="A ceiling: refuse what this policy refuses."
)
@click.option("--fresh", is_flag=True, help="Start over: forget what FILE holds.")
@click.option("--include-failed", is_flag=True, help="Grant also what never worked.")
@click.option(
    "--restore",
    multiple=True,
    metavar="NAME",
    callback=_read(lambda names: frozenset(map(Grant.named, names))),
    help="Grant again what was declined; repeatable.",
)
@click.option(
    "--from",
    "only_from",
    multiple=True,
    metavar="CLIENT",
    help="Learn from an address, network or uid:N alone.",
)
@click.option(
    "--until-quiet",
    "until",
    metavar="30m|3runs",
    callback=_read(Quiet.parse),
    help="Say when nothing was new for so long, or end.",
)
@click.option(
    "--never",
    multiple=True,
    metavar="STATE",
    callback=_read(parse_states),
    help="A state not to be waited for; repeatable.",
)
@click.option(
    "--capture", is_flag=True, help="Be also where COMMAND looks for the Engine."
)
@click.option(
    "--from-log",
    "logs",
    multiple=True,
    metavar="FILE|-",
    help="Learn from another proxy's log; repeatable.",
)
@click.option("--require-seen", is_flag=True, help="Fail where nothing was seen.")
@click.option("--quiet", is_flag=True, help="Show the closing table only.")
@click.argument(
    "argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGUMENT]...]"
)
def command(**options: Any) -> int:  # noqa: ANN401  each as click read it
    """Record what a client uses, and write the env file that allows just that.

    With COMMAND: run it with DOCKER_HOST set to a private socket, and exit as it does.
    Without: until SIGINT, SIGTERM or SIGHUP. While it learns, everything passes; review
    the file before you use it.
    """
    asked = Call(**options)
    return _from_log(asked) if asked.logs else _live(asked)


SERVING_ONLY: Final = ("listen", "upstream", "capture", "argv")
"""What means nothing where a log is read, beside the scope that shows a client no others."""


def _from_log(asked: Call) -> int:
    given = [one for one in SERVING_ONLY if getattr(asked, one)]
    named = ["COMMAND" if one == "argv" else f"--{one}" for one in given]
    named += ["--learn own"] if asked.scope is Scope.OWN else []
    for one in named:
        raise ConfigError(
            f"--from-log reads a log and serves nobody: {one} has no place there",
            hint=f"leave out {one}, or learn live without --from-log",
        )
    # Here, for who learns live reads no logs.
    from trioproxy.commands import fromlog

    return fromlog.learn(asked)


def _live(asked: Call) -> int:
    # Here, for who reads a log needs none of it, and may be where nothing can serve.
    from trioproxy.commands import child, start
    from trioproxy.commands.learner import Plan, learn

    start.refuse_haproxy_config()
    child.have_endings_told()
    if asked.apart:
        return _apart(asked)
    clients = _read_clients(asked)
    store, known = asked.open(asked.path)
    needed = bool(asked.argv) or not asked.listen
    with _private_folder(asked.path) if needed else nullcontext("") as folder:
        private = f"unix://{folder}/docker.sock" if folder else ""
        config = _read_config(asked, private)
        is_given = store.has_proxy_socket()
        sockets = [one for one in config.listen if isinstance(one, UnixAddress)]
        plan = Plan(
            asked=asked,
            config=config,
            store=store,
            known=known,
            docker_host=private,
            captured=_captured(config.upstream, asked),
            clients=clients,
            # In place of the Engine's, where FILE will have it too: what the client starts,
            # such as a reaper, is learned as well.
            proxy_socket=sockets[0].path if is_given and sockets else "",
            places=places_of(os.environ) if asked.argv else NOWHERE,
        )
        return start.run(learn, plan)


def _apart(asked: Call) -> int:
    """Learn from many clients at once, a file for each."""
    from trioproxy.commands import start
    from trioproxy.commands.learnstack import learn_stack

    if asked.argv or asked.only_from or not asked.listen:
        raise ConfigError(
            f"{CLIENT} in the name of FILE is for clients that come by themselves",
            hint="name listeners with --listen, without COMMAND and --from, or a log with"
            " --from-log",
        )
    # What would keep each of them from a file of its own is said now, and not to each.
    Store(asked.path, asked.wish(asked.path))
    check_target(asked.path.with_name(CLIENT))
    config = _read_config(asked, "")
    return start.run(learn_stack, asked, config)


COMPOSE_FILES: Final = (
    *("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"),
)


def places_of(environment: Mapping[str, str]) -> Places:
    """Where COMMAND is started, as lists write it: what is that of all is left out.

    The folder of temporary files is only where TMPDIR says so: half of what stands in `/tmp`
    is there by its name. A Compose project is called like its folder unless it is said.
    """

    def folder(path: str) -> str:
        clean = normal.path(path) if path.startswith("/") else "/"
        return "" if clean == "/" else normal.quote(clean)

    try:
        here = os.getcwd()
    except OSError:  # it is gone
        here = ""
    project = environment.get("COMPOSE_PROJECT_NAME", "")
    if not project and any(map(os.path.exists, COMPOSE_FILES)):
        name = os.path.basename(here).lower()
        project = re.sub(r"[^a-z0-9_-]", "", name).lstrip("_-")
    is_name = PROJECT_NAME.fullmatch(project)
    tmp = folder(environment.get("TMPDIR", ""))
    return Places(folder(here), tmp, project if is_name else "")


def _read_clients(asked: Call) -> Origins | None:
    if not asked.only_from:
        return None
    if not asked.listen:
        raise ConfigError(
            "--from restricts who is learned from on a shared listener",
            hint="name the listener with --listen",
        )
    # The command comes by its own socket, as the user that we are.
    ours = [f"uid:{os.geteuid()}"] if asked.argv else []
    return Origins.parse([*asked.only_from, *ours])


def _private_folder(output: Path) -> TemporaryDirectory[str]:
    """Make a folder that only we may enter, for a socket nobody else may find.

    Clients read DOCKER_HOST in different ways: some decode a `%`, and some end at a `#`.
    So only a plain path does, and a short one.
    """
    for base in _folders(output):
        if PLAIN_FOLDER.fullmatch(base):
            with suppress(OSError):
                return TemporaryDirectory(prefix="trioproxy-", dir=base)
    raise ConfigError(
        "there is no folder to make a private socket in",
        hint="name one that we may write in with TMPDIR, or a socket with --listen",
    )


def _folders(output: Path) -> Iterator[str]:
    """Folders for the private socket, best first."""
    with suppress(FileNotFoundError):  # no folder of the usual ones takes a file
        yield tempfile.gettempdir()
    yield from (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/run", "/dev/shm")  # noqa: S108  mkdtemp makes a folder of its own in it, mode 0700
    yield os.path.realpath(output.parent)


def _captured(upstream: Address, asked: Call) -> Sequence[str]:
    """The paths at which COMMAND is to find our socket; stop where it cannot."""
    if not asked.capture:
        return ()
    if not asked.argv:
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


def _read_config(asked: Call, private: str) -> Config:
    from trioproxy.commands import start

    urls = (*([private] if private else []), *asked.listen)
    listen = tuple(map(parse_listener, urls))
    if not asked.apart and any(one.entry.policy for one in listen):
        raise ConfigError(
            "policy= of a listener names its client, and FILE is one for all clients",
            hint=f"write {CLIENT} in the name of FILE, or leave policy= out",
        )
    upstream = upstream_address(asked.upstream, os.environ, docker_host=True)
    config = Config.read(listen, upstream, os.environ, level="warning")
    start.check_addresses(config.upstream, config.all_listened)
    if warning := start.check_upstream(config.upstream, os.environ):
        tell.warn(warning)
    return config
