"""Push and pull through the proxy, to and from a registry on loopback."""

from collections.abc import Iterator, Mapping

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy
from tests.engine import ScratchEngine
from tests.registry import REGISTRY, serving

A = f"{REGISTRY}/a:1"
# Shown if there is time; and what is shown late may be shown twice.
PASSING = "Preparing\\|Waiting\\|Downloading\\|Verifying\\|Download complete"
SORTED = f"sort -u | sed 's/^[0-9a-f]*: /layer: /' | grep -v '{PASSING}' | sort"
LARGE = f"head -c 30000000 /dev/urandom >a; printf 'FROM busybox\\nCOPY a /a\\n' >Dockerfile; DOCKER_BUILDKIT=0 docker build -q -t {A} . >/dev/null 2>&1;"

SCENARIOS = {
    "push and pull 30 MB": f"{LARGE} docker push {A} | {SORTED}; docker rmi {A} >/dev/null; docker pull {A} | {SORTED}; docker run --rm {A} sha256sum /a | cut -c1-64 >sum; sha256sum a | cut -c1-64 | cmp - sum && echo same",
    "push -q, pull -q": f"docker tag busybox {A}; docker push -q {A}; docker pull -q {A}",
    "push -a": f"docker tag busybox {A}; docker tag busybox {REGISTRY}/a:2; docker push -a {REGISTRY}/a | {SORTED}",
    "run pulls": f"docker tag busybox {A}; docker push -q {A}; docker rmi {A} >/dev/null; docker run --rm {A} echo pulled 2>&1",
    "pull what is not there": f"docker pull {REGISTRY}/nothing:1; docker pull {REGISTRY}/a:none",
    "push to nobody": "docker tag busybox 127.0.0.1:1/a; docker push 127.0.0.1:1/a 2>&1 | sed 's/dial.*//'",
    "login": f"echo secret | docker login -u me --password-stdin {REGISTRY} 2>&1; docker logout {REGISTRY}",
    "build from a registry": f"docker tag busybox {A}; docker push -q {A}; docker rmi {A} >/dev/null; echo 'FROM {A}' >Dockerfile; DOCKER_BUILDKIT=0 docker build --pull -q . 2>/dev/null; docker buildx build --pull -q . 2>/dev/null",
    "digest": f"docker tag busybox {A}; docker push -q {A} >/dev/null; docker inspect {A} --format '{{{{len .RepoDigests}}}}'; docker pull -q $(docker inspect {A} --format '{{{{index .RepoDigests 0}}}}')",
}


@pytest.fixture(scope="module", autouse=True)
def _registry(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A registry that already has the layers of busybox, so that each push is alike."""
    with serving(scratch, tmp_path_factory.mktemp("registry")):
        scratch.docker("tag", "busybox", A)
        scratch.docker("push", A)
        scratch.docker("rmi", A)
        yield


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("script", SCENARIOS.values(), ids=SCENARIOS)
def test_registry(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], script: str
) -> None:
    """Exit status, stdout and stderr are the same."""
    compare_clients(["sh", "-c", script], scratch, proxies["tcp"].url)
