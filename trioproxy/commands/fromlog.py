"""`trioproxy learn --from-log`: the logs of other proxies, read, told of and written down.

What a line says is `logs.loglines`, what becomes of it `logs.logrun`. Logs are
streamed: of one of many gigabytes no more is in memory than a line.
"""

import gzip
import re
import signal
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Final

from trioproxy.commands import tell
from trioproxy.commands.asked import Call
from trioproxy.commands.closing import Closing, say_beyond
from trioproxy.errors import ConfigError
from trioproxy.evidence.clients import Origins
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.sight import REFUSED
from trioproxy.files import cannot, is_one_file
from trioproxy.learning.store import Store
from trioproxy.learning.wording import count, some
from trioproxy.logs.logformats import FORMATS, PROGRAMS
from trioproxy.logs.loglines import LINE_LIMIT
from trioproxy.logs.logrun import CLIENTS_TOLD_APART, EVERYBODY, LogFile, united
from trioproxy.quoting import visible

STDIN: Final = "-"
GZIP: Final = b"\x1f\x8b"
BLOCK: Final = 64 * 1024
LINE_SHOWN: Final = 120
CLIENTS_SHOWN: Final = 8
NOTHING_WRITTEN: Final = "nothing was written"

KNOWN: Final = f"logs of these are read: {PROGRAMS}; docs/learning.md has more"


def learn(asked: Call) -> int:
    """Read the logs, write what they show, and sum it up; the exit status."""
    # Each file is looked at before the first one is written, and before hours of reading.
    stores = {} if asked.apart else {EVERYBODY: _open(asked, EVERYBODY)}
    logs = {name: _read_log(name, asked) for name in dict.fromkeys(asked.logs)}
    parts = united(logs.values())
    if not parts:
        raise _nothing_learned(logs, asked)
    if asked.apart:
        if len(parts) > CLIENTS_TOLD_APART:
            raise ConfigError(
                f"there are more than {CLIENTS_TOLD_APART} clients, too many for a file each",
                hint="name those that matter with --from",
            )
        asked.refuse_shared(parts)
        stores = {client: _open(asked, client) for client in sorted(parts)}
    if not asked.quiet:
        for name, log in logs.items():
            for line in _told_of(_shown(name), log, asked):
                tell.warn(line)
    statuses = list[int]()
    for name, store in stores.items():
        saved = store.save(parts[name], is_final=True)
        Closing(store=store, until=asked.until, never=asked.never).show(saved)
        statuses.append(say_beyond(store))
    return max(statuses)


# -- reading -------------------------------------------------------------------------------


def _read_log(name: str, asked: Call) -> LogFile:
    includes = Origins.parse(asked.only_from).includes if asked.only_from else None
    selection = " ".join(sorted(set(asked.only_from)))
    log = LogFile(includes=includes, selection=selection, apart=asked.apart)
    with _opened(name) as stream:
        try:
            for line in _lines(stream):
                log.feed(line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(
                f"{_shown(name)} is damaged: {error}", hint=NOTHING_WRITTEN
            ) from error
    log.end()
    if not log.forms:
        raise _unknown_log(_shown(name), log)
    return log


@contextmanager
def _opened(name: str) -> Iterator[BufferedIOBase]:
    """Open a log for reading, unpacked if it is packed."""
    if name == STDIN and sys.stdin.isatty():
        raise ConfigError(
            "--from-log - reads what is piped in, and nothing is",
            hint="docker logs NAME 2>&1 | trioproxy learn -o FILE --from-log -",
        )
    try:
        if name == STDIN:
            with _outlasting_a_ctrl_c():
                yield _unpacked(sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                yield _unpacked(file)
    except OSError as error:
        raise cannot("read", Path(_shown(name)), error) from error


@contextmanager
def _outlasting_a_ctrl_c() -> Iterator[None]:
    """Take the first SIGINT as meant for whoever writes to us: `docker logs -f` ends by it.

    What is piped in then ends too, and what was read is learned from. A second one
    ends us.
    """

    def on_first(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        tell.warn(
            "interrupted: what is piped in is read to its end; once more to give up"
        )

    before = signal.signal(signal.SIGINT, on_first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _unpacked(stream: IO[bytes]) -> BufferedIOBase:
    # By its content: a name says nothing about what is piped in.
    if stream.peek(len(GZIP)).startswith(GZIP):  # type: ignore[attr-defined]  # buffered
        return gzip.GzipFile(fileobj=stream)
    if stream.peek(len(BOM_UTF8)).startswith(BOM_UTF8):  # type: ignore[attr-defined]
        stream.read(len(BOM_UTF8))
    return stream  # type: ignore[return-value]  # buffered


_EMPTY_LINES: Final = re.compile(rb"[\r\n]+")


def _lines(stream: BufferedIOBase) -> Iterator[bytes]:
    """Lines without their ends; of one that is too long, its beginning.

    Empty ones are left out before anything is looked at line by line: packed, hundreds of
    millions of them take no room.
    """
    rest = b""
    while block := stream.read1(BLOCK):
        *lines, rest = _EMPTY_LINES.sub(b"\n", rest + block).split(b"\n")
        yield from (line[:LINE_LIMIT] for line in lines)
        rest = rest[:LINE_LIMIT]
    yield rest


# -- telling -------------------------------------------------------------------------------


def _told_of(name: str, log: LogFile, asked: Call) -> Iterator[str]:
    """Say what was found in a log, and what of it could not be used."""
    programs = ", ".join(sorted(log.forms))
    yield f"{name}: {count(log.requests, 'request')} in the log of {programs}"
    yield from (f"{name}: {fault}" for fault in _unused(log))
    if log.others:
        yield f"{name}: {count(log.others, 'other line')} skipped"
    yield from (f"not granted: an unknown route, {route}" for route in log.unknown)
    if not asked.apart and not asked.only_from and len(log.clients) > 1:
        yield (
            f"{name}: learned from {_names(log.clients)} together;"
            " {client} in the name of FILE makes a file for each"
        )
    if log.results == {REFUSED}:
        hints = (one.hint for one in FORMATS if one.hint and one.name in log.forms)
        yield from (f"{name}: {hint}" for hint in hints)


def _unused(log: LogFile) -> Iterator[str]:
    """How many requests showed nothing, by the reason."""
    for number, reason in (
        (log.passed_over, "of other clients, not learned from"),
        (log.unanswered, "not answered by the Engine"),
        (log.cut, "with a path that the log cut off"),
        (log.undated, "without a date"),
        *(
            (number, f"not understood: {tell.plain(why)}")
            for why, number in log.unread.most_common()
        ),
    ):
        if number:
            yield f"{count(number, 'request')} {reason}"


def _unknown_log(name: str, log: LogFile) -> ConfigError:
    if not log.others:
        return ConfigError(
            f"{name} is empty",
            hint="docker logs writes to stdout and stderr: docker logs NAME 2>&1 | ...",
        )
    line = log.first_other[:LINE_SHOWN].decode("ascii", "replace")
    return ConfigError(
        f"{name} has no line in a form that is known; the first is: {visible(line)}",
        hint=KNOWN,
    )


def _nothing_learned(logs: Mapping[str, LogFile], asked: Call) -> ConfigError:
    names = ", ".join(map(_shown, logs))
    clients = {client for log in logs.values() for client in log.clients}
    if asked.apart and not any(clients):
        return ConfigError(
            f"{names} does not say who asked, so clients cannot be told apart",
            hint="leave {client} out of the name of FILE",
        )
    unused = (fault for log in logs.values() for fault in _unused(log))
    hint = f"clients in it: {_names(clients)}" if asked.only_from else NOTHING_WRITTEN
    why = "; ".join(unused)
    return ConfigError(f"{names} shows nothing to learn: {why}", hint=hint)


def _names(clients: set[str]) -> str:
    named = sorted(client or "somebody unknown" for client in clients)
    return some(named, CLIENTS_SHOWN)


def _shown(name: str) -> str:
    return "stdin" if name == STDIN else name


# -- writing -------------------------------------------------------------------------------


def _open(asked: Call, client: str) -> Store:
    """Look at the file for a client; stop before any work where it cannot be extended."""
    path = asked.path_of(client)
    evidence = evidence_path(path)
    if any(is_one_file(evidence, log) for log in asked.logs):
        raise ConfigError(
            f"{evidence} is the log, and where the evidence of {path} is stored",
            hint="write another file with -o",
        )
    store, known = asked.open(path)
    tell.damaged(known.damage)
    return store
