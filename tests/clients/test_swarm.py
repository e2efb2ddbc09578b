"""A Swarm of one node is run through the proxy as on the raw socket."""

from collections.abc import Iterator, Mapping

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy
from tests.engine import ScratchEngine

INIT = "docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377"
LEAVE = "docker swarm leave --force"
SERVE = "docker service create -d --name web --network host --restart-condition none"
FORMAT = "--format '{{.Name}} {{.DesiredState}}'"
BY_STATE = "sed -E 's/[0-9a-z]{25}/<node>/' | sort"  # a name may end in a random id
UP = "until docker service logs web 2>/dev/null | grep -q up; do :; done;"

SCENARIOS = {
    "init and leave": f"{INIT}; docker node ls --format '{{{{.Status}}}} {{{{.Availability}}}} {{{{.ManagerStatus}}}}'; docker swarm join-token worker; docker swarm update --task-history-limit 2; {LEAVE}",
    "service": f"{INIT} >/dev/null; {SERVE} busybox sh -c 'echo up; sleep 600'; until docker service ls --format '{{{{.Name}}}} {{{{.Replicas}}}}' | grep 1/1; do :; done; docker service ps web {FORMAT}; docker service inspect web --pretty | grep -v Created; docker service rm web; {LEAVE}",
    "service logs -f": f"{INIT} >/dev/null; mkfifo lines; {SERVE} busybox sh -c 'echo up; sleep 600' >/dev/null; docker service logs --raw -f web >lines & exec 3<lines; read -r line <&3; echo $line; docker service rm web; kill $!; {LEAVE}",
    "service, attached": f"{INIT} >/dev/null; docker service create -q --detach=false --name web --network host --mode replicated-job --replicas 2 busybox sh -c 'echo job'; docker service ps web {FORMAT} | {BY_STATE}; {LEAVE}",
    "update and scale": f"{INIT} >/dev/null; {SERVE} busybox sh -c 'echo up; sleep 600' >/dev/null; {UP} docker service scale -d web=2; docker service update -d --env-add A=b --with-registry-auth web; docker service inspect web --format '{{{{.Spec.TaskTemplate.ContainerSpec.Env}}}} {{{{.Spec.Mode.Replicated.Replicas}}}}'; docker service rollback -q -d web; {LEAVE}",
    "secrets and configs": f"{INIT} >/dev/null; echo hidden | docker secret create s -; echo open | docker config create c -; {SERVE} --secret s --config c busybox sh -c 'cat /run/secrets/s /c; echo up; sleep 600' >/dev/null; {UP} docker service logs --raw web; docker config inspect c --format '{{{{json .Spec.Data}}}}'; docker secret rm s; docker service rm web; docker secret rm s; docker config rm c; {LEAVE}",
    "stack": f"{INIT} >/dev/null; docker stack deploy -c stack.yaml st 2>&1; docker stack ls; docker stack services st --format '{{{{.Name}}}} {{{{.Mode}}}}'; docker stack rm st; {LEAVE}",
    "node": f"{INIT} >/dev/null; node=$(docker node ls -q); docker node update --label-add a=b --availability drain $node | wc -c; docker node inspect self --format '{{{{.Spec.Labels}}}} {{{{.Spec.Availability}}}}'; docker node rm $node 2>&1 | grep -c manager; {LEAVE}",
    "autolock": f"{INIT} --autolock | grep -c SWMKEY; docker swarm unlock-key -q | wc -c; docker swarm ca | head -n 1; {LEAVE}",
}
STACK = {
    "stack.yaml": """
services:
  web:
    image: busybox
    command: sleep 600
    networks: [host]
networks:
  host: {external: true, name: host}
"""
}


@pytest.fixture(autouse=True)
def _leave(scratch: ScratchEngine) -> Iterator[None]:
    """Leave the Swarm, should a scenario have failed before it did."""
    yield
    scratch.docker("swarm", "leave", "--force", check=False)


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("script", SCENARIOS.values(), ids=SCENARIOS)
def test_swarm(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], script: str
) -> None:
    """Exit status, stdout and stderr are the same."""
    compare_clients(["sh", "-c", script], scratch, proxies["tcp"].url, files=STACK)
