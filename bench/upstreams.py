"""What stands behind the proxies: nginx, our stand-in for bytes, and a real Engine."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.processes import Child, python_program
from bench.wire import free_port

DOWNLOAD_SIZE = 1 << 30


class Upstream(StrEnum):
    """The three kinds of upstream."""

    FAST = "fast"
    BULK = "bulk"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where an upstream is reached."""

    socket: Path
    """By the proxies."""
    port: int
    """By the measuring client, without a proxy."""
    prefix: tuple[str, ...] = ()
    """How a client's command line starts: the Engine has a network of its own."""


def container_list(count: int = 3) -> str:
    """A list of containers as the Engine answers it: three make 2 KB."""
    return json.dumps(
        [_container(number) for number in range(count)], separators=(",", ":")
    )


def _container(number: int) -> dict[str, object]:
    digits = f"{number:02x}" * 32
    return {
        "Id": digits,
        "Names": [f"/project-service-{number}"],
        "Image": "registry.example.org/project/service:1.4.2",
        "ImageID": f"sha256:{digits}",
        "Command": "docker-entrypoint.sh serve --listen 0.0.0.0:8080",
        "Created": 1767225600,
        "Ports": [
            {
                "IP": "0.0.0.0",
                "PrivatePort": 8080,
                "PublicPort": 8080 + number,
                "Type": "tcp",
            }
        ],
        "Labels": {
            "com.docker.compose.project": "project",
            "com.docker.compose.service": "service",
        },
        "State": "running",
        "Status": "Up 3 hours",
        "HostConfig": {"NetworkMode": "project_default"},
        "Mounts": [],
    }


_NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
worker_processes 2;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    sendfile on;
    server {{
        listen unix:{socket} backlog=4096;
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        add_header Api-Version 1.45;
        add_header Docker-Experimental false;
        add_header Ostype linux;
        location ~ ^(/v[0-9.]+)?/_ping$ {{ return 200 'OK'; }}
        location ~ ^(/v[0-9.]+)?/containers/json$ {{ return 200 '{list}'; }}
        location ~ ^(/v[0-9.]+)?/containers/[^/]+/json$ {{ return 200 '{list}'; }}
        location ~ ^(/v[0-9.]+)?/containers/[^/]+/export$ {{ default_type application/x-tar; alias {file}; }}
        location ~ ^(/v[0-9.]+)?/containers/create$ {{ return 201 '{{"Id":"4b1c9f","Warnings":[]}}\n'; }}
        location ~ ^(/v[0-9.]+)?/images/json$ {{ ssi on; ssi_types application/json; return 200 '{list}'; }}
    }}
}}
"""
# Server-side includes find nothing, but take the length away: /images/json is chunked.


def start_fast(folder: Path) -> tuple[Callable[[], None], Reach]:
    """Start nginx on a Unix socket and a port."""
    reach = Reach(socket=folder / "fast.sock", port=free_port())
    file = folder / "download"
    with file.open("wb") as sparse:
        sparse.truncate(DOWNLOAD_SIZE)
    config = folder / "nginx.conf"
    text = _NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        socket=reach.socket,
        port=reach.port,
        list=container_list(),
        file=file,
    )
    config.write_text(text)
    child = Child(
        "nginx",
        ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(config)],
        folder / "nginx.log",
    )
    child.wait_listening(reach.port)
    return child.stop, reach


def start_bulk(folder: Path) -> tuple[Callable[[], None], Reach]:
    """Start the stand-in for bytes."""
    reach = Reach(socket=folder / "bulk.sock", port=free_port())
    command = python_program("bench.standin", str(reach.socket), str(reach.port))
    child = Child("the stand-in", command, folder / "standin.log")
    child.wait_listening(reach.port)
    return child.stop, reach
