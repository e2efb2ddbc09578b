"""The clients whose sources were read: which version, and how each is held.

What a client asks for is one table, `learned/documented/calls.tsv`: a row for each call that
its source shows, with the file and the function. The policy files, what the program lists
and the table of docs/clients.md are made of that and of what stands here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.learned.install import ROOT
from trioproxy.api.matched import Request
from trioproxy.learning.learnedfile import Learned, render

FOLDER = ROOT / "learned" / "documented"
CALLS = FOLDER / "calls.tsv"
MOST_FILES = 3
"""More files than these are not named in the head of a policy: the table has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read: a client, or a library that many of them call."""

    name: str
    repository: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(Source):
    """One policy: `learned/documented/NAME.env`."""

    client: str
    uses: tuple[str, ...] = ()
    """Of which others it makes the calls, too: a library, or the same client with less."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """What holds it where it creates or runs something, in the order of the file."""
    point: str
    missing: str = ""
    """What its source has beside that, which the file does not grant."""


class Call(NamedTuple):
    """One row of the table."""

    name: str
    file: str
    function: str
    method: str
    target: str
    body: str = ""

    @property
    def operation(self) -> str:
        """What of the table of operations it is."""
        found = Request.parse(self.method, self.target.encode("ascii")).endpoint
        assert found, f"{self.method} {self.target} is no route of the Engine"
        return found.operation


GO = "moby-client"
LIBRARIES = (
    Source(name=GO, repository="moby/moby", version="docker-v29.7.2"),
    Source(name="docker-py", repository="docker/docker-py", version="7.2.0"),
    Source(
        name="go-dockerclient", repository="fsouza/go-dockerclient", version="v1.12.4"
    ),
)

HOST = "`DOCKER_HOST`"
OWN = {"ONLY_CONTAINERS": "@own", "ONLY_NETWORKS": "@own,bridge,default,none", "ONLY_VOLUMES": "@own"}  # fmt: skip
SHOP = {
    "CREATE_BINDS": "/srv/app",
    "CREATE_IMAGES": "nginx:1.27",
    "CREATE_PORTS": "80,443",
    "PULL_IMAGES": "nginx:1.27",
}
PROJECT = {f"ONLY_{kind}": "@project:shop" for kind in ("CONTAINERS", "NETWORKS", "VOLUMES")}  # fmt: skip

CLIENTS = (
    Client(
        name="traefik",
        client="Traefik, docker",
        repository="traefik/traefik",
        version="v3.7.9",
        uses=(GO,),
        point="`endpoint:` of the provider",
    ),
    Client(
        name="traefik-swarm",
        client="Traefik, swarm",
        repository="traefik/traefik",
        version="v3.7.9",
        uses=(GO,),
        point="`endpoint:` of the provider",
    ),
    Client(
        name="portainer",
        client="Portainer, looking",
        repository="portainer/portainer",
        version="2.23.0",
        uses=(GO,),
        point="an environment of the kind *Docker API*: `socket-proxy:2375`",
        missing="buttons: `portainer-buttons`; a swarm's pages",
    ),
    Client(
        name="portainer-buttons",
        client="Portainer with its buttons",
        repository="portainer/portainer",
        version="2.23.0",
        uses=("portainer",),
        limits={
            **SHOP,
            "EXEC_PRIVILEGED": "0",
            "ONLY_CONTAINERS": "@own,@project:shop",
            "ONLY_NETWORKS": "@own,@project:shop,bridge,default,none",
            "ONLY_VOLUMES": "@own,@project:shop",
            "ONLY_OWNER": "portainer",
        },
        point="an environment of the kind *Docker API*: `socket-proxy:2375`",
        missing="the capability `MKNOD`, which its page for a new container asks for: switch it off there; build, import, export, commit, push and tag of images; stacks, which run Compose; a swarm's pages",
    ),
    Client(
        name="portainer-agent",
        client="Portainer agent, what it asks by itself and for pages that look",
        repository="portainer/agent",
        version="2.23.0",
        uses=("portainer",),
        point="the socket of a listener, mounted at `/var/run/docker.sock`",
        missing="volumes' files, which it reads below `/var/lib/docker/volumes`; buttons; a swarm",
    ),
    Client(
        name="watchtower",
        client="Watchtower (the maintained fork)",
        repository="nicholas-fedor/watchtower",
        version="v1.21.0",
        uses=(GO,),
        limits={
            **SHOP,
            **PROJECT,
            "ONLY_CONTAINERS": "@project:shop,watchtower",
        },
        point=f"{HOST}, `--host`",
        missing="`--cleanup`: `ImageDelete`; lifecycle hooks: `ContainerExec,ExecInspect,ExecStart`; its own update: `ContainerUpdate`",
    ),
    Client(
        name="dozzle",
        client="Dozzle",
        repository="amir20/dozzle",
        version="v10.7.3",
        uses=(GO,),
        point=f"{HOST}, `DOZZLE_REMOTE_HOST`",
        missing="actions: `dozzle-actions`",
    ),
    Client(
        name="dozzle-actions",
        client="Dozzle with its actions",
        repository="amir20/dozzle",
        version="v10.7.3",
        uses=("dozzle",),
        point=f"{HOST}, `DOZZLE_REMOTE_HOST`",
        missing="shell: `ContainerAttach,ContainerExec,ExecResize,ExecStart`; update: `ContainerCreate,ImageCreate`; of a service: `ServiceInspect,ServiceUpdate`",
    ),
    Client(
        name="homepage",
        client="Homepage",
        repository="gethomepage/homepage",
        version="v1.12.3",
        point="`host:` and `port:` in docker.yaml",
        missing="swarm: `ServiceInspect,ServiceList,TaskList`",
    ),
    Client(
        name="diun",
        client="Diun",
        repository="crazy-max/diun",
        version="v4.33.0",
        uses=(GO,),
        point=f"{HOST}, `endpoint:` of the provider",
        missing="swarm: `ServiceList`",
    ),
    Client(
        name="wud",
        client="WUD, looking",
        repository="getwud/wud",
        version="8.3.1",
        point="`WUD_WATCHER_LOCAL_HOST` and `_PORT`",
        missing="the trigger that updates: `wud-updating`",
    ),
    Client(
        name="wud-updating",
        client="WUD with the trigger docker",
        repository="getwud/wud",
        version="8.3.1",
        uses=("wud",),
        limits={**SHOP, **PROJECT},
        point="`WUD_WATCHER_LOCAL_HOST` and `_PORT`",
        missing="`PRUNE`: `ImageDelete,ImageList`",
    ),
    Client(
        name="uptime-kuma",
        client="Uptime Kuma",
        repository="louislam/uptime-kuma",
        version="2.5.3",
        point="a Docker host of the kind TCP",
    ),
    Client(
        name="beszel",
        client="Beszel agent",
        repository="henrygd/beszel",
        version="v0.18.8",
        point=HOST,
    ),
    Client(
        name="glance",
        client="Glance, docker-containers",
        repository="glanceapp/glance",
        version="v0.8.5",
        point="`sock-path: tcp://...`",
    ),
    Client(
        name="tsdproxy",
        client="TSDProxy",
        repository="almeidapaulopt/tsdproxy",
        version="v2.3.4",
        uses=(GO,),
        point="`host:` of the provider",
        missing="swarm: `ServiceInspect`",
    ),
    Client(
        name="newt",
        client="Newt (Pangolin)",
        repository="fosrl/newt",
        version="1.15.0",
        uses=(GO,),
        point="`DOCKER_SOCKET=tcp://...`",
    ),
    Client(
        name="act-runner",
        client="Gitea's runner of actions",
        repository="chhe/act_runner",
        version="13dc9386feaf (a mirror)",
        uses=(GO,),
        limits={
            "CREATE_BINDS": "@proxy",
            "PROXY_SOCKET": "/run/trioproxy-ci/docker.sock",
            "CREATE_IMAGES": "docker.gitea.com/runner-images:*",
            "PULL_IMAGES": "docker.gitea.com/runner-images:*",
            "EXEC_PRIVILEGED": "0",
            **OWN,
            "ONLY_OWNER": "act-runner",
        },
        point=HOST,
        missing="actions that are built of a Dockerfile: `ImageBuild`; images of other platforms: `ImageDelete`",
    ),
    Client(
        name="openhands",
        client="OpenHands, its runtime of Docker",
        repository="All-Hands-AI/OpenHands",
        version="0.62.0",
        uses=("docker-py",),
        limits={
            "CREATE_BINDS": "/srv/openhands",
            "CREATE_IMAGES": "ghcr.io/openhands/runtime:*",
            "CREATE_PORTS": "30000-59999",
            "PULL_IMAGES": "ghcr.io/openhands/runtime:*",
            **OWN,
            "ONLY_OWNER": "openhands",
        },
        point=HOST,
        missing="a runtime image that it builds: set `runtime_container_image`; more networks: `NetworkConnect,NetworkInspect`",
    ),
    Client(
        name="autoheal",
        client="Autoheal (willfarrell)",
        repository="willfarrell/docker-autoheal",
        version="1.2.0",
        point="`DOCKER_SOCK=tcp://...` with the image `latest`; to 1.2.0 that is HTTPS: the socket of a listener, mounted",
    ),
    Client(
        name="sablier",
        client="Sablier",
        repository="sablierapp/sablier",
        version="v1.16.2",
        uses=(GO,),
        point=HOST,
        missing="pausing: `ContainerPause,ContainerUnpause`; scaling: `ContainerUpdate`; swarm: `ServiceList,ServiceUpdate`",
    ),
    Client(
        name="ofelia",
        client="Ofelia, `job-exec`",
        repository="mcuadros/ofelia",
        version="v0.3.21",
        uses=("go-dockerclient",),
        limits={
            "CREATE_BINDS": "/srv/app",
            "EXEC_COMMANDS": "/backup.sh",
            "EXEC_USERS": "@default,root",
            **PROJECT,
        },
        point=HOST,
        missing="`job-run`: `ContainerCreate,ContainerDelete,ContainerInspect,ContainerLogs,ContainerStart,ContainerStop,ImageCreate,ImageList,NetworkConnect,NetworkList`; `job-service-run`: a swarm's",
    ),
    Client(
        name="authentik",
        client="authentik, outposts that it deploys",
        repository="goauthentik/authentik",
        version="090c10c6c308",
        uses=("docker-py",),
        limits={
            "CREATE_IMAGES": "ghcr.io/goauthentik/proxy:*",
            "CREATE_PORTS": "9000,9443",
            "PULL_IMAGES": "ghcr.io/goauthentik/proxy:*",
            **OWN,
            "ONLY_OWNER": "authentik",
        },
        point="a Docker service connection: `http://socket-proxy:2375`",
    ),
    Client(
        name="crowdsec",
        client="CrowdSec, docker source, newer than the one learned",
        repository="crowdsecurity/crowdsec",
        version="v1.7.8",
        uses=(GO,),
        point=f"{HOST}, `docker_host:` in the acquisition",
        missing="swarm: `ServiceInspect,ServiceList,ServiceLogs`",
    ),
    Client(
        name="netdata",
        client="Netdata, its collector docker",
        repository="netdata/netdata",
        version="v2.11.0",
        uses=(GO,),
        point="`address: tcp://...` in go.d/docker.conf",
        missing="names of containers for its charts of cgroups: unread",
    ),
    Client(
        name="telegraf",
        client="Telegraf, `inputs.docker`",
        repository="influxdata/telegraf",
        version="v1.39.3",
        uses=(GO,),
        point="`endpoint = \"tcp://...\"`",
        missing="`gather_services`: `ServiceList,TaskList`; `storage_objects`: `SystemDataUsage`",
    ),
    Client(
        name="cadvisor",
        client="cAdvisor",
        repository="google/cadvisor",
        version="v0.60.5",
        uses=(GO,),
        point="`--docker=tcp://...`",
    ),
)  # fmt: skip


def rows() -> list[Call]:
    """The whole table."""
    lines = CALLS.read_text(encoding="utf-8").splitlines()
    return [Call(*line.split("\t")) for line in lines if not line.startswith("#")]


def sources(one: Source) -> Iterator[Source]:
    """What was read for a policy: the client, and what it uses."""
    known = {each.name: each for each in (*LIBRARIES, *CLIENTS)}
    yield one
    for name in one.uses if isinstance(one, Client) else ():
        yield from sources(known[name])


def calls(one: Client) -> list[Call]:
    """All that a client asks for, its own first, then what it uses."""
    all_of_them = rows()
    return [
        row for each in sources(one) for row in all_of_them if row.name == each.name
    ]


def text(one: Client) -> str:
    """Its policy file."""
    return render(
        Learned(
            name=one.name,
            file=f"{one.name}.env",
            operations={row.operation for row in calls(one)},
            lists=dict(
                sorted(one.limits.items(), key=lambda it: it[0].startswith("ONLY_"))
            ),
            source=_read_in(one),
        )
    )


def _read_in(one: Client) -> str:
    names = {each.name: f"{each.repository} {each.version}" for each in sources(one)}
    read = {name: list[str]() for name in names.values()}
    for row in calls(one):
        files = read[names[row.name]]
        if row.file not in files:
            files.append(row.file)
    told = "; ".join(f"{name}: {_files(files)}" for name, files in read.items())
    template = "; a template: put your own into its lists" if one.limits else ""
    return f"{told}{template}"


def _files(files: list[str]) -> str:
    more = len(files) - MOST_FILES
    return ", ".join(files[:MOST_FILES]) + (f" and {more} more" if more > 0 else "")


def catalogue() -> str:
    """What `trioproxy explain` knows of each, in the form of those that were learned."""
    entries = [
        {
            "name": one.name,
            "client": one.client.replace("`", ""),
            "version": f"{one.repository} {one.version}",
            "learned": "",
            "missing": one.missing.replace("`", ""),
            "point": one.point,
        }
        for one in CLIENTS
    ]
    return json.dumps(entries, indent=2) + "\n"
