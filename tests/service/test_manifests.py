"""What runs the proxy elsewhere: manifests are read by their own schemas and generators, and what they say to the proxy it understands."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import hcl2
import pytest
import yaml

from tests.markdown import ROOT
from trioproxy.cli import group
from trioproxy.config import UnixAddress, parse_listener
from trioproxy.file.permissions import parse_policy_file

EXAMPLES = ROOT / "examples"
OLDEST = "1.29"
"""The first one with sidecars that are on by default."""
QUADLET = Path("/usr/libexec/podman/quadlet")


def understood(words: list[str]) -> dict[str, Any]:
    """What the proxy reads in the words of its command line."""
    context = click.Context(group, info_name="trioproxy")
    _, command, rest = group.resolve_command(context, words)
    assert command is not None
    return command.make_context(words[0], rest, parent=context).params


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a manifest."""
    return list(yaml.safe_load_all((EXAMPLES / "kubernetes" / name).read_text()))


MANIFESTS = sorted(one.name for one in (EXAMPLES / "kubernetes").glob("*.yaml"))
every_manifest = pytest.mark.parametrize("name", MANIFESTS)


@every_manifest
@pytest.mark.parametrize("version", [OLDEST, "newest"])
def test_manifests_are_by_the_schema(name: str, version: str) -> None:
    """Each document is what Kubernetes takes, in the oldest and the newest version, and has no field that it does not know."""
    import kubernetes_validate  # a second, which each worker would wait for

    if version == "newest":
        version = kubernetes_validate.latest_version()
    for document in documents(name):
        kubernetes_validate.validate(document, version, strict=True)


def pods(name: str) -> Iterator[dict[str, Any]]:
    """The specifications of pods."""
    for one in documents(name):
        if one["kind"] == "Pod":
            yield one["spec"]
        if one["kind"] == "DaemonSet":
            yield one["spec"]["template"]["spec"]


@every_manifest
def test_a_pod_says_what_the_proxy_understands(name: str) -> None:
    """Its options, its probes at the very listener, and a policy that lies in a ConfigMap which is mounted, and so is read anew."""
    maps = {
        one["metadata"]["name"]: one["data"]
        for one in documents(name)
        if one["kind"] == "ConfigMap"
    }
    (pod,) = pods(name)
    (ours,) = (
        one
        for one in (*pod.get("initContainers", ()), *pod["containers"])
        if one["image"] == "trioproxy"
    )
    assert ours["imagePullPolicy"] == "IfNotPresent"  # or it is pulled at each start
    options = understood(ours["args"])
    assert options["watch"]
    (url,) = options["listen"]
    listener = parse_listener(url)
    assert isinstance(listener, UnixAddress)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe in ours:
            program, *words = ours[probe]["exec"]["command"]
            asked = understood(words)
            assert program == "trioproxy"
            assert asked["url"] == str(listener)
            assert (asked["probe"] == "live") == (probe == "livenessProbe") or (
                probe == "startupProbe"
            )
    mounts = {one["mountPath"]: one for one in ours["volumeMounts"]}
    folder, _, file = listener.entry.policy.rpartition("/")
    mount = mounts[folder]
    assert mount["readOnly"]
    assert "subPath" not in mount
    (volume,) = (one for one in pod["volumes"] if one["name"] == mount["name"])
    text = maps[volume["configMap"]["name"]][file]
    _, warnings = parse_policy_file(text, name=file)
    assert not warnings


def unquoted(value: Any) -> Any:  # noqa: ANN401  as the reader gives it
    """What a value of HCL says."""
    if isinstance(value, str):
        return value.removeprefix('"').removesuffix('"')
    if isinstance(value, list):
        return [unquoted(one) for one in value]
    if isinstance(value, dict):
        return {unquoted(name): unquoted(one) for name, one in value.items()}
    return value


def test_the_nomad_job_says_what_the_proxy_understands() -> None:
    """It is HCL; its options are ours, its template is a policy and lies where they say, and the socket is where clients find it."""
    text = (EXAMPLES / "nomad" / "trioproxy.nomad.hcl").read_text()
    job = unquoted(hcl2.loads(text))["job"][0]["trioproxy"]
    assert job["type"] == "system"
    task = job["group"][0]["proxy"]["task"][0]["trioproxy"]
    config, (template,) = task["config"][0], task["template"]
    assert re.fullmatch(
        r"trioproxy:(?!latest)\w+", config["image"]
    )  # what has no tag is pulled
    (url,) = understood(config["args"])["listen"]
    listener = parse_listener(url)
    assert isinstance(listener, UnixAddress)
    assert listener.entry.policy == f"/{template['destination']}"
    assert str(listener.gid) in config["group_add"]
    # A mount of what is not there fails, and /run is empty after a boot: the Engine makes a volume's folder.
    assert [one["source"] for one in config["mount"]] == ["/var/run/docker.sock"]
    folder = str(Path(listener.path).parent)
    assert config["volumes"] == [f"{folder}:{folder}"]
    assert template["change_signal"] == "SIGHUP"
    lines = re.sub(r"(?m)^ +", "", template["data"]).splitlines()[1:-1]
    _, warnings = parse_policy_file("\n".join([*lines, ""]), name="app.env")
    assert not warnings


@pytest.mark.skipif(not QUADLET.exists(), reason="Podman is not installed")
@pytest.mark.parametrize("options", [[], ["-user"]], ids=["root", "user"])
def test_the_quadlet_becomes_a_service(options: list[str], tmp_path: Path) -> None:
    """Podman's generator takes both files without a complaint; the service waits for our word, and says what the proxy understands."""
    shutil.copytree(EXAMPLES / "podman", tmp_path, dirs_exist_ok=True)
    ran = subprocess.run(
        [QUADLET, *options, "-dryrun"],
        env={"QUADLET_UNIT_DIRS": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    complaints = [one for one in ran.stderr.splitlines() if "Loading source" not in one]
    assert not complaints
    service = ran.stdout.partition("---trioproxy.service---")[2]
    assert "\nType=notify\n" in service
    start = re.search(r"(?m)^ExecStart=.* --sdnotify=container .*$", service)
    assert start
    words = start[0].partition(" localhost/trioproxy ")[2].split()
    options_of = understood(words)
    assert f"-v %E/trioproxy:{Path(options_of['file']).parent}:ro" in start[0]
    assert options_of["watch"]
    health = re.search(r'--health-cmd "trioproxy ([^"]+)"', start[0])
    assert health
    assert understood(health[1].split())["probe"] is None
