"""Where else an Engine may be: what a hint can name when there is none where we looked.

The usual sockets of this user, `DOCKER_HOST` and `CONTAINER_HOST`, and the docker command's
current context. Nothing is chosen here, and what cannot be read is passed over: it is a
hint, and a person decides.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from trioproxy.commands.dialing import connected
from trioproxy.config import Address, UnixAddress, parse_address, tunnel
from trioproxy.errors import ConfigError

USUAL: Final = (
    ("{run}/docker.sock", "rootless Docker"),
    ("{home}/.docker/desktop/docker.sock", "Docker Desktop"),
    ("{home}/.docker/run/docker.sock", "Docker Desktop"),
    ("{home}/.colima/default/docker.sock", "Colima"),
    ("{home}/.rd/docker.sock", "Rancher Desktop"),
    ("{home}/.orbstack/run/docker.sock", "OrbStack"),
    ("{run}/podman/podman.sock", "rootless Podman"),
    ("/var/run/docker.sock", "Docker"),
    ("/run/podman/podman.sock", "Podman"),
)
"""Where programs put their sockets, and whose they are."""

PROBE_SECONDS: Final = 0.2


def hint(tried: Address, environ: Mapping[str, str]) -> str:
    """Name what would work in place of `tried`; empty if nothing is found."""
    found = (_advice(url, what, tried) for url, what in candidates(environ))
    return next(filter(None, found), "")


def candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """All places worth a look, each with how it is known: what this user has set first."""
    for name in ("DOCKER_HOST", "CONTAINER_HOST"):
        if url := environ.get(name, ""):
            yield url, name
    name = _current_context(environ)
    if name and (url := _context_host(name, environ)):
        yield url, f"the docker context {name}"
    places = {
        "run": environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}"),
        "home": environ.get("HOME", ""),
    }
    for path, what in USUAL:
        yield f"unix://{path.format(**places)}", what


def _advice(url: str, what: str, tried: Address) -> str:
    if not url.isprintable():
        return ""
    if url.startswith("ssh://"):
        return f"{what} is {url}: {tunnel(url)}"
    try:
        address = parse_address(url)
        # A TCP address is not asked: that may take long.
        if address == tried or not isinstance(address, UnixAddress):
            return ""
        connected(address, PROBE_SECONDS).close()
    except (ConfigError, OSError, ValueError):  # ValueError: it is too long
        return ""
    return f"{what} answers at {url}: name it with --upstream or SOCKET_PATH"


def _client_folder(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(environ.get("DOCKER_CONFIG") or f"{home}/.docker")


def _current_context(environ: Mapping[str, str]) -> str:
    name: object = environ.get("DOCKER_CONTEXT", "")
    if not name:
        config = _read_object(_client_folder(environ) / "config.json")
        name = config.get("currentContext")
    return name if isinstance(name, str) and name != "default" else ""


def _context_host(name: str, environ: Mapping[str, str]) -> str:
    """The Engine's address in a context: a file in a folder named by the name's digest."""
    # Here, for it brings libcrypto along: a fifth of the idle memory of who serves.
    from hashlib import sha256

    digest = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    folder = _client_folder(environ) / "contexts" / "meta" / digest
    found: object = _read_object(folder / "meta.json")
    for key in ("Endpoints", "docker", "Host"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _read_object(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
