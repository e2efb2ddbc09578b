"""Device nodes on a real Engine: what a confined client makes has none, and is copied."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import Engine
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of

LIMITS = {
    "CREATE_BINDS": "/srv/agent",
    "CREATE_IMAGES": "busybox",
    "EXEC_PRIVILEGED": "0",
    "ONLY_CONTAINERS": "@own",
    "ONLY_NETWORKS": "none",
    "ONLY_OWNER": "agent",
}
GRANTED = "ContainerArchive,ContainerArchiveInfo,ContainerCreate,ContainerDelete,ContainerExec,ContainerExport,ContainerInspect,ContainerStart,ExecInspect,ExecStart,PutContainerArchive,SystemPing,SystemPingHead"
SANDBOX = {**LIMITS, "ALLOW_OPERATIONS": GRANTED}
NODE = ("mknod", "/disk", "b", "7", "0")


@pytest.fixture(scope="module")
def sandbox(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy for a client that is confined, and may copy both ways and export."""
    assert not meaning_of(parse_policy(SANDBOX)[0]).is_root
    url = f"unix://{tmp_path_factory.mktemp('sandbox')}/proxy.sock"
    with enforcing(engine, listen=url, variables=SANDBOX):
        yield url


def running(engine: Engine, url: str, *options: str) -> str:
    """A container that was made and started there."""
    what = ("--network=none", *options, "busybox", "sleep", "900")
    made = engine.docker("create", *what, host=url).text
    engine.docker("start", made, host=url)
    return made


@pytest.mark.engine
def test_an_own_container_is_copied_and_makes_no_nodes(
    engine: Engine, sandbox: str, tmp_path: Path
) -> None:
    """Copying in and out and exporting work as ever; the capability alone is gone."""
    made = running(engine, sandbox)
    (tmp_path / "file").write_text("carried")
    engine.docker("cp", str(tmp_path / "file"), f"{made}:/carried", host=sandbox)
    engine.docker("cp", f"{made}:/carried", str(tmp_path / "back"), host=sandbox)
    assert (tmp_path / "back").read_text() == "carried"
    exported = engine.docker("export", made, host=sandbox).output
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        assert "carried" in archive.getnames()
    dropped = "{{json .HostConfig.CapDrop}}"
    shown = engine.docker("inspect", "--format", dropped, made, host=sandbox).text
    assert shown in {'["MKNOD"]', '["CAP_MKNOD"]'}
    node = engine.docker("exec", made, *NODE, host=sandbox, check=False)
    assert "Operation not permitted" in node.errors
    engine.docker("rm", "-f", made, host=sandbox)


@pytest.mark.engine
def test_who_packs_nothing_makes_nodes_as_ever(engine: Engine, tmp_path: Path) -> None:
    """With no operation that packs a container is what the Engine makes of it: the door."""
    kept = [one for one in GRANTED.split(",") if "Archive" not in one]
    without = ",".join(one for one in kept if one != "ContainerExport")
    url = f"unix://{tmp_path}/proxy.sock"
    with enforcing(
        engine, listen=url, variables={**LIMITS, "ALLOW_OPERATIONS": without}
    ):
        made = running(engine, url)
        engine.docker("exec", made, *NODE, host=url)
        engine.docker("rm", "-f", made, host=url)


@pytest.mark.engine
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--cap-add=MKNOD", "--cap-drop=MKNOD"),
        ("--cap-drop=ALL", "--cap-add=mknod"),
    ],
    ids=["as made by the Engine", "added and dropped", "added to nothing"],
)
def test_what_was_made_elsewhere_with_it_is_refused(
    options: tuple[str, ...], engine: Engine, sandbox: str, tmp_path: Path
) -> None:
    """An own container that makes nodes is not packed, run or unpacked into, and why is said."""
    made = running(engine, engine.url, "--label=trioproxy.owner=agent", *options)
    engine.docker("exec", made, *NODE)
    (tmp_path / "file").write_text("x")
    copies = [
        ("cp", f"{made}:/etc", "-"),
        ("cp", str(tmp_path / "file"), f"{made}:/x"),
        ("export", made),
        ("exec", made, "true"),
    ]
    for copy in copies:
        ran = engine.docker(*copy, host=sandbox, check=False)
        assert ran.status
        assert "CREATE_CAPS does not list" in ran.errors or "403" in ran.errors
    refused = engine.docker("export", made, host=sandbox, check=False).errors
    assert ("make it anew through this file" in refused) is (not options)
    engine.docker("rm", "-f", made)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["MKNOD", "mknod", "CAP_MKNOD", "all"])
def test_asking_for_it_is_refused(name: str, engine: Engine, sandbox: str) -> None:
    """Who asks for the capability in a creation gets it nowhere that it is not listed."""
    what = ("create", "--network=none", f"--cap-add={name}", "busybox", "true")
    ran = engine.docker(*what, host=sandbox, check=False)
    assert ran.status
    assert "which CREATE_CAPS does not list" in ran.errors
