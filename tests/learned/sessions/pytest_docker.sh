# A suite whose services pytest-docker brings up, asks for their ports, and takes down.
mkdir -p tests
cat >tests/docker-compose.yml <<'YAML'
services:
  web:
    build: .
    image: built:1
    init: true
    environment: {A: b}
    ports: ["127.0.0.1::80"]
    healthcheck:
      test: wget -q -O - http://127.0.0.1/
      interval: 200ms
  other:
    image: busybox
    command: sleep 600
    init: true
    depends_on: {web: {condition: service_healthy}}
    volumes: ["kept:/kept"]
volumes: {kept: {}}
YAML
cat >tests/Dockerfile <<'DOCKERFILE'
FROM busybox
RUN mkdir /www && echo hello >/www/index.html
CMD httpd -f -h /www
DOCKERFILE
cat >tests/test_web.py <<'PYTHON'
from urllib.request import urlopen

import pytest


@pytest.fixture(scope="session")
def web(docker_ip, docker_services):
    url = f"http://{docker_ip}:{docker_services.port_for('web', 80)}/"

    def answers():
        try:
            return urlopen(url).status == 200
        except OSError:
            return False

    docker_services.wait_until_responsive(check=answers, timeout=30, pause=0.1)
    return url


def test_web(web):
    assert urlopen(web).read() == b"hello\n"
PYTHON
pytest -q -p no:cacheprovider tests
