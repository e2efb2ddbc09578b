"""Ways to the host that Podman alone has, behind limits.

Podman answers Docker's routes and writes what it gets as options of its command line. So
fields that Docker's Engine reads as names or only keeps are paths and options there. Each
way below is tried twice: on Podman itself, where it leads to the host, and behind a proxy
that grants the operations and limits them to one folder.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests import tars
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import ask
from tests.engine import Engine
from tests.podman.clients import import_busybox
from trioproxy.api.fields import ARGUED
from trioproxy.judge.escapes import old_components

FOLDER = "/var/opt"
"""The folder that is listed: it is on every host, and holds nothing of ours."""
LIMITS = {
    "ALLOW_OPERATIONS": ",".join(sorted({*ARGUED, "ContainerDelete"})),
    "CREATE_BINDS": FOLDER,
    "BUILD_OPTIONS": "",
}


def mount(**fields: str) -> dict[str, Any]:
    return {"HostConfig": {"Mounts": [fields]}}


WAYS: dict[str, dict[str, Any]] = {
    "an anonymous volume with a colon": {"Volumes": {"/etc:/x": {}}},
    "a volume whose name is a path": {"HostConfig": {"Binds": ["../../etc:/x"]}},
    "an option in a target": mount(
        Type="bind", Source=FOLDER, Target="/x,bind-propagation=rshared"
    ),
    "an option in a consistency": mount(
        Type="bind",
        Source=FOLDER,
        Target="/x",
        Consistency="x,bind-propagation=rshared",
    ),
    "an owner for the folder": mount(
        Type="bind", Source=FOLDER, Target="/x,chown=true"
    ),
    "a namespace by its path": {"HostConfig": {"NetworkMode": "ns:/proc/1/ns/net"}},
    "an option in a tmpfs": {"HostConfig": {"Tmpfs": {"/x:rshared,dev": ""}}},
    "the environment of Podman": {"Env": ["PAT*"]},
    "one value of that": {"Env": ["PATH"]},
    "more of /proc": {"HostConfig": {"SecurityOpt": ["unmask=ALL"]}},
}


def post(
    path: Path, target: str, body: dict[str, Any], method: str = "POST"
) -> tuple[int, Any]:
    """Send a body; status and answer."""
    raw = json.dumps(body).encode()
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    status, answer = ask(str(path), head.encode() + raw)
    return status, json.loads(answer)


def create(path: Path, way: dict[str, Any]) -> tuple[int, Any]:
    """Create a container without a network in which that way is tried."""
    host = {"NetworkMode": "none", **way.get("HostConfig", {})}
    body = {"Image": "busybox:latest", "Cmd": ["true"], **way, "HostConfig": host}
    return post(path, "/v1.41/containers/create", body)


def build(path: Path, files: bytes, target: str = "/v1.41/build") -> str:
    """Build what a tar has; what is told of it."""
    head = (
        f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/x-tar\r\nContent-Length: {len(files)}\r\n\r\n"
    )
    return str(ask(str(path), head.encode() + files)[1])


def delete(path: Path, container: str) -> None:
    """Remove a container."""
    target = f"/v1.41/containers/{container}?force=1"
    head = f"DELETE {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, answer = ask(str(path), head.encode())
    assert status < 300, answer


@pytest.fixture(scope="module")
def limited(podman: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a proxy before a Podman that has an image."""
    folder = tmp_path_factory.mktemp("limited")
    import_busybox(podman, folder)
    engine = Engine(f"unix://{podman}", folder)
    listen = folder / "proxy.sock"
    with enforcing(engine, listen=f"unix://{listen}", variables=LIMITS):
        yield listen


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_way_that_podman_has_is_closed(
    podman: Path, limited: Path, way: dict[str, Any]
) -> None:
    """What Podman takes for a path or an option is judged as one, and refused."""
    status, made = create(podman, way)
    assert status == 201, made
    delete(podman, made["Id"])
    status, answer = create(limited, way)
    assert status == 403, answer
    assert "does not list" in answer["message"]


def test_no_file_of_the_host_is_removed(
    podman: Path, limited: Path, tmp_path: Path
) -> None:
    """Podman removes `ContainerIDFile` with the container: behind limits it gets none."""
    victim = tmp_path / "victim"
    victim.touch()
    way = {"HostConfig": {"ContainerIDFile": str(victim)}}
    _, made = create(limited, way)
    delete(limited, made["Id"])
    assert victim.exists()
    _, made = create(podman, way)
    delete(podman, made["Id"])
    assert not victim.exists()


@pytest.mark.parametrize("is_new", [True, False], ids=["made", "changed"])
def test_a_list_of_manifests_has_any_file(
    podman: Path, tmp_path: Path, is_new: bool
) -> None:
    """Podman takes `tarball:` and the path of any file for an image, which goes out with a push of
    the list: so the rows of both operations say."""
    file, target = tmp_path / "file", f"/v5.0.0/libpod/manifests/new-{is_new}".lower()
    file.write_text("no tar at all")
    status, told = post(podman, f"{target}?images=tarball:{file}", {})
    if not is_new:
        add = {"operation": "update", "images": [f"tarball:{file}"]}
        status, told = post(podman, target, add, method="PUT")
    assert (status, "errors" in told) == (201 if is_new else 200, False)


LOOKS = ("images/NAME/json", "images/get?names=NAME", 'images/json?filters={"before":["NAME"]}', "libpod/images/NAME/exists")  # fmt: skip
"""Routes that read, by which Podman looks an image up."""


APART = ("images/busybox/tag?repo=containers-storage&tag=TAG", "images/create?fromImage=containers-storage&tag=TAG", "images/create?fromSrc=-&repo=containers-storage&tag=TAG")  # fmt: skip
"""Routes that write, and take the tag of a name apart."""


@pytest.mark.parametrize("target", APART)
def test_no_image_is_one_by_its_tag_either(
    podman: Path, limited: Path, tmp_path: Path, target: str
) -> None:
    """Podman puts a colon between what comes apart, and looks for the whole."""
    store = tmp_path / "store"
    tag = quote(f"[vfs@{store}+{tmp_path}/run]x", safe="")
    target = f"/v1.41/{target.replace('TAG', tag)}"
    assert limited.exists()  # which has the image
    file, listen = {"ALLOW_OPERATIONS": "ImageCreate,ImageTag"}, tmp_path / "proxy.sock"
    with enforcing(Engine(f"unix://{podman}", tmp_path), listen=f"unix://{listen}", variables=file):  # fmt: skip
        assert post(listen, target, {})[0] == 400
    assert not store.exists()
    assert post(podman, target, {})[0] == 500
    assert store.is_dir()


@pytest.mark.parametrize("look", [*LOOKS, "a creation"])
def test_no_image_is_a_storage_in_a_folder_of_the_host(
    podman: Path, tmp_path: Path, look: str
) -> None:
    """To look for an image Podman opens any storage that its name says, as root: it makes that,
    and mounts what is in it by a program that the name says as well."""
    operations = "ImageInspect,ImageGetAll,ImageList,LibpodImageExists,ContainerCreate"
    file = {"ALLOW_OPERATIONS": operations, "CREATE_BINDS": FOLDER}
    listen, store = tmp_path / "proxy.sock", tmp_path / "store"
    name = f"containers-storage:[vfs@{store}+{tmp_path}/run]x"
    quoted = quote(name, safe="") if "filters" not in look else quote(name)
    target = f"/v5.0.0/{look}" if look.startswith("libpod") else f"/v1.41/{look}"
    target = target.replace("NAME", quoted).replace('"', "%22")
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def looks(path: Path) -> tuple[int, object]:
        if look not in LOOKS:
            return create(path, {"Image": name})
        return ask(str(path), head.encode())

    with enforcing(Engine(f"unix://{podman}", tmp_path), listen=f"unix://{listen}", variables=file):  # fmt: skip
        assert looks(listen)[0] == (400 if look in LOOKS else 403)
    assert not store.exists()
    assert looks(podman)[0] in {400, 404, 500}
    assert store.is_dir()


def test_no_tar_of_the_host_is_imported(
    podman: Path, limited: Path, tmp_path: Path
) -> None:
    """What Docker's Engine takes for an address is a path to Podman, from where that runs."""
    file, key = tmp_path / "file.tar", "from\u017frc"
    file.write_bytes(tars.file(b"x", b"x") + tars.END)
    target, path = "/v1.41/images/create?fromSrc=", str(file)
    for source in (f"-&{quote(key)}={path}", path, path[1:]):
        assert post(limited, f"{target}{source}", {})[0] == 400
    assert post(podman, f"{target}{path[1:]}", {})[0] == 200


FOLDERS_BY_VOLUME = {
    "the type is the device": {"o": "bind", "type": "/etc"},
    "a type is an option of mount": {"o": "bind", "type": "--fstab=/var/opt/x"},
    "a device is one": {"type": "tmpfs", "device": "--fstab=/var/opt/x"},
}
"""Podman calls mount(8) with these, one behind the other."""


@pytest.mark.parametrize("options", FOLDERS_BY_VOLUME.values(), ids=FOLDERS_BY_VOLUME)
def test_no_volume_is_a_folder_that_is_not_listed(
    podman: Path, limited: Path, options: dict[str, str]
) -> None:
    """What Podman makes a folder of the host of is asked for, and refused."""
    body = {"Name": "v", "DriverOpts": options}
    status, answer = post(podman, "/v1.41/volumes/create", body)
    assert status == 201, answer
    head = "DELETE /v1.41/volumes/v HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert ask(str(podman), head.encode())[0] == 204
    status, answer = post(limited, "/v1.41/volumes/create", body)
    assert status == 403, answer
    assert "does not list" in answer["message"]


SHARE = "VolumeCreate:DriverOpts.{}"
NOT_THE_SHARE = {
    "no type": {"device": "/dev/disk", "o": "ro"},
    "a bind with a value": {"type": "nfs", "device": "/etc", "o": "ro,bind=recursive"},
    "another one": {"type": "nfs", "device": "/etc", "o": "rbind=1"},
    "an option of mount": {"type": "nfs", "device": "--fstab=/var/opt/x"},
}


@pytest.mark.parametrize("options", NOT_THE_SHARE.values(), ids=NOT_THE_SHARE)
def test_a_share_that_is_listed_is_no_disk_or_folder_of_the_host(
    podman: Path, tmp_path: Path, options: dict[str, str]
) -> None:
    """Who may mount a share by its device and options, as a Compose file does, may leave out its
    type, by which mount(8) mounts a disk, say bind in another way, or name an fstab."""
    engine, listen = Engine(f"unix://{podman}", tmp_path), tmp_path / "proxy.sock"
    fields = ("device", "o", "type=nfs")
    share = {**LIMITS, "CREATE_OPTIONS": ",".join(map(SHARE.format, fields))}
    body = {"Name": "share", "DriverOpts": options}
    with enforcing(engine, listen=f"unix://{listen}", variables=share):
        status, answer = post(listen, "/v1.41/volumes/create", body)
        assert status == 403, answer
        assert "does not list" in answer["message"]
        real = {**body, "DriverOpts": {"type": "nfs", "device": ":/x", "o": "addr=x"}}
        assert post(listen, "/v1.41/volumes/create", real)[0] == 201
    head = (
        "DELETE /v1.41/volumes/share HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert ask(str(podman), head.encode())[0] == 204


@pytest.mark.parametrize(
    "dockerfile",
    [
        "../../../../../../etc/passwd",
        "[%22Dockerfile%22,%22%5Cu002e%5Cu002e/%5Cu002e%5Cu002e/etc/passwd%22]",
        "Dockerfile.in",
    ],
)
def test_no_file_of_the_host_is_read_as_a_dockerfile(
    limited: Path, dockerfile: str
) -> None:
    """A Dockerfile is one of what is sent, and none of the host's, nor takes one in."""
    target = f"/v1.41/build?dockerfile={dockerfile}"
    status, answer = post(limited, target, {})
    assert status == 403
    assert "ImageBuild asks for dockerfile" in answer["message"]


def test_no_query_makes_a_build_one_of_podmans_own(podman: Path, limited: Path) -> None:
    """Podman splits a target at the slashes of its query, too, and as its own it builds with what
    `isolation` says, among the devices of the host: a query that is limited goes on without them."""
    file = b"FROM busybox:latest\nRUN ls /dev/kmsg\n"
    files = tars.file(file, b"Dockerfile") + tars.END
    ulimits = "%5B%22nofile=1024:1024%22,%22nproc=1000:1000%22%5D"
    target = (
        f"/build?isolation=chroot&ulimits={ulimits}&labels=%7B%22a%22:%22/libpod/%22%7D"
    )
    assert '{"stream":"/dev/kmsg' in build(podman, files, target)
    assert "/dev/kmsg: No such file" in build(limited, files, target)


def test_a_build_begins_with_a_tar_of_the_host(limited: Path, tmp_path: Path) -> None:
    """No limit holds that either: what is in a tar that a Dockerfile names is in the image."""
    (tmp_path / "backup.tar").write_bytes(tars.file(name=b"secret") + tars.END)
    text = "FROM tarball:{}/backup.tar AS it\nFROM scratch\nCOPY --from=it secret /\n"
    file = text.format(tmp_path).encode()
    told = build(limited, tars.file(file, b"Dockerfile") + tars.END)
    assert "Successfully built" in told, told


def test_a_build_begins_with_a_storage_of_the_host(
    limited: Path, tmp_path: Path
) -> None:
    """No limit holds that either, and the name of one may have a program that mounts it, as root."""
    store = tmp_path / "store"
    file = f"FROM containers-storage:[vfs@{store}+{tmp_path}/run]x\n".encode()
    told = build(limited, tars.file(file, b"Dockerfile") + tars.END)
    assert "does not resolve to an image" in told, told
    assert store.is_dir()


def test_a_build_writes_where_links_of_its_tar_lead(
    podman: Path, limited: Path, tmp_path: Path
) -> None:
    """No limit holds that, so Podman's versions that do it are called old."""
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("link/written"))
    build(limited, files.getvalue()[:2048])  # what is behind its end is not read
    _, version = ask(
        str(podman), b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    is_old = any(
        one.component == "Podman" for one in old_components(json.loads(version))
    )
    assert is_old == (tmp_path / "written").exists()


def test_an_image_that_is_forced_away_takes_its_containers_along(podman: Path) -> None:
    """No list holds images, and to Podman `force` means more than to Docker: so the docs say."""
    files = tars.file(b"FROM busybox:latest\nLABEL a=b\n", b"Dockerfile") + tars.END
    build(podman, files, "/v1.41/build?t=goes")
    status, made = create(podman, {"Image": "goes"})
    assert status == 201, made
    for method, target, answer in (
        ("GET", f"containers/{made['Id']}/json", 200),
        ("DELETE", "images/goes", 409),
        ("DELETE", "images/goes?force=1", 200),
        ("GET", f"containers/{made['Id']}/json", 404),
    ):
        assert post(podman, f"/v1.41/{target}", {}, method)[0] == answer, target


def test_what_is_harmless_passes(limited: Path) -> None:
    """The same fields, as clients send them, are no reason to refuse."""
    way = {
        "Volumes": {"/data": {}},
        "Env": ["A=b", "C=*"],
        "HostConfig": {
            "Binds": [f"{FOLDER}:/x", "named:/y"],
            "Mounts": [{"Type": "tmpfs", "Target": "/z"}],
            "Tmpfs": {"/t": "size=1m"},
        },
    }
    status, made = create(limited, way)
    assert status == 201, made
    delete(limited, made["Id"])
