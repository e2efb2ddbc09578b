"""What a file means: root or not, and by what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.routes import ENDPOINTS, OPERATIONS, Files
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import Meaning, Planted, limits_power_of, meaning_of
from trioproxy.limits.sorts import parse_pattern


def meaning(**variables: str) -> Meaning:
    policy, _ = parse_policy(variables)
    return meaning_of(policy)


CREATE = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerList"}
THERE = {
    "CREATE_BINDS": "/srv/app,/srv/app/data",
    "ONLY_CONTAINERS": "web",
    "ONLY_NETWORKS": "",
    "ONLY_VOLUMES": "",
}
COMMITS = "ImageCommit: reads any file of the host, by a link in the container's way"
LOGS = "ContainerCreate:HostConfig.LogConfig.Config"
SUBNET = "NetworkCreate:IPAM.Config.Subnet"
WAYS: list[tuple[dict[str, str], list[str]]] = [
    ({"CONTAINERS": "1"}, []),
    (CREATE, ["ContainerCreate: nothing limits what it asks for"]),
    ({**CREATE, "EXEC_USERS": ""}, ["ContainerCreate: nothing limits what it asks for"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app:ro,/srv/app/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app/*"}, ["ContainerCreate: CREATE_BINDS=/srv/app/*"]),
    ({**CREATE, "CREATE_BINDS": "/srv/app/*:ro"}, []),
    ({**CREATE, "CREATE_BINDS": "/etc"}, ["ContainerCreate: CREATE_BINDS=/etc"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}"}, []),
    ({**CREATE, "CREATE_CAPS": "SYS_ADMIN"}, ["ContainerCreate: CREATE_CAPS=SYS_ADMIN"]),
    ({**CREATE, "CREATE_OPTIONS": "*"}, ["ContainerCreate: CREATE_OPTIONS=*"]),
    # Podman writes what a container prints there, be it where a shell of the host reads it.
    ({**CREATE, "CREATE_OPTIONS": f"{LOGS}.path"}, [f"ContainerCreate: CREATE_OPTIONS={LOGS}.path"]),
    ({**CREATE, "CREATE_OPTIONS": f"{LOGS}.pathname,{LOGS}.path.x"}, []),
    ({"ALLOW_OPERATIONS": "ContainerExec", "EXEC_PRIVILEGED": "0"}, ["ContainerExec: reaches into any container, whatever it was given"]),
    ({"ALLOW_OPERATIONS": "PluginEnable", "CREATE_CAPS": ""}, ["PluginEnable: starts a plugin with its privileges"]),
    ({"ALLOW_OPERATIONS": "ContainerList", "CREATE_PRIVILEGED": "1"}, []),
    ({"IMAGES": "1", "BUILD": "1", "POST": "1", "BUILD_OPTIONS": ""}, []),
    # Links planted in what may be written, below which another item lies.
    ({**CREATE, "CREATE_BINDS": "/srv/app/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BINDS": "/srv/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/app/data:ro"}, ["ContainerCreate: CREATE_BINDS=/srv/a*"]),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/b*,/srv/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/a*,/srv/b/app/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app2/data"}, []),
    ({**CREATE, "CREATE_BINDS": "/srv/app,/srv/app/run-*:ro"}, ["ContainerCreate: CREATE_BINDS=/srv/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base},{base}/data"}, ["ContainerCreate: CREATE_BINDS={base}"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "/home/me/app,{base}/data"}, ["ContainerCreate: CREATE_BINDS=/home/me/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}/data,/home/me/app"}, ["ContainerCreate: CREATE_BINDS=/home/me/app"]),
    ({**CREATE, "CREATE_BASE": "/home/me/app", "CREATE_BINDS": "{base}:ro,{base}/data"}, []),
    # By another name of the folder.
    ({**CREATE, "CREATE_BINDS": "/var/run/app,/run/app/data:ro"}, ["ContainerCreate: CREATE_BINDS=/var/run/app"]),
    ({**CREATE, "CREATE_BINDS": "/run/app,/var/run/a*:ro,/var/run/app/x:ro"}, ["ContainerCreate: CREATE_BINDS=/run/app"]),
    ({**CREATE, "CREATE_BINDS": "/host_mnt/srv/*:ro,/srv/app/data"}, ["ContainerCreate: CREATE_BINDS=/srv/app/data"]),
    ({**CREATE, "CREATE_BASE": "/var/home/me/app", "CREATE_BINDS": "{base},/home/me/app/x:ro"}, ["ContainerCreate: CREATE_BINDS={base}"]),
    ({**CREATE, "CREATE_BINDS": "/var/run/app,/run/app"}, []),
    ({**CREATE, "CREATE_BINDS": "/mnt/a/films,/mnt/b/films/new"}, []),
    ({"ALLOW_OPERATIONS": "VolumeCreate", "CREATE_BINDS": "/srv/app,/srv/app/x"}, ["VolumeCreate: CREATE_BINDS=/srv/app"]),
    # The Engine looks for the binds of a container that is there anew as it starts, and as files are copied.
    ({**THERE, "ALLOW_OPERATIONS": "ContainerExec", "EXEC_PRIVILEGED": "0"}, ["ContainerExec: CREATE_BINDS=/srv/app"]),
    ({**THERE, "ALLOW_OPERATIONS": "ContainerAttach"}, ["ContainerAttach: CREATE_BINDS=/srv/app"]),
    ({**THERE, "ALLOW_OPERATIONS": "PutContainerArchive"}, ["PutContainerArchive: CREATE_BINDS=/srv/app"]),
    ({**THERE, "ALLOW_OPERATIONS": "ContainerRestart,ContainerArchive"}, []),
    ({**THERE, "ALLOW_OPERATIONS": "PutContainerArchive", "CREATE_BINDS": "/srv/app,/srv/data"}, []),
    # Who copies into a container writes in its binds, and what it runs.
    ({**THERE, "ALLOW_OPERATIONS": "PutContainerArchive", "CREATE_BINDS": "/etc"}, ["PutContainerArchive: CREATE_BINDS=/etc"]),
    ({**THERE, "ALLOW_OPERATIONS": "PutContainerArchive", "CREATE_BINDS": "", "CREATE_CAPS": "SYS_ADMIN"}, ["PutContainerArchive: CREATE_CAPS=SYS_ADMIN"]),
    # A network has the address of a cloud's metadata server, and NetworkConnect puts a container there.
    ({"NETWORKS": "1", "POST": "1"}, ["NetworkCreate: nothing limits what it asks for"]),
    ({"NETWORKS": "1", "POST": "1", "CREATE_OPTIONS": ""}, []),
    ({"NETWORKS": "1", "POST": "1", "CREATE_OPTIONS": SUBNET}, [f"NetworkCreate: CREATE_OPTIONS={SUBNET}"]),
    # Doors that nothing limits, whatever their risk is without limits beside them.
    ({**CREATE, "ALLOW_OPERATIONS": "ContainerCreate,ImageLoad", "CREATE_BINDS": ""}, ["ImageLoad: loads images, may replace tags"]),
    # Podman's `tarball:/etc/shadow` is an image of any file, which a push carries out.
    ({"ALLOW_OPERATIONS": "LibpodManifestCreate,LibpodManifestPush"}, ["LibpodManifestCreate: reads any file of the host"]),
    ({"LIBPOD_MANIFESTS": "1", "POST": "1"}, ["LibpodManifestCreate: reads any file of the host", "LibpodManifestModify: reads any file of the host"]),
    ({"LIBPOD_MANIFESTS": "1", "POST": "1", "CREATE_BINDS": ""}, []),
    ({"ALLOW_OPERATIONS": "SwarmInspect"}, ["SwarmInspect: shows the join tokens, by which anybody becomes a manager"]),
    ({"ALLOW_OPERATIONS": "Session", "BUILD_OPTIONS": ""}, ["Session: offers files and credentials to later builds"]),
    ({"ALLOW_OPERATIONS": "CheckpointDelete"}, ["CheckpointDelete: removes a folder, anywhere on the host"]),
    # Doors into what other containers were given.
    ({"ALLOW_OPERATIONS": "ContainerArchive"}, ["ContainerArchive: copies files out of any container, and of what the host shares with it"]),
    ({"ALLOW_ARCHIVE": "1"}, ["ContainerArchive: copies files out of any container, and of what the host shares with it"]),
    ({"ALLOW_OPERATIONS": "ContainerAttach", "CREATE_BINDS": ""}, ["ContainerAttach: reaches into any container, whatever it was given"]),
    ({"ALLOW_OPERATIONS": "LibpodArtifactAddLocal"}, ["LibpodArtifactAddLocal: reads any file of the host"]),
    ({**CREATE, "CREATE_NAMESPACES": "net:container"}, ["ContainerCreate: CREATE_NAMESPACES=net:container"]),
    ({**CREATE, "CREATE_NAMESPACES": "ipc:container,ipc:host"}, ["ContainerCreate: CREATE_NAMESPACES=ipc:container", "ContainerCreate: CREATE_NAMESPACES=ipc:host"]),
    ({**CREATE, "CREATE_BINDS": "@proxy", "PROXY_SOCKET": "/var/run/docker.sock"}, ["ContainerCreate: CREATE_BINDS=@proxy"]),
    ({**CREATE, "CREATE_BINDS": "@proxy", "PROXY_SOCKET": "/run/ci/docker.sock"}, []),
    # A value counts for those operations that can ask for it.
    ({"ALLOW_OPERATIONS": "NetworkCreate", "CREATE_PRIVILEGED": "1", "CREATE_BINDS": "/"}, []),
    ({"ALLOW_OPERATIONS": "ContainerCreate,NetworkConnect", "CREATE_NAMESPACES": "volumes:container"}, ["ContainerCreate: CREATE_NAMESPACES=volumes:container"]),
]  # fmt: skip


NAMES = "ContainerArchive,ContainerCreate,ContainerStart,PutContainerArchive"
PACKS = {
    "ALLOW_OPERATIONS": NAMES,
    "CREATE_IMAGES": "busybox,acme/ci:*",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "app",
}
NODES = "opens nodes of the host's disks"


SERVED = [
    ("localhost:5000/app:1", "5000"),
    ("localhost:5000/app:*", "8080,127.0.0.1:5000"),
    ("localhost:5000/app@sha256:*", "[::1]:5000"),
    ("localhost/app:1", "127.0.0.1:80"),
    ("localhost:05000/app:1", "5000"),
    ("k3d.localhost:5000/app:1", "4000-6000"),
    ("127.0.0.2:40000/app:1", "random"),
]
NOT_SERVED = [
    ("localhost:5000/app:1", ""),
    ("localhost:5000/app:1", "5001,5000/udp,192.168.0.9:5000"),
    ("127.0.0.2:5000/app:1", "127.0.0.1:5000"),
    ("registry.example:5000/app:1", "5000"),
    ("localhost/app:1", "5000"),
    *((f"localhost:5000/app{tag}@sha256:{'a' * 64}", "5000") for tag in ("", ":1")),
]


def packing(why: str, *more: str) -> list[str]:
    """Both ways of an archive, for one reason, between others."""
    archive, put = (
        f"{name}: {NODES}{why}" for name in ("ContainerArchive", "PutContainerArchive")
    )
    return [put, archive, *more]


def granting(*operations: str, **variables: str) -> dict[str, str]:
    return {**PACKS, "ALLOW_OPERATIONS": ",".join((NAMES, *operations)), **variables}


CREATED = "CREATE_OPTIONS=ContainerCreate:HostConfig.Mounts.VolumeOptions.DriverConfig.Options.type=nfs"
WAYS += [
    # The Engine packs and unpacks files of a confined client, from which nodes are kept ...
    (PACKS, []),
    (granting("ContainerArchiveInfo", "ContainerExport", "ContainerRestart", "ExecStart", EXEC_USERS=""), []),
    (granting("ImageCreate", PULL_IMAGES="busybox,acme/ci:*"), []),
    (granting(CREATE_CAPS="NET_ADMIN", CREATE_BINDS="/srv/app"), []),
    (granting(CREATE_OPTIONS="VolumeCreate:DriverOpts.type=tmpfs"), []),
    ({**PACKS, "CREATE_IMAGES": "sha256:" + "a" * 64 + ",busybox@sha256:*,localhost:5000/x:*"}, []),
    # ... but for those that it makes, that come with images, or from another machine.
    (granting(CREATE_CAPS="MKNOD"), packing(": CREATE_CAPS lists MKNOD", "ContainerCreate: CREATE_CAPS=MKNOD")),
    (granting(CREATE_CAPS="ALL"), packing(": CREATE_CAPS lists ALL", "ContainerCreate: CREATE_CAPS=ALL")),
    (granting(CREATE_CAPS="*"), packing(": CREATE_CAPS lists MKNOD", "ContainerCreate: CREATE_CAPS=*")),
    (granting(CREATE_PRIVILEGED="1"), packing(": CREATE_PRIVILEGED lists 1", "ContainerCreate: CREATE_PRIVILEGED=1")),
    (granting(CREATE_IMAGES="*"), packing(", as an image holds: CREATE_IMAGES lists any")),
    ({**{k: v for k, v in PACKS.items() if k != "CREATE_IMAGES"}, "CREATE_CAPS": ""}, packing(", as an image holds: CREATE_IMAGES lists any")),
    (granting(CREATE_IMAGES="busybox,acme/*"), packing(", as an image holds: CREATE_IMAGES lists acme/*")),
    (granting(CREATE_IMAGES="a*e/ci:1"), packing(", as an image holds: CREATE_IMAGES lists a*e/ci:1")),
    (granting(CREATE_IMAGES="busybox,@built"), packing(", as an image holds: CREATE_IMAGES lists @built")),
    (granting("ImageCreate"), packing(", as an image holds: PULL_IMAGES lists any")),
    (granting("ImageCreate", PULL_IMAGES="*"), packing(", as an image holds: PULL_IMAGES lists any")),
    (granting("ImageCreate", PULL_IMAGES="acme/*:*"), packing(", as an image holds: PULL_IMAGES lists acme/*:*")),
    (granting("ImageCreate", PULL_IMAGES="busybox,src:-"), packing(", as an image holds: PULL_IMAGES lists src:-")),
    # A registry on the host itself may be a container of the client's.
    *((granting("ImageCreate", PULL_IMAGES=image, CREATE_PORTS=ports), packing(f", as an image holds: PULL_IMAGES lists {image}, and CREATE_PORTS lets the client be that registry")) for image, ports in SERVED),
    *((granting("ImageCreate", PULL_IMAGES=image, CREATE_PORTS=ports), []) for image, ports in NOT_SERVED),
    (granting("ImageBuild", BUILD_OPTIONS=""), packing(", as an image holds: ImageBuild makes any")),
    (granting("ImageLoad"), ["ImageLoad: loads images, may replace tags", *packing(", as an image holds: ImageLoad makes any")]),
    (granting(CREATE_OPTIONS=CREATED.partition("=")[2]), packing(", as a volume of a network holds: CREATE_OPTIONS lists such")),
    *((granting(CREATE_OPTIONS=f"VolumeCreate:DriverOpts.type={kind}"), packing(", as a volume of a network holds: CREATE_OPTIONS lists such")) for kind in ("nfs", "nfs4", "cifs", "smb3")),
    # Who creates nothing has no images; who is not confined needs none.
    ({"ALLOW_OPERATIONS": "ContainerExport", "CREATE_BINDS": "", "ONLY_CONTAINERS": "web", "ONLY_NETWORKS": "", "ONLY_VOLUMES": ""}, []),
    ({"ALLOW_OPERATIONS": "ContainerExport", "CREATE_CAPS": "MKNOD", "ONLY_CONTAINERS": "web", "ONLY_NETWORKS": "", "ONLY_VOLUMES": ""}, [f"ContainerExport: {NODES}: CREATE_CAPS lists MKNOD"]),
    ({"ALLOW_OPERATIONS": "ContainerExport", "CREATE_BINDS": ""}, ["ContainerExport: copies the files of any container out, and what its nodes are"]),
    ({"ALLOW_OPERATIONS": "ContainerExport", "ONLY_CONTAINERS": "web", "ONLY_NETWORKS": "", "ONLY_VOLUMES": ""}, ["ContainerExport: reaches into each container that is listed, whatever it was given"]),
    ({"ALLOW_OPERATIONS": "LibpodContainerExport"}, ["LibpodContainerExport: copies files out of any container, and of what the host shares with it"]),
    # A commit follows a link, whatever is limited, and whose container it is.
    ({"ALLOW_OPERATIONS": "ImageCommit"}, [COMMITS]),
    ({"ALLOW_OPERATIONS": "ImageCommit", "CREATE_TAGS": "acme/app:1"}, [COMMITS]),
    ({"ALLOW_OPERATIONS": "ImageCommit", "CREATE_TAGS": "", "ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}, [COMMITS]),
    ({"COMMIT": "1", "POST": "1", "CREATE_TAGS": ""}, [COMMITS]),
    # So does a build, of whose containers one can be started.
    ({"ALLOW_OPERATIONS": "ImageBuild,ImageTag", "BUILD_OPTIONS": ""}, []),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": ""}, ["ImageBuild: commits containers of its own, and ContainerStart runs them"]),
    ({"ALLOW_OPERATIONS": "ContainerUpdate,ImageBuild", "BUILD_OPTIONS": "", "CREATE_BINDS": ""}, ["ImageBuild: commits containers of its own, and ContainerUpdate runs them"]),
    ({"ALLOW_RESTARTS": "1", "BUILD": "1", "POST": "1", "BUILD_OPTIONS": ""}, ["ImageBuild: commits containers of its own, and ContainerRestart runs them"]),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}, []),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own,web-*,web,Web*", "ONLY_OWNER": "app"}, []),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own,a*", "ONLY_OWNER": "app"}, ["ImageBuild: commits containers of its own, which ONLY_CONTAINERS=a* may name, and ContainerStart runs them"]),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own,*_*", "ONLY_OWNER": "app"}, ["ImageBuild: commits containers of its own, which ONLY_CONTAINERS=*_* may name, and ContainerStart runs them"]),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own,*1", "ONLY_OWNER": "app"}, ["ImageBuild: commits containers of its own, which ONLY_CONTAINERS=*1 may name, and ContainerStart runs them"]),
    ({"ALLOW_OPERATIONS": "ContainerStop,ImageBuild", "BUILD_OPTIONS": "", "ONLY_CONTAINERS": "@own,a*", "ONLY_OWNER": "app"}, []),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ImageBuild", "BUILD_OPTIONS": "", "CREATE_BINDS": "", "ONLY_CONTAINERS": "@own", "ONLY_VOLUMES": "*", "ONLY_OWNER": "app"}, ["ImageBuild: has volumes filled that ONLY_VOLUMES lists"]),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ImageBuild", "BUILD_OPTIONS": "", "CREATE_BINDS": "", "ONLY_CONTAINERS": "@own", "ONLY_VOLUMES": "@own,f*", "ONLY_OWNER": "app"}, ["ImageBuild: has volumes filled that ONLY_VOLUMES lists"]),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ImageBuild", "BUILD_OPTIONS": "", "CREATE_BINDS": "", "ONLY_CONTAINERS": "@own", "ONLY_VOLUMES": "@own,@label:com.docker.volume.anonymous=", "ONLY_OWNER": "app"}, ["ImageBuild: has volumes filled that ONLY_VOLUMES lists"]),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ImageBuild", "BUILD_OPTIONS": "", "CREATE_BINDS": "", "ONLY_CONTAINERS": "@own", "ONLY_VOLUMES": "@own,web*,f-*,@label:a=b", "ONLY_OWNER": "app"}, []),
    ({"ALLOW_OPERATIONS": "ContainerStart,ImageBuild"}, ["ImageBuild: nothing limits what it asks for"]),
    ({**CREATE, "CREATE_CAPS": "MKNOD"}, ["ContainerCreate: CREATE_CAPS=MKNOD"]),
    ({"ALLOW_OPERATIONS": "LibpodContainerUpdate"}, ["LibpodContainerUpdate: runs commands in any container, as its health check"]),
    ({"ALLOW_OPERATIONS": "LibpodImageScp"}, ["LibpodImageScp: copies images out and in by Podman's keys"]),
    ({"ALLOW_OPERATIONS": "LibpodVolumeImport"}, ["LibpodVolumeImport: replaces what is in a volume, or files of the host"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "ways"),
    WAYS,
    ids=[f"{n} {str(way[0])[-60:]}" for n, way in enumerate(WAYS)],
)
def test_ways_to_root(variables: dict[str, str], ways: list[str]) -> None:
    """Each known way is named with the operation and the value that gives it."""
    found = meaning(**variables)
    assert [str(way) for way in found.ways] == ways
    assert found.is_root is bool(ways)
    assert found.answer.startswith(
        "root on the host: yes, by " if ways else "root on the host: no known way"
    )


BINDS = [
    *("/srv", "/srv/a", "/srv/a*", "/srv/a/b", "/srv/*:ro", "/srv/a/b/c:ro"),
    *("/run/x", "/var/run/x/y", "/mnt", "/mnt/*", "/opt/a:ro"),
]


@given(st.lists(st.sampled_from(BINDS), unique=True), st.data())
def test_binds_that_are_added_lead_as_a_list_of_them_does(
    texts: list[str], data: st.DataObject
) -> None:
    """Whether they are there or new."""
    items = [parse_pattern("CREATE_BINDS", text) for text in texts]
    whole = list(Planted(items).leading())
    cut = data.draw(st.integers(0, len(items)))
    there, new = Planted(items[:cut]), items[cut:]
    led = {*there.leading(), *there.leading(new)}
    assert [one for one in items if one in led] == whole


def test_a_limited_family_is_shown_whole() -> None:
    """What is not set in a limited family is shown as closed, and open families are not."""
    found = meaning(**CREATE, CREATE_BINDS="/srv/app")
    is_set = found.policy.limits.by_variable
    shown = {one.variable: (one.value, one.variable in is_set) for one in found.limits}
    assert shown["CREATE_BINDS"] == ("/srv/app", True)
    assert shown["CREATE_PRIVILEGED"] == ("", False)
    assert "CREATE_IMAGES" not in shown
    assert not any(name.startswith("EXEC_") for name in shown)


IMAGES = "replaces no image that others run"
CONDITIONS: list[tuple[dict[str, str], list[str]]] = [
    ({"ALLOW_OPERATIONS": "ContainerList,ImagePush"}, []),
    ({"ALLOW_OPERATIONS": "ImageTag"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageTag", "CREATE_TAGS": "*"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageTag", "CREATE_TAGS": "acme/app:*"}, []),
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": ""}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": "", "CREATE_TAGS": ""}, []),
    ({"ALLOW_OPERATIONS": "ImageCreate"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "nginx:*"}, []),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "*"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "src:-"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "ImageCreate", "PULL_IMAGES": "src:-", "CREATE_TAGS": "a"}, []),
    ({"ALLOW_OPERATIONS": "LibpodImageTag"}, [IMAGES]),
    ({"ALLOW_OPERATIONS": "LibpodVolumeExport"}, ["finds no volume that leads to the host"]),
    ({"NETWORKS": "1"}, []),
    ({"DISTRIBUTION": "1", "POST": "1"}, ["sends nothing that this version does not know"]),
    ({"NETWORKS": "1", "POST": "1", "CREATE_CAPS": ""}, []),
    ({"ALLOW_OPERATIONS": "POST:/frob/{x}"}, ["sends nothing that this version does not know"]),
    ({"ALLOW_OPERATIONS": "GET:/frob/{x}"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "conditions"), CONDITIONS, ids=[str(c[0])[-60:] for c in CONDITIONS]
)
def test_what_must_be_true_is_told(
    variables: dict[str, str], conditions: list[str]
) -> None:
    """What another person's act would make of a file stands beside the answer."""
    found = meaning(**variables)
    assert list(found.conditions) == conditions
    assert not found.is_root


def test_a_create_is_told_of_with_what_lies_outside_of_its_limits() -> None:
    """Parents of binds, volumes and networks of others are named wherever they count."""
    found = meaning(**CREATE, CREATE_BINDS="/srv/app")
    assert found.answer == (
        "root on the host: no known way, for a client that runs only in containers or"
        " elsewhere, cannot write the parents of its binds and finds no volume or network"
        " of others that leads to the host, where nobody on the host runs what it writes"
        " in /srv/app, on an Engine without known escapes"
    )
    assert "parents" not in meaning(**CREATE, CREATE_BINDS="").answer


@pytest.mark.parametrize(
    ("binds", "only_for", "has_parents"),
    [
        ("/tmp/build-{rand6}", "who may write to /tmp on the host", False),
        ("/tmp/build-{rand6}:ro,/srv/app", "who may write to /tmp on the host", True),
        ("/var/tmp/a,/tmp/{uuid}/x", "who may write to /tmp and /var/tmp on the host", False),
        ("/private/tmp/x", "who may write to /tmp on the host", False),
        ("/srv/tmp/{num}", "", True),
        ("{base}/x", "who may write to /tmp on the host", False),
    ],
)  # fmt: skip
def test_a_bind_where_others_write_is_no_way_but_for_them(
    binds: str, only_for: str, has_parents: bool
) -> None:
    """Who may write beside a listed name plants a link under it, and the answer says who."""
    found = meaning(**CREATE, CREATE_BASE="/tmp/checkout", CREATE_BINDS=binds)
    assert not found.is_root
    assert found.only_for == only_for
    assert (f"no known way, except for {only_for}, for a client" in found.answer) is bool(only_for)  # fmt: skip
    assert ("parents of its binds" in found.answer) is has_parents


ENGINE = "on an Engine without known escapes"
WRITES = "where nobody on the host runs what it writes in "
SURROUNDINGS: list[tuple[dict[str, str], list[str]]] = [
    ({"CONTAINERS": "1"}, []),
    ({"ALLOW_OPERATIONS": "ContainerRestart"}, []),
    ({"ALLOW_OPERATIONS": "ContainerStart"}, [ENGINE]),
    ({**THERE, "ALLOW_OPERATIONS": "PutContainerArchive", "CREATE_BINDS": "/srv/a"}, [f"{WRITES}/srv/a"]),
    ({**THERE, "ALLOW_OPERATIONS": "ContainerRestart", "CREATE_BINDS": "/srv/a"}, []),
    ({**CREATE, "CREATE_BINDS": ""}, [ENGINE]),
    # By a `FROM` Podman runs a program of its host.
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": ""}, ["on a Docker Engine without known escapes"]),
    ({**CREATE, "CREATE_BINDS": "/srv/a:ro"}, [ENGINE]),
    ({**CREATE, "CREATE_BINDS": "/srv/a,/srv/b:ro"}, [f"{WRITES}/srv/a", ENGINE]),
    ({**CREATE, "CREATE_BINDS": "{base}/x", "CREATE_BASE": "/home/me/app"}, [f"{WRITES}/home/me/app/x", ENGINE]),
    ({**CREATE, "CREATE_BINDS": "/a/1,/a/2,/a/3"}, [f"{WRITES}/a/1, /a/2 and /a/3", ENGINE]),
    ({**CREATE, "CREATE_BINDS": "/a/1,/a/2,/a/3,/a/4,/a/5"}, [f"{WRITES}/a/1, /a/2, /a/3 and 2 more", ENGINE]),
    ({**CREATE, "CREATE_BINDS": "@proxy", "PROXY_SOCKET": "/run/app/p.sock"}, [ENGINE]),
    ({**CREATE, "CREATE_DEVICES": "/dev/ttyS0,/dev/ttyUSB0,/dev/hidraw1"}, ["where no console or keyboard of the host is at /dev/ttyS0 and /dev/hidraw1", ENGINE]),
    # What is on the host's own loopback, if it is called so, and may be a container of the client's.
    (granting("ImageCreate", PULL_IMAGES="vm:5000/a:1,vm:05000/b:*,x.example:5000/c@sha256:*", CREATE_PORTS="5000"), ["where the host itself is not called vm or x.example", ENGINE]),
    (granting("ImageCreate", PULL_IMAGES=f"vm:5001/a:1,acme/b:1,vm:5000/a@sha256:{'a' * 64}", CREATE_PORTS="5000"), [ENGINE]),
    (granting(PULL_IMAGES="vm:5000/a:1", CREATE_PORTS="5000"), [ENGINE]),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ImageCreate", "PULL_IMAGES": "vm:5000/a:1", "CREATE_PORTS": "5000"}, [ENGINE]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "surroundings"),
    SURROUNDINGS,
    ids=[str(one[0])[-60:] for one in SURROUNDINGS],
)
def test_what_must_be_true_of_the_host_is_told(
    variables: dict[str, str], surroundings: list[str]
) -> None:
    """Folders that a client writes are named, and the Engine where it runs containers."""
    found = meaning(**variables)
    assert list(found.surroundings) == surroundings
    if not found.is_root:
        assert found.answer.endswith("".join(f", {one}" for one in surroundings))


UNLIMITABLE = sorted(
    {one.operation for one in ENDPOINTS if one.is_unlimitable and one.is_reachable}
)


@pytest.mark.parametrize("name", UNLIMITABLE)
def test_no_door_without_a_limit_is_passed_over(name: str) -> None:
    """Whatever stands open beside limits, and cannot be limited, is a way to root."""
    found = meaning(ALLOW_OPERATIONS=name, CREATE_BINDS="")
    assert [way.operation for way in found.ways] == [name]


OPENED = {Files.PACKS, Files.UNPACKS}
TOUCHING = sorted({e.operation for e in ENDPOINTS if e.files in OPENED})


@pytest.mark.parametrize("name", [one for one in TOUCHING if one != "BuildKitGrpc"])
def test_who_touches_files_is_root_or_has_a_condition(name: str) -> None:
    """Nothing by which the Engine touches a container's files is granted in silence."""
    found = meaning(ALLOW_OPERATIONS=name)
    assert found.is_root or any("volume" in one for one in found.conditions)


def test_what_is_a_way_by_files_is_called_limited_nowhere() -> None:
    """A commit beside limits and lists is root, and no list is said to hold it."""
    commit, _ = parse_policy(granting("ImageCommit", "ContainerExport"))
    assert not limits_power_of(commit, "ImageCommit")
    assert not limits_power_of(commit, "PutContainerArchive")
    assert limits_power_of(commit, "ContainerCreate")
    assert limits_power_of(parse_policy(PACKS)[0], "PutContainerArchive")
    builds = {"ALLOW_OPERATIONS": "ContainerStart,ImageBuild", "BUILD_OPTIONS": ""}
    assert not limits_power_of(parse_policy(builds)[0], "ImageBuild")
    confined = {**builds, "ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}
    assert limits_power_of(parse_policy(confined)[0], "ImageBuild")


AROUND = "it pulls any image and connects to any host"
BUILDS: list[tuple[dict[str, str], str]] = [
    ({"PULL_IMAGES": "nginx"}, f"a build goes around PULL_IMAGES: {AROUND}"),
    ({"ONLY_NETWORKS": ""}, f"a build goes around ONLY_NETWORKS: {AROUND}"),
    ({"PULL_IMAGES": "", "ONLY_NETWORKS": "front"}, f"a build goes around PULL_IMAGES and ONLY_NETWORKS: {AROUND}"),
    ({"PULL_IMAGES": "*", "ONLY_NETWORKS": "*"}, ""),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "words"), BUILDS, ids=[str(b[0]) for b in BUILDS]
)
def test_a_build_goes_around_lists(variables: dict[str, str], words: str) -> None:
    """A file that lists pulls or networks and lets build is told so, here and at its start."""
    more = {"ONLY_OWNER": "app"} if "ONLY_NETWORKS" in variables else {}
    policy, warnings = parse_policy(
        {"ALLOW_OPERATIONS": "ImageBuild,ImageCreate", **variables, **more}
    )
    assert policy.gone_around == words
    assert [one for one in warnings if "build" in one] == [words] * bool(words)
    without, _ = parse_policy({"ALLOW_OPERATIONS": "ImageCreate", **variables, **more})
    assert without.gone_around == ""
    assert OPERATIONS["ImageBuild"][0].connects


def test_what_reaches_into_own_containers_alone_is_limited() -> None:
    """Beside limits and lists of objects, an attach has no more power than a create."""
    listed = {
        "ALLOW_OPERATIONS": "ContainerAttach,ContainerCreate,PutContainerArchive",
        "CREATE_BINDS": "",
        "CREATE_IMAGES": "busybox",
        "ONLY_CONTAINERS": "@own",
        "ONLY_OWNER": "app",
    }
    policy, _ = parse_policy(listed)
    for operation in policy.opened_operations:
        assert limits_power_of(policy, operation)
    open_to_all = {name: listed[name] for name in ("ALLOW_OPERATIONS", "CREATE_BINDS")}
    assert not limits_power_of(parse_policy(open_to_all)[0], "ContainerAttach")
    without = {k: v for k, v in listed.items() if not k.startswith("CREATE_")}
    assert not limits_power_of(parse_policy(without)[0], "ContainerAttach")
    anybody, _ = parse_policy({**listed, "ONLY_CONTAINERS": "*"})
    assert not limits_power_of(anybody, "ContainerAttach")


def test_what_can_still_show_secrets_is_named() -> None:
    """Beside `REDACT` a file says which of what it grants passes as it is: what was printed, run,
    copied or packed; where there is none of it, that values are hidden and no more."""
    shows = (
        *("ContainerArchive", "ContainerAttach", "ContainerExport", "ContainerLogs"),
        *("ExecStart", "ImageCommit", "ImageGet", "ImageGetAll", "ServiceLogs"),
    )
    reads = ("ContainerInspect", "ContainerList", "ContainerTop")
    every = ",".join((*reads, *shows))
    hidden = "answers have a marker in place of values: REDACT=env"
    told = f"passes as it is, and can show secrets: {', '.join(shows)}"
    redacted = meaning(ALLOW_OPERATIONS=every, REDACT="env").redacted
    assert redacted == (hidden, told)
    redacted = meaning(ALLOW_OPERATIONS=",".join(reads), REDACT="env").redacted
    assert redacted == (hidden,)
    assert meaning(ALLOW_OPERATIONS=every).redacted == ()
