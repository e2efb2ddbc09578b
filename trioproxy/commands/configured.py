"""`enforce --print-config`: each setting, its value, and where that comes from.

As a start would have them, and what a start refuses was refused before. Of variables that
grant, the names are told and not the values, which may hold what a client sets in an
environment: what a policy means is for `explain` to say.
"""

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from trioproxy import percent
from trioproxy.commands.terminal import show, write
from trioproxy.config import (
    LOG_DESCRIPTORS,
    Config,
    Listened,
    UnixAddress,
    client_limit,
)
from trioproxy.file.variables import PERMISSIONS, SETTINGS
from trioproxy.judge.gate import Gate

PLAIN: Final = percent.LETTERS | frozenset(b"/._-")
ENVIRONMENT: Final = "environment"
DEFAULT: Final = "default"

ELSEWHERE: Final[dict[str, object]] = {
    "BIND_CONFIG": "see LISTEN",
    "DISABLE_IPV6": "see LISTEN",
    "DOCKER_HOST": "of learn alone: see SOCKET_PATH",
    "ENV_FILE": "see the policies",
    "TZ": "of nothing: times in the log are UTC",
}
"""Settings without a value of their own here: told of where somebody set them."""

OPTIONS: Final = {"LISTEN": "listen", "SOCKET_PATH": "upstream"}
"""Those that an option takes precedence of, and its name."""

ALONE: Final = ("ask", "record", "shadow", "watch")
"""Options that no variable stands for."""


class Setting(NamedTuple):
    """A setting as it is in force."""

    name: str
    value: object
    source: str


def values(config: Config) -> dict[str, object]:
    """What each setting comes to."""
    return {
        "ALLOWED_HOSTS": sorted(config.allowed_hosts),
        "ASK_SECONDS": config.ask_seconds,
        "LISTEN": [url_of(one) for one in config.listen],
        "LOG_FORMAT": config.log_format,
        "LOG_LEVEL": config.level.name.lower(),
        "LOG_TO": {fd: name for name, fd in LOG_DESCRIPTORS.items()}[config.log_fd],
        "MAX_BODY": config.max_body,
        "MAX_CONNECTIONS": config.max_connections,
        "MAX_CONNECTIONS_PER_CLIENT": client_limit(
            config.max_connections_per_client, config.max_connections
        ),
        "METRICS": url_of(config.metrics) if config.metrics else "",
        "POLICIES": config.policies,
        "SOCKET_PATH": str(config.upstream),
    }


def settings(config: Config, options: Mapping[str, Any]) -> Iterator[Setting]:
    """All settings; `options`: what the command line says, by the names of the command's."""
    found = ELSEWHERE | values(config)
    for name in sorted(SETTINGS):
        source = ENVIRONMENT if os.environ.get(name) else DEFAULT
        if options.get(OPTIONS.get(name, "")):
            source = f"--{OPTIONS[name]}"
        elif source is DEFAULT and name == "LISTEN" and os.environ.get("BIND_CONFIG"):
            source = "BIND_CONFIG"
        if source is not DEFAULT or name not in ELSEWHERE:
            yield Setting(name, found[name], source)
    for option in ALONE:
        given = options[option] or False
        yield Setting(f"--{option}", given, f"--{option}" if given else DEFAULT)


def url_of(address: Listened) -> str:
    """An address as `--listen` takes it, with all that it is."""
    entry, words, url = address.entry, list[str](), str(address)
    if isinstance(address, UnixAddress):
        url = f"unix://{_quoted(address.path)}"
        owners = (("uid", address.uid), ("gid", address.gid))
        words += [f"mode={address.mode:04o}"]
        words += [f"{name}={number}" for name, number in owners if number >= 0]
    words += [f"policy={_quoted(entry.policy)}"] if entry.policy else []
    words += [f"allow={','.join(map(str, entry.allow))}"] if entry.allow else []
    words += [f"uids={','.join(map(str, sorted(entry.uids)))}"] if entry.uids else []
    return "?".join(filter(None, (url, "&".join(words))))


def _quoted(path: str) -> str:
    return percent.encode(path.encode(), PLAIN)


def policies(
    gates: Mapping[str, Gate], folder: Container[str], *, is_file: bool
) -> Iterator[Setting]:
    """Each policy, by what its clients are called; `folder`: those of `POLICIES`."""
    names = " ".join(sorted(PERMISSIONS & os.environ.keys()))
    plain = f"{ENVIRONMENT}: {names or 'nothing'}"
    if os.environ.get("ENV_FILE"):
        plain = "ENV_FILE"
    for client, gate in gates.items():
        source = "FILE" if is_file else plain
        if client:
            source = "POLICIES" if client in folder else "policy= of a listener"
        assert gate.policy is not None  # noqa: S101  who enforces has one
        text = f"{gate.describe()} hash={gate.policy.fingerprint}"
        yield Setting(client, text, source)


def print_config(
    config: Config,
    gates: Mapping[str, Gate],
    folder: Container[str],
    options: Mapping[str, Any],
    warnings: Iterable[tuple[str, str]],
) -> None:
    """Print all, and to stderr what a start would warn of in the policies, and in whose."""
    for client, warning in dict.fromkeys(warnings):
        if warning:
            whose = f"{client}: " if client else ""
            show(f"trioproxy: {whose}{warning}", err=True)
    found = list(settings(config, options))
    judging = list(policies(gates, folder, is_file=bool(options["file"])))
    if options["as_json"]:
        data = {
            what: {one.name: {"value": one.value, "from": one.source} for one in rows}
            for what, rows in (("settings", found), ("policies", judging))
        }
        write([json.dumps(data)])
        return
    named = (one._replace(name=f"policy {one.name}".rstrip()) for one in judging)
    rows = [*found, *named]
    wide = max(len(one.name) for one in rows)
    show(*(f"{one.name:{wide}}  {_text(one.value)}  ({one.source})" for one in rows))


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value) or "none"
