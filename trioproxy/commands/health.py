"""`trioproxy health`: does a running proxy reach the Engine? For a HEALTHCHECK."""

import json
import os
from dataclasses import replace
from typing import Any

import click

from trioproxy.commands.dialing import answer_of
from trioproxy.commands.terminal import show, write_whole
from trioproxy.commands.versions import versions
from trioproxy.config import (
    Address,
    FdAddress,
    Listened,
    UnixAddress,
    listen_addresses,
    parse_listener,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.judge.escapes import old_components
from trioproxy.quoting import in_quotes, visible

Data = dict[str, Any]

DEADLINE = 5.0
"""Seconds from the question to the end of the answer, however that comes."""
DOWN = "the proxy runs, but the Engine does not answer"
STALE = ", and a newer policy{} was refused: its log says why (reload-failed)"
ALIVE = "the proxy answers"
REQUEST = "GET /_trioproxy/{} HTTP/1.1\r\nHost: trioproxy\r\nConnection: close\r\n\r\n"

EPILOG = """\b
Examples:
  trioproxy health
  trioproxy health tcp://127.0.0.1:2375
  trioproxy health --fail-stale
"""


@click.command(name="health", epilog=EPILOG)
@click.argument("url", required=False)
@click.option(
    "--fail-stale",
    is_flag=True,
    help="Exit status 1 also where a newer policy was refused, and an older one counts.",
)
@click.option(
    "--probe",
    type=click.Choice(["live", "ready"]),
    help="live: whether the proxy answers, whatever the Engine does, for who would restart"
    " it. ready: whether a request would be served now.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *, url: str | None, fail_stale: bool, probe: str | None, as_json: bool
) -> int:
    """Ask a running proxy whether the Engine answers.

    URL is the proxy's listener (default: as `enforce` would listen). The proxy makes a
    real round trip to the Engine, whatever its policy. Exit status 0 up, 1 not.

    It says the hash of the policy in force, as the log does, and whether a newer file was
    refused when it was read again.

    Without URL the Engine itself is asked for its versions, if this user may: programs of
    it with known holes are named, and change no exit status.
    """
    listener = parse_listener(url) if url else listen_addresses((), os.environ)[0]
    address = _reached(listener)
    if probe == "live" and fail_stale:
        raise click.UsageError(
            "--fail-stale asks for the policy, and --probe=live does not"
        )
    told = ask_proxy(address, probe or "health")
    # Another proxy may have another Engine.
    is_ours = told["up"] and not (url or probe)
    answer = versions(upstream_address(None, os.environ)) if is_ours else None
    old = list(map(str, old_components(answer)))
    if as_json:
        write_whole(json.dumps({**told, "old": old}) + "\n")
    else:
        show(f"{address}: {_shown(told)}", *old)
    return 0 if told["up"] and not (fail_stale and told["stale"]) else 1


def _reached(listener: Listened) -> Address:
    if isinstance(listener, FdAddress):
        raise ConfigError(
            f"{listener} is a socket of whoever starts the proxy, which no other can find",
            hint="name it as it is reached: trioproxy health unix:///path",
        )
    return listener


def _shown(told: Data) -> str:
    policy = f"; policy {told['policy']}" if told["policy"] else ""
    stale = [
        visible(client or "the process")
        for client, said in told.get("policies", {}).items()
        if "newer" in said
    ]
    whose = f" of {', '.join(stale)}" if stale else ""
    return f"{told['detail']}{policy}{STALE.format(whose) if told['stale'] else ''}"


def ask_proxy(address: Address, probe: str) -> Data:
    """Ask the proxy at `address` whether all is well; `probe`: health, live or ready.

    As `--json` has it: the hash of the policy in force, empty where none is told; whether a
    newer one was refused, this or another's; and where clients have their own, all of them.
    """
    told: Data = {"up": False, "proxy": str(address), "policy": "", "stale": False}
    try:
        question = REQUEST.format(probe).encode()
        answer = answer_of(_reachable(address), question, DEADLINE)
    except OSError as error:
        detail = f"the proxy does not answer: {error.strerror or error}"
        return told | {"detail": detail}
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"\r\nServer: trioproxy" not in head:
        return told | {"detail": "this is no trioproxy"}
    is_up, words = head.startswith(b"HTTP/1.1 200"), _words(body)
    if not is_up and "engine" not in words:
        return told | {"detail": f"unexpected answer: {in_quotes(answer, 80)}"}
    detail = "the Engine answers" if is_up else DOWN
    if probe == "live":
        detail = ALIVE
    elif words.get("engine") == "up" and "hindrance" in words:
        detail = f"not ready: {visible(str(words['hindrance']))}"
    of_all = words.get("policies")
    if not isinstance(of_all, dict) or {dict} != {*map(type, of_all.values())}:
        of_all = {}
    told |= {"up": is_up, "detail": detail, "policy": str(words.get("policy", ""))}
    told |= {"stale": any("newer" in one for one in (words, *of_all.values()))}
    return told | ({"policies": of_all} if of_all else {})


def _words(body: bytes) -> Data:
    try:
        words = json.loads(body)
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}


def _reachable(address: Address) -> Address:
    """A listener on all interfaces is asked on loopback."""
    if isinstance(address, UnixAddress) or address.host not in {"", "0.0.0.0", "::"}:  # noqa: S104
        return address
    is_v6 = address.host == "::" and not address.dual_stack
    return replace(address, host="::1" if is_v6 else "127.0.0.1")
