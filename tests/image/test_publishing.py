"""From the source to the registry: the scripts of the release, on registries of ours.

What a workflow does and this cannot: a signature without a key (keyless), the statements
that GitHub signs, and the image of another platform that runs.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import NoEngine, ScratchEngine, scratch_engine
from tests.image.conftest import BASE, ROOT
from tests.registry import REGISTRY, serving
from trioproxy import __version__

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NEW_BASE = f"{REGISTRY}/{BASE}"
IMAGE = f"{REGISTRY}/somebody/trioproxy"
RELEASED = "1.2.3"
"""As what it is published, whatever the version of this source: a candidate is tried by this, too."""
SCANNER = "scanner"
PLATFORMS = ("amd64", "arm64")
SCAN = """\
#!/bin/sh
printf '{"predicateType":"https://spdx.dev/Document","predicate":{"files":"%s"}}' \
    "$(ls "$BUILDKIT_SCAN_SOURCE/opt")" >"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
"""
"""What stands in for BuildKit's scanner: it says which folders it found in /opt."""
LABEL = "org.opencontainers.image"
CREATED = "2026-01-01T00:00:00Z"
"""When the base was made. Each base of a registry has a history that says so; where one
has none, BuildKit writes the time of the build into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """An Engine that builds, with a registry on its loopback, and a home of our own."""

    engine: ScratchEngine
    home: Path

    def run(self, *command: str, cwd: Path = ROOT, **variables: str) -> str:
        """Run a program beside the registry; what it writes to stdout."""
        done = subprocess.run(
            self.engine.inside(*command),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=cwd,
            env=self.engine.environment()
            | {
                "HOME": str(self.home),
                "PYTHON": sys.executable,
                "BASE_IMAGE": NEW_BASE,
                "SCANNER": SCANNER,
                "COSIGN_PASSWORD": "",
                "COSIGN_SIGN": f"--key {self.home}/cosign.key --tlog-upload=false",
                **variables,
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, name: str) -> "Archive":
        """Build an archive, of nothing that was built before."""
        self.engine.docker("builder", "prune", "--all", "--force")
        self.run("scripts/build-archive", str(self.home / name))
        unpacked = self.home / f"{name}.unpacked"
        unpacked.mkdir()
        archive = str(self.home / f"{name}.tar")
        subprocess.run(["tar", "-C", unpacked, "-xf", archive], check=True)
        return Archive(name=str(self.home / name), folder=unpacked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An OCI archive: what `build-archive` wrote."""

    name: str
    folder: Path

    def read(self, digest: str) -> dict[str, Any]:
        """A document of it."""
        path = self.folder / "blobs" / digest.replace(":", "/")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def digest(self) -> str:
        """That of the whole image."""
        top = json.loads((self.folder / "index.json").read_text())
        (image,) = top["manifests"]
        return str(image["digest"])

    def platforms(self) -> dict[str, str]:
        """The digest of each platform's image."""
        return {
            one["platform"]["architecture"]: one["digest"]
            for one in self.read(self.digest)["manifests"]
            if one["platform"]["os"] == "linux"
        }

    def images(self) -> dict[str, dict[str, Any]]:
        """Each platform's image: its configuration and the digests of its layers."""
        manifests = {name: self.read(one) for name, one in self.platforms().items()}
        return {
            name: {
                "config": self.read(one["config"]["digest"]),
                "layers": [layer["digest"] for layer in one["layers"]],
            }
            for name, one in manifests.items()
        }

    def statements(self, platform: str) -> dict[str, Any]:
        """What is stated of a platform's image, by the kind of statement."""
        of = self.platforms()[platform]
        (found,) = (
            self.read(one["digest"])
            for one in self.read(self.digest)["manifests"]
            if one.get("annotations", {}).get("vnd.docker.reference.digest") == of
        )
        read = [self.read(layer["digest"]) for layer in found["layers"]]
        return {one["predicateType"]: one["predicate"] for one in read}


def write_base(archive: Path, folder: Path, note: str) -> None:
    """An OCI layout with an image for two platforms, of a root file system.

    What runs while our image is built runs on the platform of this machine, so it is no
    matter that the other's has the same programs.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    kind = "application/vnd.oci.image"

    def blob(suffix: str, data: bytes) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        size = len(data)
        return {
            "mediaType": f"{kind}.{suffix}",
            "digest": f"sha256:{name}",
            "size": size,
        }

    def document(suffix: str, **fields: object) -> dict[str, Any]:
        return blob(suffix, json.dumps(fields).encode())

    content = archive.read_bytes()
    layer = blob("layer.v1.tar+gzip", gzip.compress(content, compresslevel=1, mtime=0))
    unpacked = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifests = []
    for name in PLATFORMS:
        config = document(
            "config.v1+json",
            architecture=name,
            os="linux",
            author=note,
            config={"Env": [f"PATH={os.defpath}"]},
            created=CREATED,
            history=[{"created": CREATED, "created_by": "the base"}],
            rootfs={"type": "layers", "diff_ids": [unpacked]},
        )
        manifest = document(
            "manifest.v1+json", schemaVersion=2, config=config, layers=[layer]
        )
        platform = {"platform": {"architecture": name, "os": "linux"}}
        manifests.append(manifest | platform)
    index = document("index.v1+json", schemaVersion=2, manifests=manifests)
    top = {"schemaVersion": 2, "manifests": [index]}
    (folder / "index.json").write_text(json.dumps(top))


@pytest.fixture(scope="module")
def root_file_system(
    scratch: ScratchEngine, base: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """That of the base on which the other tests build."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    container = scratch.docker("create", base, "true").text
    scratch.docker("export", f"--output={archive}", container)
    scratch.docker("rm", container)
    return archive


@pytest.fixture(scope="module")
def publisher(
    image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Publisher]:
    """Somebody who may publish. Only with this store does an Engine write OCI archives:
    the workflow's builder is one that always does."""
    for program in ("skopeo", "cosign", "docker-registry"):
        if not shutil.which(program):
            raise NoEngine(f"the tests of publishing need {program}")
    assert image  # with it the packages are here: beside the registry is no network
    home = tmp_path_factory.mktemp("home")
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True)
    (settings / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n'
    )
    (settings / "policy.json").write_text(
        '{"default": [{"type": "insecureAcceptAnything"}]}'
    )
    features = {"features": {"containerd-snapshotter": True}}
    with (
        scratch_engine(features) as engine,
        serving(engine, tmp_path_factory.mktemp("registry")),
    ):
        made = Publisher(engine=engine, home=home)
        made.run("cosign", "generate-key-pair", cwd=home)
        yield made


def push_base(publisher: Publisher, archive: Path, note: str) -> str:
    """Put a base into the registry, another one for each note; its digest."""
    folder = publisher.home / f"base-{note}"
    write_base(archive, folder, note)
    copy = ("skopeo", "copy", "--all", "--preserve-digests")
    publisher.run(*copy, f"oci:{folder}", f"docker://{NEW_BASE}")
    top = json.loads((folder / "index.json").read_text())
    shutil.rmtree(folder)
    return str(top["manifests"][0]["digest"])


@pytest.fixture(scope="module")
def base_digest(publisher: Publisher, root_file_system: Path) -> str:
    """The digest of the base in the registry, from which the scanner is made too."""
    digest = push_base(publisher, root_file_system, "first")
    folder = publisher.home / "scanner"
    folder.mkdir()
    (folder / "scan").write_text(SCAN)
    (folder / "Dockerfile").write_text(
        'FROM busybox\nCOPY --chmod=755 scan /\nENTRYPOINT ["/scan"]\n'
    )
    publisher.engine.docker("build", "--quiet", f"--tag={SCANNER}", str(folder))
    return digest


@pytest.fixture(scope="module")
def archive(publisher: Publisher, base_digest: str) -> Archive:
    """The archive of this checkout."""
    assert base_digest
    return publisher.build("first")


@pytest.fixture(scope="module")
def published(publisher: Publisher, archive: Archive) -> str:
    """The digest under which it was published, with three tags."""
    written = publisher.run(
        "scripts/publish-image",
        f"{archive.name}.tar",
        IMAGE,
        f"{RELEASED} 1.2 latest",
    )
    name, _, digest = written.strip().partition("=")
    assert name == "digest"
    return digest


def test_all_platforms_have_our_layer(archive: Archive) -> None:
    """There is an image for each platform, and what it has of ours are the same bytes."""
    images = archive.images()
    assert images.keys() == {*PLATFORMS}
    assert len({image["layers"][-1] for image in images.values()}) == 1
    for name, image in images.items():
        assert image["config"]["architecture"] == name
        assert image["config"]["config"]["Entrypoint"] == ["trioproxy"]


def test_labels(archive: Archive, base_digest: str) -> None:
    """The image says of which commit, version and base it is."""
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True)
    for image in archive.images().values():
        labels: Mapping[str, str] = image["config"]["config"]["Labels"]
        assert labels[f"{LABEL}.revision"] == commit.strip()
        assert labels[f"{LABEL}.version"] == __version__
        assert labels[f"{LABEL}.base.name"] == NEW_BASE
        assert labels[f"{LABEL}.base.digest"] == base_digest


def test_statements(archive: Archive, base_digest: str) -> None:
    """Of each platform's image it is stated from what it was built, and what is in it."""
    for platform in PLATFORMS:
        stated = archive.statements(platform)
        assert stated["https://spdx.dev/Document"] == {"files": "trioproxy"}
        (provenance,) = (one for kind, one in stated.items() if "slsa.dev" in kind)
        materials = [one["digest"]["sha256"] for one in provenance["materials"]]
        assert base_digest.removeprefix("sha256:") in materials


def test_bill_of_materials(archive: Archive, release: Path) -> None:
    """The bill of materials beside the archive is that of the wheel."""
    (bill,) = release.glob("*.cdx.json")
    assert Path(f"{archive.name}.cdx.json").read_text() == bill.read_text()


def test_reproducible(publisher: Publisher, archive: Archive) -> None:
    """Two builds of a commit on one base are the same images, bit for bit, for each
    platform; only what is stated of them has the time of the build in it."""
    again = publisher.build("again")
    assert again.images() == archive.images()
    assert again.platforms() == archive.platforms()
    assert again.digest != archive.digest


def test_try(publisher: Publisher, archive: Archive) -> None:
    """The image of this platform is tried as it is used, and nothing of that stays."""
    said = publisher.run("scripts/try-archive", f"{archive.name}.tar")
    assert f"trioproxy {__version__}\n" in said
    assert said.endswith(": healthy, lists containers, refuses images\n")
    assert publisher.engine.docker("ps", "--all", "--quiet").text == ""
    images = publisher.engine.docker("images", "--format={{.Repository}}").text
    assert set(images.split()) == {"busybox", SCANNER}


def test_publish(publisher: Publisher, archive: Archive, published: str) -> None:
    """Under each tag the registry has what was built, byte for byte, with all that is
    stated of it; it is signed, and so is each platform's image."""
    assert published == archive.digest
    for tag in (RELEASED, "1.2", "latest"):
        raw = publisher.run("skopeo", "inspect", "--raw", f"docker://{IMAGE}:{tag}")
        assert json.loads(raw) == archive.read(archive.digest)
    verify = ("cosign", "verify", f"--key={publisher.home / 'cosign.pub'}")
    for digest in (published, *archive.platforms().values()):
        found = publisher.run(*verify, "--insecure-ignore-tlog", f"{IMAGE}@{digest}")
        assert digest in found
    for one in archive.read(archive.digest)["manifests"]:
        name = f"docker://{IMAGE}@{one['digest']}"
        raw = publisher.run("skopeo", "inspect", "--raw", name)
        assert json.loads(raw) == archive.read(one["digest"])


@pytest.mark.usefixtures("published")
def test_look_for_base(
    publisher: Publisher, root_file_system: Path, tmp_path: Path
) -> None:
    """A release is built again when its base was replaced, and not before."""
    for name in ("scripts", "trioproxy"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "scripts" / "release.py", tmp_path / "scripts")
    source = f'__version__ = "{RELEASED}"\n'
    (tmp_path / "trioproxy" / "__init__.py").write_text(source)
    changes = f"# Changelog\n\n## [{RELEASED}] - 2026-01-01\n\n- All of it.\n"
    (tmp_path / "CHANGELOG.md").write_text(changes)
    publisher.run("git", "init", "--quiet", cwd=tmp_path)
    look = (str(ROOT / "scripts" / "look-for-base"), IMAGE)
    assert publisher.run(*look, cwd=tmp_path) == "rebuild=false\n"
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    publisher.run(
        "git", *who, "commit", "--quiet", "--allow-empty", "--message=All", cwd=tmp_path
    )
    publisher.run("git", "tag", f"v{RELEASED}", cwd=tmp_path)
    assert "rebuild=false\n" in publisher.run(*look, cwd=tmp_path)

    push_base(publisher, root_file_system, "second")
    written = dict(
        line.split("=") for line in publisher.run(*look, cwd=tmp_path).splitlines()
    )
    assert written["rebuild"] == "true"
    assert written["ref"] == f"v{RELEASED}"
    *_, latest, dated = written["tags"].split()
    assert latest == "latest"
    assert dated.startswith(f"{RELEASED}-20")
