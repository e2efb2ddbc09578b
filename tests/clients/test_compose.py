"""What Compose shows is the same through the proxy as on the raw socket."""

from collections.abc import Mapping

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy
from tests.engine import ScratchEngine

PROJECT = {
    "compose.yaml": """
name: project
services:
  db:
    image: busybox
    command: sh -c "echo db up; sleep 600"
    healthcheck: {test: "true", interval: 1s}
    volumes: [data:/data]
    stop_grace_period: 0s
  web:
    image: built
    build:
      dockerfile_inline: |
        FROM busybox
        RUN echo made >/made
    command: sh -c "cat /made; wget -qO- db 2>&1 || sleep 600"
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 0s
volumes: {data: {}}
""",
    "once.yaml": """
name: once
services:
  one: {image: busybox, command: echo one}
  two: {image: busybox, command: sh -c "echo two; exit 5", depends_on: [one]}
""",
    "broken.yaml": """
name: broken
services:
  one: {image: no-such-registry.invalid/x, pull_policy: never}
""",
}
UP = "docker compose up -d --build --quiet-pull >up 2>&1;"
SAID = "until docker compose logs web | grep refused >/dev/null; do :; done;"

SCENARIOS = {
    "up and ps": f"{UP} grep Container up | sort; docker compose ps --format '{{{{.Service}}}} {{{{.State}}}} {{{{.Health}}}}'; docker compose images --format json | tr , '\\n' | grep Repository",
    "logs": f"{UP} {SAID} docker compose logs --no-log-prefix db; docker compose logs --no-color -t web",
    "logs -f": f"{UP} mkfifo lines; docker compose logs --no-log-prefix -f db >lines & exec 3<lines; read -r line <&3; echo got $line; docker compose kill db >/dev/null 2>&1; cat <&3",
    "exec": f"{UP} docker compose exec -T db sh -c 'echo out; echo err >&2; sleep 0.2; exit 3'; echo $?; echo in | docker compose exec -T db cat",
    "run": f"{UP} docker compose run --rm -T web cat /made 2>/dev/null; echo in | docker compose run --rm -T db cat 2>/dev/null",
    "up in the foreground": "docker compose -f once.yaml up --no-color 2>&1 | sort; docker compose -f once.yaml ps -a --format '{{.Service}} {{.ExitCode}}'",
    "restart and scale": f"{UP} docker compose restart web 2>&1 | sort; docker compose up -d --scale db=2 2>&1 | sort; docker compose ps -q | wc -l",
    "cp and top": f"{UP} echo hello >a; docker compose cp a db:/tmp/a 2>/dev/null; docker compose cp db:/tmp/a b 2>/dev/null; cat b; docker compose top db | grep -c sleep",
    "events": f"docker compose events >lines & {UP} until grep -qs 'container start.*name=project-db-1' lines; do docker compose restart -t 0 db >/dev/null 2>&1; done; echo started; docker compose down -t 0 >/dev/null 2>&1; until grep -q 'container destroy.*name=project-db-1' lines; do sleep 0.1; done; kill $!",
    "down": f"{UP} docker compose down -v -t 0 2>&1 | sort; docker compose ls -a",
    "a missing image": "docker compose -f broken.yaml up 2>&1 | sort",
}
"""The project is up in each scenario, where it has to be; `emptied` removes it."""


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("script", SCENARIOS.values(), ids=SCENARIOS)
def test_compose(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], script: str
) -> None:
    """Exit status, stdout and stderr are the same."""
    compare_clients(["sh", "-c", script], scratch, proxies["tcp"].url, files=PROJECT)
