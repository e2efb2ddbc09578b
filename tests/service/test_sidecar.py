"""The pod of `examples/kubernetes/sidecar.yaml`, without Kubernetes: its policy, its runner, a real Engine."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing, environment
from tests.engine import IMAGE, ScratchEngine
from tests.service.test_manifests import documents, pods


@pytest.mark.engine
def test_the_runner_does_its_work(scratch: ScratchEngine, tmp_path: Path) -> None:
    """What the runner is given to do passes behind the policy of its ConfigMap, and nothing of another's container does."""
    config_map = documents("sidecar.yaml")[0]
    (pod,) = pods("sidecar.yaml")
    (runner,) = pod["containers"]
    image = runner["image"]
    file = tmp_path / "runner.env"
    file.write_text(config_map["data"]["runner.env"].replace(image, IMAGE))
    stranger = scratch.docker("run", "--detach", IMAGE, "sleep", "600").text.strip()
    command = [IMAGE if word == image else word for word in runner["args"]]
    try:
        with enforcing(scratch, str(file), listen=f"unix://{tmp_path}/d.sock") as proxy:
            env = environment({"DOCKER_HOST": proxy.url})
            subprocess.run(command, env=env, check=True, timeout=120)
            ran = subprocess.run(
                ["docker", "rm", "--force", stranger], env=env, check=False
            )
        assert ran.returncode
        refused = [line for line in proxy.log if "decision=refused" in line]
        assert all(stranger in line for line in refused)
    finally:
        scratch.docker("rm", "--force", stranger)
