"""Clients behind limits that allow what they do: as on the raw socket, and no false refusal."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import send
from tests.end_to_end.proxies import enforcing
from tests.engine import Engine
from trioproxy.api.fields import ARGUED
from trioproxy.api.routes import OPERATIONS
from trioproxy.limits.objects import OWNER_LABEL

READS = [
    name
    for name, endpoints in OPERATIONS.items()
    if name not in {"BuildKitGrpc", *ARGUED} and not endpoints[0].is_unlimitable
]
LIMITS = {
    "ALLOW_OPERATIONS": ",".join(sorted({*READS, *ARGUED})),
    "CREATE_BINDS": "/srv/app",
    "EXEC_PRIVILEGED": "0",
    "PULL_IMAGES": "",
    "BUILD_OPTIONS": "",
}


@pytest.fixture(scope="module")
def limited(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy that grants all and lists one folder."""
    folder: Path = tmp_path_factory.mktemp("limited")
    listen = f"unix://{folder}/proxy.sock"
    # Makes the folder, which `--mount` wants to be there.
    engine.docker("run", "--rm", "--volume=/srv/app:/b", "busybox", "true")
    with enforcing(engine, listen=listen, variables=LIMITS):
        engine.docker("network", "create", "--ipv6", *SUBNETS, "fixed")
        yield listen
        engine.docker("network", "rm", "fixed")


SUBNETS = ("--subnet=10.98.0.0/24", "--subnet=2001:db8::/64")
HARMLESS = [
    "--add-host=a:1.2.3.4", "--attach=stdout", "--blkio-weight=0", "--cap-add=CHOWN", "--cap-drop=ALL",
    "--cgroupns=private", "--cidfile=CID", "--cpu-period=100000", "--cpu-quota=50000", "--cpu-shares=512",
    "--cpus=0.5", "--cpuset-cpus=0", "--cpuset-mems=0", "--dns=1.1.1.1", "--dns-option=x", "--dns-search=x",
    "--domainname=x", "--entrypoint=true", "--env=A=b", "--expose=80", "--group-add=audio", "--health-cmd=true",
    "--health-interval=9s", "--health-retries=2", "--health-start-period=2s", "--health-timeout=3s", "--hostname=x",
    "--init", "--interactive", "--ipc=private", "--ipc=none", "--isolation=default", "--kernel-memory=0",
    "--label=a=b", "--log-driver=none", "--log-driver=json-file", "--log-opt=max-size=1m", "--mac-address=02:42:ac:11:00:09",
    "--memory=64m", "--memory-reservation=32m", "--memory=64m --memory-swap=128m", "--mount=type=tmpfs,dst=/t", "--mount=type=volume,src=vol,dst=/v",
    "--mount=type=bind,src=/srv/app,dst=/b", "--mount=type=bind,src=/srv/app,dst=/b,readonly", "--name=named", "--network=none",
    "--network=bridge", "--network=default", "--no-healthcheck", "--oom-kill-disable=false", "--oom-score-adj=100",
    "--pids-limit=50", "--platform=linux/amd64", "--pull=never", "--quiet", "--read-only", "--restart=always", "--rm",
    "--runtime=runc", "--security-opt=no-new-privileges", "--shm-size=32m", "--stop-signal=TERM", "--stop-timeout=3",
    "--sysctl=net.core.somaxconn=100", "--tmpfs=/x:size=1m,noexec", "--tty", "--ulimit=nofile=99", "--user=1000:1000",
    "--volume=/srv/app:/b", "--volume=/srv/app:/b:ro", "--volume=named-v:/b", "--volume=/anon", "--workdir=/tmp",
    "--disable-content-trust", "--env-file=FILE", "--health-start-interval=2s", "--label-file=FILE", "--memory-swappiness=10",
    "--network=fixed --ip=10.98.0.9", "--network=fixed --ip6=2001:db8::9", "--network=fixed --link-local-ip=169.254.8.8",
    "--network=fixed --network-alias=www",
    "--mount=type=bind,src=/srv/app,dst=/b,bind-recursive=disabled", "--mount=type=bind,src=/srv/app,dst=/b,bind-propagation=rprivate",
    "--mount=type=bind,src=/srv/app,dst=/b,bind-recursive=writable,readonly", "--mount=type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777",
    "--mount=type=volume,src=vol,dst=/v,volume-nocopy,volume-label=a=b,readonly", "--sysctl=kernel.shmmax=65536",
    "--tmpfs=/x", "--ulimit=nproc=9:10", "--user=nobody", "--volume=/srv/app:/b:rw,rprivate,z",
]  # fmt: skip
BY_THE_MACHINE = [
    "--cpu-rt-period=1000000", "--cpu-rt-runtime=95000",
    # Of which this CLI sends an empty list.
    "--device-read-bps=/dev/null:1mb", "--device-read-iops=/dev/null:9",
    "--device-write-bps=/dev/null:1mb", "--device-write-iops=/dev/null:9",
    "--cpu-count=1", "--cpu-percent=50", "--io-maxbandwidth=1m", "--io-maxiops=9",
]  # fmt: skip
"""Harmless, but not every system and kernel has them."""
REFUSED = {
    "--privileged": "CREATE_PRIVILEGED",
    "--volume=/etc:/e": "CREATE_BINDS",
    "--volume=/srv/app/../x:/e": "CREATE_BINDS",
    "--volume=/srv/app:/b:rshared": "CREATE_OPTIONS",
    "--mount=type=bind,src=/etc,dst=/e": "CREATE_BINDS",
    "--mount=type=volume,dst=/e,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/": "CREATE_BINDS",
    "--cap-add=SYS_ADMIN": "CREATE_CAPS",
    "--cap-add=ALL": "CREATE_CAPS",
    "--device=/dev/null": "CREATE_DEVICES",
    "--blkio-weight-device=/dev/null:100": "CREATE_DEVICES",
    "--device-cgroup-rule=a *:* rwm": "CREATE_DEVICES",
    "--gpus=all": "CREATE_DEVICES",
    "--security-opt=seccomp=unconfined": "CREATE_SECURITY",
    "--security-opt=apparmor=unconfined": "CREATE_SECURITY",
    "--security-opt=label=disable": "CREATE_SECURITY",
    "--security-opt=systempaths=unconfined": "CREATE_SECURITY",
    "--pid=host": "CREATE_NAMESPACES",
    "--ipc=host": "CREATE_NAMESPACES",
    "--ipc=shareable": "CREATE_NAMESPACES",
    "--network=host": "CREATE_NAMESPACES",
    "--network=container:x": "CREATE_NAMESPACES",
    "--uts=host": "CREATE_NAMESPACES",
    "--userns=host": "CREATE_NAMESPACES",
    "--cgroupns=host": "CREATE_NAMESPACES",
    "--volumes-from=x": "CREATE_NAMESPACES",
    "--link=x:y": "CREATE_NAMESPACES",
    "--log-driver=syslog": "CREATE_DRIVERS",
    "--volume-driver=x": "CREATE_DRIVERS",
    "--log-opt=syslog-address=tcp://x:1": "CREATE_OPTIONS",
    "--runtime=runsc": "CREATE_RUNTIMES",
    "--publish=8080:80": "CREATE_PORTS",
    "--publish=80": "CREATE_PORTS",
    "--publish-all": "CREATE_PORTS",
    "--cgroup-parent=/x": "CREATE_OPTIONS",
    "--annotation=a=b": "CREATE_OPTIONS",
    "--storage-opt=x=y": "CREATE_OPTIONS",
}


def create(
    engine: Engine, host: str | None, *options: str, folder: Path
) -> tuple[int, str]:
    """`docker create` with an option; what the Engine made of it, or the CLI's words."""
    (folder / "CID").unlink(missing_ok=True)
    (folder / "FILE").write_text("A=b\n")
    for name in ("CID", "FILE"):
        options = tuple(one.replace(f"={name}", f"={folder}/{name}") for one in options)
    ran = engine.docker("create", *options, "busybox", "true", host=host, check=False)
    if ran.status:
        return ran.status, ran.errors
    # The CLI takes ten times as long for what the Engine says in one answer.
    path = f"/containers/{ran.text.splitlines()[-1]}"
    made = json.loads(send(engine.url, "GET", f"{path}/json").body)
    assert send(engine.url, "DELETE", f"{path}?force=1").status == 204
    kept = {"Config": made["Config"], "HostConfig": made["HostConfig"]}
    kept["Config"].pop("Hostname")
    mark = kept["Config"]["Labels"].pop(OWNER_LABEL, None)
    assert mark == (None if host is None else "")
    kept["HostConfig"].pop("ContainerIDFile")
    for mount in made["HostConfig"].get("Mounts") or ():
        _take_mark(mount)
    return 0, json.dumps(kept, sort_keys=True)


def _take_mark(mount: dict[str, Any]) -> None:
    """Take the mark off a mount, and what is only there to hold it."""
    options = mount.get("VolumeOptions") or {}
    labels = options.get("Labels") or {}
    if labels.pop(OWNER_LABEL, None) is not None and not labels:
        options.pop("Labels")
    if not options:
        mount.pop("VolumeOptions", None)


@pytest.mark.engine
@pytest.mark.parametrize("option", HARMLESS)
def test_a_harmless_option_is_as_on_the_raw_socket(
    option: str, engine: Engine, limited: str, tmp_path: Path
) -> None:
    """Each option of `docker create` that asks for nothing passes, and means the same."""
    through = create(engine, limited, *option.split(), folder=tmp_path)
    assert through[0] == 0, through
    assert through == create(engine, None, *option.split(), folder=tmp_path)


@pytest.mark.engine
@pytest.mark.parametrize("option", BY_THE_MACHINE)
def test_what_a_machine_may_not_have_is_as_on_the_raw_socket(
    option: str, engine: Engine, limited: str, tmp_path: Path
) -> None:
    """An option that asks for nothing gets the Engine's answer, whichever that is."""
    through = create(engine, limited, option, folder=tmp_path)
    assert through == create(engine, None, option, folder=tmp_path)


@pytest.mark.engine
def test_every_option_is_tried(engine: Engine) -> None:
    """No option of `docker create` is left out here."""
    text = engine.docker("create", "--help").text
    options = set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z0-9-]+)", text)) - {"--help"}
    tried = " ".join([*HARMLESS, *BY_THE_MACHINE, *REFUSED])
    assert options - set(re.findall(r"--[a-z0-9-]+", tried)) == set()
    assert len(options) > 90


@pytest.mark.engine
@pytest.mark.parametrize(("option", "variable"), REFUSED.items(), ids=REFUSED)
def test_an_option_that_asks_is_refused_by_its_variable(
    option: str, variable: str, engine: Engine, limited: str, tmp_path: Path
) -> None:
    """Each option that asks for power is refused, and the right variable is named."""
    status, words = create(engine, limited, option, folder=tmp_path)
    assert status != 0
    assert f"which {variable} does not list" in words, words


COMPOSE = """\
services:
  web:
    image: busybox
    command: ["sleep", "60"]
    cap_drop: [ALL]
    cpus: 0.5
    dns: [1.1.1.1]
    environment: {A: b}
    expose: ["80"]
    extra_hosts: ["a:1.2.3.4"]
    healthcheck: {test: ["CMD", "true"], interval: 30s}
    hostname: web
    init: false
    labels: {a: b}
    logging: {driver: json-file, options: {max-size: 1m}}
    mem_limit: 64m
    networks: {front: {aliases: [www]}, back: {}}
    pids_limit: 50
    read_only: true
    restart: unless-stopped
    security_opt: ["no-new-privileges:true"]
    shm_size: 32m
    stop_grace_period: 1s
    stop_signal: KILL
    sysctls: {net.core.somaxconn: 100}
    tmpfs: ["/run:size=1m"]
    ulimits: {nofile: 99}
    user: "0"
    volumes: ["data:/data", "/srv/app:/app:ro", {type: tmpfs, target: /t}]
    working_dir: /tmp
  other:
    image: busybox
    command: ["sleep", "60"]
    stop_signal: KILL
    depends_on: [web]
    networks: [back]
networks:
  front: {}
  back: {driver: bridge, internal: true}
volumes:
  data: {}
"""


@pytest.mark.engine
@pytest.mark.slow
def test_a_compose_project_lives_behind_limits(
    engine: Engine, limited: str, tmp_path: Path
) -> None:
    """A project of thirty features goes up and down, and is made as on the raw socket."""
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    directly = project(engine, file, None)
    assert {"web", "other", "front", "back", "data"} <= directly.keys()
    assert project(engine, file, limited) == directly


def project(engine: Engine, file: Path, host: str | None) -> dict[str, object]:
    """Bring a project up and down; what the Engine had of it meanwhile, by name."""

    def compose(*command: str) -> None:
        ran = subprocess.run(
            ["docker-compose", "-p", "limited", "-f", str(file), *command],
            env=engine.environment(host),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()

    compose("up", "-d")
    compose("exec", "-T", "web", "true")
    compose("ps")
    found = {
        service: container(engine, f"limited-{service}-1")
        for service in ("web", "other")
    }
    for kind, names in {"network": ("front", "back"), "volume": ("data",)}.items():
        for name in names:
            seen = engine.docker(kind, "inspect", f"limited_{name}").output
            found[name] = without(json.loads(seen)[0], VARYING)
    compose("down", "-v", "-t", "1")
    return found


VARYING = {
    *("Id", "Created", "CreatedAt", "Containers", "Mountpoint", "IPAM", "NetworkID"),
    *("EndpointID", "Gateway", "IPAddress", "MacAddress", "DNSNames", "Aliases"),
    OWNER_LABEL,
}
"""What no two runs have in common: ids, dates, addresses; and the label that is ours."""


def container(engine: Engine, name: str) -> object:
    """What the Engine made of a service."""
    made = json.loads(engine.docker("inspect", name).output)[0]
    aliases = {
        network: sorted(set(one["Aliases"]) - {made["Id"][:12]})
        for network, one in made["NetworkSettings"]["Networks"].items()
    }
    kept = {name: made[name] for name in ("Config", "HostConfig")}
    return aliases, without(kept, VARYING | {"Hostname"})


def without(value: object, names: set[str]) -> object:
    """A value without these names, however deep; order counts for no list, and no labels
    are as an empty map of them."""
    if isinstance(value, dict):
        kept = {k: without(one, names) for k, one in value.items() if k not in names}
        return {k: one for k, one in kept.items() if k != "Labels" or one}
    if isinstance(value, list):
        return sorted((without(one, names) for one in value), key=str)
    return value
