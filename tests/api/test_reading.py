import hashlib
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.limits.arguing import asked, create, values
from trioproxy.api.arguments import told_option
from trioproxy.api.decoding import Json
from trioproxy.api.query import MOST_PAIRS
from trioproxy.api.reading import MOST_ARGUMENTS
from trioproxy.errors import BadBody, BadTarget, BodyTooLarge

PROFILE = '{"defaultAction": "SCMP_ACT_ALLOW"}'
DIGEST = hashlib.sha256(PROFILE.encode()).hexdigest()
SHARED = "ContainerCreate:HostConfig.Mounts.BindOptions.Propagation"
OPTIONS = "ContainerCreate:HostConfig.Mounts.VolumeOptions.DriverConfig.Options"
A64 = "a" * 64
MOUNTS = "ContainerCreate:HostConfig.Mounts"
MASKED = [
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware", "/sys/devices/virtual/powercap",
]  # fmt: skip
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


DEFAULT_CAPS = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"  # fmt: skip
LOG_OPTIONS = "cache-compress cache-disabled cache-max-file cache-max-size compress env env-regex labels labels-regex max-buffer-size max-file max-size mode tag"  # fmt: skip
OF_MEMORY = "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced fs.mqueue.queues_max"  # fmt: skip
OF_TMPFS = "rw,ro,suid,nosuid,dev,nodev,exec,noexec,atime,noatime,diratime,nodiratime,sync,async,relatime,strictatime,size=1m,mode=1777,uid=1,gid=1,nr_inodes=9,nr_blocks=9,mpol=bind:0"  # fmt: skip


def volume(name: str, options: dict[str, str]) -> Json:
    driver: Json = {"Name": name, "Options": dict(options)}
    return {"Type": "volume", "VolumeOptions": {"DriverConfig": driver}, "Target": "/v"}


HOST: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"Privileged": True}, [("CREATE_PRIVILEGED", "1")]),
    ({"PRIVILEGED": True}, [("CREATE_PRIVILEGED", "1")]),
    ({"Privileged": False}, []),
    ({"Privileged": None}, []),
    # Binds
    ({"Binds": ["/etc:/e"]}, [("CREATE_BINDS", "/etc")]),
    ({"Binds": ["/etc:/e:ro"]}, [("CREATE_BINDS", "/etc:ro")]),
    ({"Binds": ["/etc:/e:ro,rprivate"]}, [("CREATE_BINDS", "/etc:ro")]),
    ({"Binds": ["/etc:/e:ro,Z"]}, [("CREATE_BINDS", "/etc")]),
    ({"Binds": ["/tmp/../etc/:/e"]}, [("CREATE_BINDS", "/etc")]),
    ({"Binds": ["//etc:/e"]}, [("CREATE_BINDS", "/etc")]),
    ({"Binds": ["/../..:/e"]}, [("CREATE_BINDS", "/")]),
    ({"Binds": ["/proc/self/root:/e"]}, [("CREATE_BINDS", "/proc/self/root")]),
    ({"Binds": ["/a*b:/e"]}, [("CREATE_BINDS", "/a%2Ab")]),
    ({"Binds": ["/a b,c:/e"]}, [("CREATE_BINDS", "/a%20b%2Cc")]),
    ({"Binds": ["/\u00e9:/e"]}, [("CREATE_BINDS", "/%C3%A9")]),
    ({"Binds": ["/a:/e:rshared"]}, [("CREATE_OPTIONS", f"{SHARED}=rshared"), ("CREATE_BINDS", "/a")]),
    ({"Binds": ["data:/e", "data2:/f:ro", "/anonymous"]}, []),
    *(({"Binds": [f"/a:/e:{mode}"]}, [("CREATE_BINDS", "/a")])
      for mode in ("rw", "nocopy", "consistent", "cached", "delegated", "z", "Z", "private", "rprivate", "rw,z,private")),
    ({"Binds": ["../../etc:/e"]}, [("CREATE_BINDS", "../../etc")]),
    ({"Binds": [".:/e:ro"]}, [("CREATE_BINDS", ".:ro")]),
    ({"Mounts": [{"Type": "bind", "Source": "/etc/", "Target": "/e"}]}, [("CREATE_BINDS", "/etc")]),
    ({"Mounts": [{"type": "bind", "sOurce": "/etc", "readonly": True}]}, [("CREATE_BINDS", "/etc:ro")]),
    ({"Mounts": [{"Type": "bind", "Source": "/etc", "ReadOnly": True, "BindOptions": {"ReadOnlyNonRecursive": True}}]},
     [("CREATE_BINDS", "/etc")]),
    ({"Mounts": [{"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": "slave"}}]},
     [("CREATE_OPTIONS", f"{SHARED}=slave"), ("CREATE_BINDS", "/a")]),
    ({"Mounts": [{"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": "rprivate", "CreateMountpoint": True}}]},
     [("CREATE_BINDS", "/a")]),
    ({"Mounts": [{"Type": "tmpfs", "Target": "/t"}, {"Type": "volume", "Source": "data", "VolumeOptions": {}}]}, []),
    ({"Mounts": [{"Type": "image", "Source": "nginx"}]}, [("CREATE_IMAGES", "nginx:latest")]),
    ({"Mounts": [{"Type": "volume", "Source": "/etc", "Target": "/e"}]}, [("CREATE_BINDS", "/etc")]),
    ({"Mounts": [{"Type": "tmpfs", "Source": "../etc", "Target": "/e", "ReadOnly": True}]}, [("CREATE_BINDS", "../etc")]),
    ({"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/e,chown=true", "Consistency": "x,y"}]},
     [("CREATE_BINDS", "/a"), ("CREATE_OPTIONS", f"{MOUNTS}.Target=/e%2Cchown%3Dtrue"), ("CREATE_OPTIONS", f"{MOUNTS}.Consistency=x%2Cy")]),
    ({"Mounts": [{"Type": "bind", "Source": "/a,b", "Target": "/e"}]},
     [("CREATE_BINDS", "/a%2Cb"), ("CREATE_OPTIONS", f"{MOUNTS}.Source=/a%2Cb")]),
    ({"Mounts": [{"Type": "volume", "VolumeOptions": {"Subpath": 'a"b'}}]}, [("CREATE_OPTIONS", f"{MOUNTS}.VolumeOptions.Subpath=a%22b")]),
    ({"Mounts": [{"Type": "volume", "VolumeOptions": {"Subpath": "a/b", "NoCopy": True}}]}, [("CREATE_OPTIONS", f"{MOUNTS}.VolumeOptions.Subpath=a/b")]),
    ({"Mounts": [{"Type": "tmpfs", "TmpfsOptions": {"Options": [["noexec"], ["mode", "1777"]]}}]}, []),
    ({"Mounts": [{"Type": "tmpfs", "TmpfsOptions": {"Options": [["remount"]]}}]}, [("CREATE_OPTIONS", f"{MOUNTS}.TmpfsOptions.Options")]),
    ({"Mounts": [{"Type": "cluster", "Source": "x"}]}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Mounts.Type=cluster")]),
    ({"Mounts": [{"Source": "/etc"}]}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Mounts.Type=none")]),
    ({"Mounts": [volume("", {"type": "none", "o": "bind", "device": "/etc"})]}, [("CREATE_BINDS", "/etc")]),
    ({"Mounts": [volume("local", {"type": "tmpfs", "o": "bind", "device": "/"})]}, [("CREATE_BINDS", "/")]),
    ({"Mounts": [volume("local", {"type": "bind", "o": "rbind,ro", "device": "/../a"})]}, [("CREATE_BINDS", "/a")]),
    ({"Mounts": [volume("", {"type": "", "o": "bind", "device": "/a"})]}, [("CREATE_BINDS", "/a")]),
    ({"Mounts": [volume("", {"type": "/etc", "o": "bind"})]}, [("CREATE_OPTIONS", f"{OPTIONS}.type=/etc")]),
    ({"Mounts": [volume("", {"type": "--fstab=/a", "o": "bind"})]}, [("CREATE_OPTIONS", f"{OPTIONS}.type=--fstab%3D/a")]),
    ({"Mounts": [volume("", {"type": "tmpfs", "device": "-T/a"})]}, [("CREATE_OPTIONS", f"{OPTIONS}.device=-T/a"), ("CREATE_OPTIONS", f"{OPTIONS}.type")]),
    ({"Mounts": [volume("local", {"type": "none", "o": "bind,shared", "device": "/a"})]},
     [("CREATE_OPTIONS", f"{OPTIONS}.o=bind%2Cshared"), ("CREATE_BINDS", "/a")]),
    ({"Mounts": [volume("local", {"type": "tmpfs", "o": "size=1m,uid=0", "device": "tmpfs", "size": "1"})]}, []),
    ({"Mounts": [volume("local", {"type": "tmpfs", "o": "remount", "device": "tmpfs"})]}, [("CREATE_OPTIONS", f"{OPTIONS}.o")]),
    ({"Mounts": [volume("local", {"type": "ext4", "device": "/dev/sda1"})]},
     [("CREATE_OPTIONS", f"{OPTIONS}.type=ext4"), ("CREATE_OPTIONS", f"{OPTIONS}.device=/dev/sda1")]),
    ({"Mounts": [volume("vieux", {"password": "secret", "path": "/x"})]},
     [("CREATE_DRIVERS", "volume:vieux"), ("CREATE_OPTIONS", f"{OPTIONS}.password"), ("CREATE_OPTIONS", f"{OPTIONS}.path=/x")]),
    ({"VolumeDriver": "local"}, []),
    ({"VolumeDriver": "rexray"}, [("CREATE_DRIVERS", "volume:rexray")]),
    # Capabilities
    ({"CapAdd": ["sys_admin", "CAP_NET_ADMIN", "all", "chown", "CAP_KILL"]},
     [("CREATE_CAPS", "SYS_ADMIN"), ("CREATE_CAPS", "NET_ADMIN"), ("CREATE_CAPS", "ALL")]),
    ({"CapAdd": ["\u017fys_admin"]}, [("CREATE_CAPS", "SYS_ADMIN")]),
    ({"CapAdd": ["dac_read_\u017fearch"]}, [("CREATE_CAPS", "DAC_READ_SEARCH")]),
    ({"CapAdd": None, "CapDrop": ["ALL"]}, []),
    ({"CapAdd": DEFAULT_CAPS.split()}, []),
    ({"CapAdd": ["MKNOD"]}, [("CREATE_CAPS", "MKNOD")]),
    ({"Capabilities": ["SYS_ADMIN"]}, [("CREATE_CAPS", "SYS_ADMIN")]),
    # Devices
    ({"Devices": [{"PathOnHost": "/dev/../dev/sda", "PathInContainer": "/x"}]}, [("CREATE_DEVICES", "/dev/sda")]),
    ({"Devices": [], "DeviceRequests": None, "DeviceCgroupRules": []}, []),
    *(({name: [{"Path": "/dev/../etc/shadow", "Rate": 1}]}, [("CREATE_DEVICES", "/etc/shadow")])
      for name in ("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps")),
    ({"BlkioWeightDevice": [{"Path": "/dev/fuse", "Weight": 9}]}, [("CREATE_DEVICES", "/dev/fuse")]),
    ({"BlkioWeightDevice": [], "BlkioDeviceReadBps": None}, []),
    ({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, [("CREATE_DEVICES", "gpu")]),
    ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["x.com/y=z"]}]}, [("CREATE_DEVICES", "driver:cdi")]),
    ({"DeviceRequests": [{"Capabilities": [["gpu"]], "DeviceIDs": ["0", "nvidia.com/gpu=1", "amd.com/gpu=all", "MIG-GPU-a/1/0"]}]}, [("CREATE_DEVICES", "gpu")]),
    *(({"DeviceRequests": [{"Driver": "nvidia", "Capabilities": [["gpu"]], "DeviceIDs": ["0", name]}]}, [("CREATE_DEVICES", "driver:cdi")]) for name in ("x.com/y=z", "nvidia.com/gpu=0,x.com/y=z", "xnvidia.com/gpu=0", "nvidia.com/x=0")),
    ({"DeviceRequests": [{"Capabilities": [["gpu"], ["tpu"]]}]}, [("CREATE_DEVICES", "driver:any")]),
    ({"DeviceCgroupRules": ["a *:* rwm"]}, [("CREATE_DEVICES", "rule")]),
    # Security
    ({"SecurityOpt": ["seccomp=unconfined"]}, [("CREATE_SECURITY", "seccomp:unconfined")]),
    ({"SecurityOpt": ["seccomp:unconfined"]}, [("CREATE_SECURITY", "seccomp:unconfined")]),
    ({"SecurityOpt": [f"seccomp={PROFILE}"]}, [("CREATE_SECURITY", f"seccomp:sha256-{DIGEST}")]),
    ({"SecurityOpt": ["disable"]}, [("CREATE_SECURITY", "label:disable")]),
    ({"SecurityOpt": ["label=type:spc_t"]}, [("CREATE_SECURITY", "label:type%3Aspc_t")]),
    ({"SecurityOpt": ["apparmor=unconfined"]}, [("CREATE_SECURITY", "apparmor:unconfined")]),
    ({"SecurityOpt": ["no-new-privileges=F"]}, [("CREATE_SECURITY", "no-new-privileges:false")]),
    ({"SecurityOpt": ["writable-cgroups"]}, [("CREATE_SECURITY", "writable-cgroups:true")]),
    ({"SecurityOpt": ["no-new-privileges", "no-new-privileges:T", "apparmor=docker-default"]}, []),
    *(({"SecurityOpt": [one]}, []) for one in ("apparmor=", "apparmor:docker-default", "seccomp=", "writable-cgroups=false", "writable-cgroups:0")),
    ({"MaskedPaths": []}, [("CREATE_SECURITY", "paths:unmasked")]),
    ({"MaskedPaths": MASKED, "ReadonlyPaths": [*READ_ONLY, "/x"]}, []),
    ({"MaskedPaths": MASKED[:-1], "ReadonlyPaths": READ_ONLY}, []),
    *(({"MaskedPaths": [each for each in MASKED if each != one]}, [("CREATE_SECURITY", "paths:unmasked")]) for one in MASKED[:-1]),
    *(({"ReadonlyPaths": [each for each in READ_ONLY if each != one]}, [("CREATE_SECURITY", "paths:writable")]) for one in READ_ONLY),
    ({"MaskedPaths": None, "ReadonlyPaths": None}, []),
    # Namespaces
    ({"PidMode": "host"}, [("CREATE_NAMESPACES", "pid:host")]),
    ({"PidMode": "container:x"}, [("CREATE_NAMESPACES", "pid:container")]),
    ({"IpcMode": "host"}, [("CREATE_NAMESPACES", "ipc:host")]),
    ({"IpcMode": "shareable"}, [("CREATE_NAMESPACES", "ipc:shareable")]),
    ({"IpcMode": "private", "PidMode": "", "UTSMode": "", "UsernsMode": "", "CgroupnsMode": "private"}, []),
    ({"NetworkMode": "host"}, [("CREATE_NAMESPACES", "net:host")]),
    ({"NetworkMode": "container:x"}, [("CREATE_NAMESPACES", "net:container")]),
    ({"NetworkMode": "mine"}, []),
    ({"NetworkMode": "ns:/proc/1/ns/net", "Sysctls": {"net.x": "1"}},
     [("CREATE_NAMESPACES", "net:ns%3A/proc/1/ns/net"), ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.net.x=1")]),
    ({"UTSMode": "container:x", "UsernsMode": "container:x", "CgroupnsMode": "container:x", "IpcMode": "container:x"},
     [("CREATE_NAMESPACES", f"{one}:container") for one in ("uts", "userns", "cgroup", "ipc")]),
    ({"UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "host"},
     [("CREATE_NAMESPACES", "uts:host"), ("CREATE_NAMESPACES", "userns:host"), ("CREATE_NAMESPACES", "cgroup:host")]),
    ({"VolumesFrom": ["a", "b:ro"]}, [("CREATE_NAMESPACES", "volumes:container")] * 2),
    ({"Links": ["db:db"]}, [("CREATE_NAMESPACES", "links")]),
    # Drivers, runtimes
    ({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "tcp://x", "tag": "y"}}},
     [("CREATE_DRIVERS", "log:syslog"), ("CREATE_OPTIONS", "ContainerCreate:HostConfig.LogConfig.Config.syslog-address=tcp%3A//x")]),
    ({"LogConfig": {"Type": "", "Config": {}}}, []),
    *(({"LogConfig": {"Type": one, "Config": dict.fromkeys(LOG_OPTIONS.split(), "1")}}, []) for one in ("json-file", "local", "none")),
    # By these names the Engine finds a container's log in the journal.
    *(({"LogConfig": {"Type": "journald", "Config": {key: "a,CONTAINERS,my.container.x", "tag": "x"}}}, []) for key in ("env", "labels")),
    *(({"LogConfig": {**kind, "Config": {key: value}}}, [("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{key}")])
      for kind in ({"Type": "journald"}, {"Type": ""}, {})
      for key, value in (("labels", "CONTAINER_ID_FULL"), ("env", "A,\n_.Container-id_full"), ("env-regex", "^OS"), ("labels-regex", "."))),
    # What has no bound in the Engine's own memory.
    *(({"LogConfig": {"Type": "json-file", "Config": {key: value}}}, [])
      for key, value in (("env-regex", "^(OS|APP_\\.)x*$"), ("max-file", "999"), ("cache-max-file", "5"), ("max-buffer-size", "100m"), ("max-buffer-size", "4MB"),
                         ("max-buffer-size", "104857600"), ("tag", "{{.ImageName}}/{{ .Name }}\n{x}}/{{.ID}}{{.FullID}}{{.ImageFullID}}"), ("tag", ""))),
    *(({"LogConfig": {"Config": {key: value}}}, [("CREATE_OPTIONS", f"ContainerCreate:HostConfig.LogConfig.Config.{key}")])
      for key, value in (("env-regex", "x{0,1000}y"), ("labels-regex", "\\pL"), ("labels-regex", "x" * 100), ("max-file", "1000"), ("max-file", "1000000000000"), ("max-file", "+2000"), ("cache-max-file", "5000"), ("max-buffer-size", "1g"),
                         ("max-buffer-size", "1000m"), ("max-buffer-size", "1024 m"), ("max-buffer-size", "9999999999"), ("tag", '{{pad "x" 400000000000 0}}'),
                         ("tag", '{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}'), ("tag", "{{.Config}}"), ("tag", "{{{.Name}}"),
                         ("tag", "{{.Name|printf}}"), ("tag", "\n{{.Name"), ("tag", "{{.Name}}" * 1000))),
    ({"Runtime": "runc"}, [("CREATE_RUNTIMES", "runc")]),
    ({"SecurityOpt": ["seccomp=builtin"]}, [("CREATE_SECURITY", "seccomp:builtin")]),
    ({"Runtime": "io.containerd.x.v1"}, [("CREATE_RUNTIMES", "io.containerd.x.v1")]),
    # Ports
    ({"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}, [("CREATE_PORTS", "8080")]),
    ({"PortBindings": {"80": [{"HostIp": "0.0.0.0", "HostPort": "0008080"}]}}, [("CREATE_PORTS", "8080")]),
    ({"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}, [("CREATE_PORTS", "127.0.0.1:random")]),
    ({"PortBindings": {"53/udp": [{"HostIp": "0:0::1", "HostPort": "53-54"}]}}, [("CREATE_PORTS", "[::1]:53-54/udp")]),
    ({"PortBindings": {"53/tcp": [{"HostPort": "53/udp"}]}}, [("CREATE_PORTS", "53")]),
    ({"PortBindings": {"53/udp": [{"HostPort": "53/udp"}, {"HostPort": "/udp"}]}}, [("CREATE_PORTS", "53/udp"), ("CREATE_PORTS", "random/udp")]),
    ({"PortBindings": {"80/tcp": []}}, [("CREATE_PORTS", "random")]),
    ({"PortBindings": {"80/tcp": None}}, [("CREATE_PORTS", "random")]),
    ({"PublishAllPorts": True}, [("CREATE_PORTS", "random")]),
    ({"PublishAllPorts": False, "PortBindings": {}}, []),
    # Options
    ({"CgroupParent": "/x"}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.CgroupParent")]),
    ({"Annotations": {"a=b": "c"}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Annotations.a%3Db=c")]),
    ({"Sysctls": {"net.core.somaxconn": "1", "kernel.shmmax": "1"}}, []),
    *(({"Sysctls": dict.fromkeys(OF_MEMORY.split(), "1"), "IpcMode": mode}, []) for mode in ("", "none", "private")),
    ({"Sysctls": {"kernel.sem": "1"}, "IpcMode": "shareable"}, [("CREATE_NAMESPACES", "ipc:shareable")]),
    ({"Sysctls": {"kernel.sem": "1", "fs.mqueue.msg_max": "1"}, "IpcMode": "host"},
     [("CREATE_NAMESPACES", "ipc:host"), ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.kernel.sem=1"),
      ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.fs.mqueue.msg_max=1")]),
    ({"Sysctls": {"kernel.core_pattern": "|/x"}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.kernel.core_pattern=%7C/x")]),
    ({"Sysctls": {"net.x": "1"}, "NetworkMode": "host"},
     [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Sysctls.net.x=1"), ("CREATE_NAMESPACES", "net:host")]),
    ({"Tmpfs": {"/run": "rw,noexec,size=65536k", "/tmp": ""}}, []),
    ({"Tmpfs": {"/run": OF_TMPFS}}, []),
    ({"Tmpfs": {"/run": "rshared"}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Tmpfs")]),
    ({"Tmpfs": {"/run:rshared": ""}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Tmpfs")]),
    ({"Tmpfs": {"/run": "rw," * 2000}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.Tmpfs")]),
    ({"ContainerIDFile": "/etc/passwd"}, []),
    ({"StorageOpt": {"size": "1G"}}, []),
    ({"StorageOpt": {"dm.x": "1"}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.StorageOpt.dm.x=1")]),
    ({"NewThing": {"x": 1}}, [("CREATE_OPTIONS", "ContainerCreate:HostConfig.NewThing")]),
    ({"NewThing": {}, "Other": False, "Third": [], "Fourth": None, "Fifth": {"x": ""}}, []),
    # Harmless at any value
    ({"Memory": 1, "PidsLimit": -1, "RestartPolicy": {"Name": "always"}, "Init": True, "GroupAdd": ["0"], "ExtraHosts": ["a:1.1.1.1"],
      "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}], "ShmSize": 1, "OomScoreAdj": -1000, "ConsoleSize": [0, 0]}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "wanted"), HOST, ids=[f"{n}-{row[0]}"[:70] for n, row in enumerate(HOST)]
)
def test_a_host_config_asks(
    host: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    """What a create asks for is found, in its normal form, and what is harmless is not."""
    assert sorted(set(values(create(host)))) == sorted(set(wanted))


OTHERS: list[tuple[str, Json, str, list[tuple[str, str]]]] = [
    ("ContainerCreate", {"Image": "docker.io/library/nginx"}, "", [("CREATE_IMAGES", "nginx:latest")]),
    ("ContainerCreate", {"Image": "containers-storage:[/etc]x"}, "",
     [("CREATE_IMAGES", "containers-storage%3A%5B/etc%5Dx"), ("CREATE_OPTIONS", "ContainerCreate:Image")]),
    ("ContainerCreate", {"Image": "tarball:x"}, "", [("CREATE_IMAGES", "tarball:x"), ("CREATE_OPTIONS", "ContainerCreate:Image")]),
    ("ContainerCreate", {"HostConfig": {"Mounts": [{"Type": "image", "Source": "tarball:x"}]}}, "",
     [("CREATE_IMAGES", "tarball:x"), ("CREATE_OPTIONS", "ContainerCreate:HostConfig.Mounts.Source=tarball%3Ax")]),
    ("ContainerCreate", {"NetworkingConfig": {"EndpointsConfig": {"host": {}}}}, "", [("CREATE_NAMESPACES", "net:host")]),
    ("ContainerCreate", {"NetworkingConfig": {"EndpointsConfig": {"n": {"Links": ["a"]}}}}, "", [("CREATE_NAMESPACES", "links")]),
    ("ContainerCreate", {"NetworkingConfig": {"EndpointsConfig": {"n": {"DriverOpts": {"a.b": "c"}}}}}, "",
     [("CREATE_OPTIONS", "ContainerCreate:NetworkingConfig.EndpointsConfig.DriverOpts.a.b=c")]),
    ("ContainerCreate", {"NetworkingConfig": {"n1": None, "n2": {"x": 1}}}, "", []),
    ("ContainerCreate", {"Foo": "x"}, "", [("CREATE_OPTIONS", "ContainerCreate:Foo")]),
    ("ContainerCreate", {"Volumes": {"/data": {}, "data:/e": {}}}, "", []),
    ("ContainerCreate", {"Volumes": {"/etc:/e": {}, "../etc:/e:ro": None}}, "", [("CREATE_BINDS", "/etc"), ("CREATE_BINDS", "../etc:ro")]),
    ("ContainerCreate", {"Healthcheck": {"Test": ["CMD"]}}, "", [("CREATE_OPTIONS", "ContainerCreate:Healthcheck.Test")]),
    ("ImageCommit", {"Healthcheck": {"Test": ["CMD"]}}, "", [("CREATE_OPTIONS", "ImageCommit:Healthcheck.Test")]),
    ("ContainerCreate", {"Healthcheck": {"Test": ["CMD", "true"]}}, "", []),
    ("ContainerCreate", {"Healthcheck": {"Test": ["CMD-SHELL"]}}, "", []),
    ("ContainerCreate", {"Healthcheck": {"Test": ["NONE"]}}, "", []),
    ("ContainerCreate", {"Healthcheck": {"Test": []}}, "", []),
    ("ContainerCreate", {"Test": ["CMD", "true"]}, "", [("CREATE_OPTIONS", "ContainerCreate:Test")]),
    ("ContainerCreate", {"Env": ["A=b", "BARE", "A=*", "HOME*", "*"]}, "", [("CREATE_OPTIONS", "ContainerCreate:Env")] * 3),
    ("ContainerCreate", {"name": "x", "platform": "y", "Runtime": None}, "name=x&platform=y", []),
    ("ContainerCreate", {}, "name=x&Image=evil&HostConfig=%7B%7D&Env=secret&Binds=x", []),
    ("ContainerCreate", {}, "frob=x", [("CREATE_OPTIONS", "ContainerCreate:frob")]),
    ("ContainerUpdate", {"Memory": 1, "RestartPolicy": {"Name": "always"}}, "", []),
    ("ContainerUpdate", {"Devices": [{"PathOnHost": "/dev/sda"}]}, "", [("CREATE_DEVICES", "/dev/sda")]),
    ("ContainerUpdate", {"BlkioWeightDevice": [{"Path": "/etc/shadow"}]}, "", [("CREATE_DEVICES", "/etc/shadow")]),
    ("ContainerUpdate", {"HostConfig": {"Privileged": True}}, "", [("CREATE_OPTIONS", "ContainerUpdate:HostConfig")]),
    ("VolumeCreate", {"Name": "v", "Labels": {"a": "b"}}, "", []),
    ("VolumeCreate", {"DriverOpts": {"type": "tmpfs", "o": "bind", "device": "/"}}, "", [("CREATE_BINDS", "/")]),
    ("VolumeCreate", {"Driver": "LOCAL", "DriverOpts": {"o": "bind"}}, "",
     [("CREATE_DRIVERS", "volume:LOCAL"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.o=bind")]),
    ("VolumeCreate", {"DriverOpts": {"type": "nfs", "o": "addr=x,password=y", "device": ":/x"}}, "",
     [("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.o"),
      ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.device=%3A/x")]),
    # Podman calls mount(8), which finds out the type of a disk, binds by these, too, and reads an fstab.
    ("VolumeCreate", {"DriverOpts": {"device": "--fstab=/x", "type": "nfs"}}, "",
     [("CREATE_OPTIONS", "VolumeCreate:DriverOpts.device=--fstab%3D/x"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type")]),
    ("VolumeCreate", {"DriverOpts": {"device": "/dev/sda1"}}, "",
     [("CREATE_OPTIONS", "VolumeCreate:DriverOpts.device=/dev/sda1"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type")]),
    ("VolumeCreate", {"DriverOpts": {"type": "nfs", "o": "bind=recursive", "device": "/"}}, "",
     [("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.o=bind%3Drecursive"), ("CREATE_BINDS", "/")]),
    ("VolumeCreate", {"DriverOpts": {"type": "nfs", "o": "ro,rbind=1", "device": "/"}}, "",
     [("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs"), ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.o=ro%2Crbind%3D1"), ("CREATE_BINDS", "/")]),
    ("VolumeCreate", {"ClusterVolumeSpec": {"Group": "x"}}, "", [("CREATE_OPTIONS", "VolumeCreate:ClusterVolumeSpec")]),
    ("VolumeCreate", {"ClusterVolumeSpec": {}}, "", [("CREATE_OPTIONS", "VolumeCreate:ClusterVolumeSpec")]),
    ("VolumeCreate", {"ClusterVolumeSpec": None}, "", []),
    ("NetworkCreate", {"Name": "n", "Driver": "bridge", "IPAM": {"Driver": "default"}, "CheckDuplicate": True, "Attachable": False}, "", []),
    ("NetworkCreate", {"Options": dict.fromkeys(("com.docker.network.driver.mtu", "com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"), "1")}, "", []),
    ("NetworkCreate", {"Driver": "macvlan", "Options": {"parent": "eth0", "com.docker.network.driver.mtu": "9000"}}, "",
     [("CREATE_DRIVERS", "network:macvlan"), ("CREATE_OPTIONS", "NetworkCreate:Options.parent=eth0")]),
    ("NetworkCreate", {"IPAM": {"Driver": "x", "Config": [{"Subnet": "10.0.0.0/8"}]}, "Scope": "swarm", "Ingress": True}, "",
     [("CREATE_DRIVERS", "ipam:x"), ("CREATE_OPTIONS", "NetworkCreate:IPAM.Config.Subnet=10.0.0.0/8"),
      ("CREATE_OPTIONS", "NetworkCreate:Scope=swarm"), ("CREATE_OPTIONS", "NetworkCreate:Ingress")]),
    ("NetworkCreate", {"ConfigFrom": {"Network": ""}, "ConfigOnly": False}, "", []),
    ("NetworkCreate", {"ConfigFrom": {"Network": "x"}}, "", [("CREATE_OPTIONS", "NetworkCreate:ConfigFrom")]),
    ("NetworkConnect", {"Container": "c", "EndpointConfig": {"Aliases": ["a"], "IPAMConfig": {"IPv4Address": "1.1.1.1"}}}, "", []),
    ("NetworkConnect", {"EndpointConfig": {"links": ["db"]}}, "", [("CREATE_NAMESPACES", "links")]),
    ("ContainerExec", {"Cmd": ["sh", "-c", "x"], "User": "root"}, "", [("EXEC_USERS", "root"), ("EXEC_COMMANDS", "sh")]),
    ("ContainerExec", {"Cmd": ["ls"], "Privileged": True, "Container": "x"}, "",
     [("EXEC_PRIVILEGED", "1"), ("EXEC_COMMANDS", "ls"), ("EXEC_USERS", "@default")]),
    ("ContainerExec", {"User": "", "Env": ["LD_PRELOAD=x", "A=b=c", "BASH_FUNC_x%%=() { y; }"]}, "",
     [("EXEC_OPTIONS", "ContainerExec:Env.LD_PRELOAD"), ("EXEC_OPTIONS", "ContainerExec:Env.A"), ("EXEC_OPTIONS", "ContainerExec:Env.BASH_FUNC_x%25%25"), ("EXEC_USERS", "@default")]),
    ("ExecStart", {"Detach": False, "Tty": True}, "", []),
    ("ExecStart", {"stdin": True, "hijack": True}, "", []),
    ("ExecStart", {"Privileged": True}, "", [("EXEC_OPTIONS", "ExecStart:Privileged")]),
    ("ImageCommit", {"Entrypoint": ["x"]}, "container=c&repo=r&tag=t&pause=1&changes=A&changes=B", [("CREATE_TAGS", "r:t")]),
    ("ImageCommit", None, "container=c", []),
    ("ImageTag", None, "repo=docker.io/a/b", [("CREATE_TAGS", "a/b:latest")]),
    ("ImageCreate", None, "fromImage=nginx&tag=1.27", [("PULL_IMAGES", "nginx:1.27")]),
    ("ImageCreate", None, "fromImage=nginx", [("PULL_IMAGES", "nginx:*")]),
    ("ImageCreate", None, "fromImage=nginx:", [("PULL_IMAGES", "nginx:*")]),
    ("ImageCreate", None, f"fromImage=nginx&tag=sha256:{A64}", [("PULL_IMAGES", f"nginx@sha256:{A64}")]),
    ("ImageCreate", None, f"fromImage=nginx@sha256:{A64}&tag=1", [("PULL_IMAGES", f"nginx:1@sha256:{A64}")]),
    ("ImageCreate", None, f"fromImage=nginx:2@sha256:{A64}&tag=1", [("PULL_IMAGES", f"nginx:1@sha256:{A64}")]),
    ("ImageCreate", None, f"fromImage=nginx@sha256:{A64}&tag=sha256:{'b' * 64}", [("PULL_IMAGES", f"nginx@sha256:{'b' * 64}")]),
    ("ImageTag", None, f"repo=nginx@sha256:{A64}&tag=1", [("CREATE_TAGS", f"nginx:1@sha256:{A64}")]),
    ("ImageCreate", None, "fromSrc=http://u:p@h/x?y&repo=r", [("PULL_IMAGES", "src:http%3A//h/x"), ("CREATE_TAGS", "r:latest")]),
    ("ImageCreate", None, "fromSrc=-&changes=A", [("PULL_IMAGES", "src:-")]),
    ("ImageBuild", None, "t=a&t=b:1&networkmode=default&buildargs=%7B%7D&memory=1", [("CREATE_TAGS", "a:latest"), ("CREATE_TAGS", "b:1")]),
    *(("ImageBuild", None, f"networkmode={one}", []) for one in ("none", "bridge")),
    ("ImageBuild", None, "networkmode=host&version=2&session=x", [("BUILD_OPTIONS", "ImageBuild:networkmode=host"),
     ("BUILD_OPTIONS", "ImageBuild:version=2"), ("BUILD_OPTIONS", "ImageBuild:session")]),
    ("ImageBuild", None, "dockerfile=a/../../etc/passwd", [("BUILD_OPTIONS", "ImageBuild:dockerfile")]),
    ("ImageBuild", None, "dockerfile=http://h/x", [("BUILD_OPTIONS", "ImageBuild:dockerfile")]),
    *(("ImageBuild", None, f"dockerfile={one}", [("BUILD_OPTIONS", "ImageBuild:dockerfile")])
      for one in ('["a","b"]', "+[%22%5Cu002e%5Cu002e/a%22]", "a/Dockerfile.in", "a.in/.", "a%0A.in//")),
    ("ImageBuild", None, "dockerfile=a/.Dockerfile..x", []),
    ("ImageBuild", None, "dockerfile=a/x.in.Dockerfile", []),
    ("ImageBuild", None, "remote=https://u:p@x/y", [("BUILD_OPTIONS", "ImageBuild:remote=https%3A//x/y")]),
    ("ImageBuild", None, "version=1&cgroupparent=x&NetworkMode=host", [("BUILD_OPTIONS", "ImageBuild:cgroupparent"), ("BUILD_OPTIONS", "ImageBuild:NetworkMode")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "body", "query", "wanted"),
    OTHERS,
    ids=[f"{n}-{row[0]}-{row[2] or row[1]}"[:70] for n, row in enumerate(OTHERS)],
)
def test_other_operations_ask(
    operation: str, body: Json, query: str, wanted: list[tuple[str, str]]
) -> None:
    """What each operation asks for is found in its body, its query and its path."""
    found = values(asked(operation, body, query))
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("/images/nginx/push", "tag=1", "nginx:1"),
        ("/images/ghcr.io/a/b/push", "tag=", "ghcr.io/a/b:*"),
        ("/images/a:1/push", "", "a:1"),
        ("/images/\xff/push", "tag=1", "%FF%3A1"),
    ],
    ids=["tag", "all", "in-name", "no-text"],
)
def test_a_push_names_what_it_writes(path: str, query: str, wanted: str) -> None:
    """The name in a path and the tag in the query are one value."""
    assert values(asked("ImagePush", None, query, path=path)) == [
        ("CREATE_TAGS", wanted)
    ]


VERSIONS: list[tuple[str, Json, list[str], dict[str, Json]]] = [
    ("/v1.43", {"Binds": ["/a:/b:ro"]}, ["/a"], {}),
    ("/v1.44", {"Binds": ["/a:/b:ro"]}, ["/a:ro"], {}),
    ("", {"Binds": ["/a:/b:ro"]}, ["/a:ro"], {}),
    ("/v1.43", {"Mounts": [{"Type": "bind", "Source": "/a", "ReadOnly": True}]}, ["/a"], {}),
    ("/v1.39", {}, [], {"IpcMode": "private", "CgroupnsMode": "private"}),
    ("/v1.39", {"IpcMode": "shareable"}, ["ipc:shareable"], {"IpcMode": "shareable", "CgroupnsMode": "private"}),
    ("/v1.40", {}, [], {"CgroupnsMode": "private"}),
    ("/v1.41", {}, [], {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "host", "wanted", "added"),
    VERSIONS,
    ids=[f"{row[0]}-{row[1]}" for row in VERSIONS],
)
def test_the_version_is_judged(
    version: str, host: Json, wanted: list[str], added: dict[str, Json]
) -> None:
    """What an old API version would mean by a value or a default is told, or written out."""
    found = create(host, version=version)
    assert [value for _, value in values(found)] == wanted
    body = found.sent().body
    assert body is not None
    sent = body["HostConfig"]
    assert isinstance(sent, dict)
    modes = {k: v for k, v in sent.items() if k in {"IpcMode", "CgroupnsMode"}}
    assert modes == added


def test_what_newer_engines_hide_stays_hidden() -> None:
    """A list of hidden paths as an older Engine has it goes on with what newer ones hide as well; one that uncovers what each of them hides goes on as it is, where that is listed."""
    newly = ["/proc/interrupts", "/sys/devices/virtual/powercap"]
    rows: list[tuple[list[str], list[str]]] = [
        (MASKED[:-1], newly),
        (MASKED, newly[:1]),
        *(([*MASKED, newly[0]], []), (MASKED[1:], []), ([], [])),
    ]
    for paths, added in rows:
        masked: list[Json] = [*paths]
        host: dict[str, Json] = {"MaskedPaths": masked}
        sent = asked("ContainerCreate", {"HostConfig": host}).sent().body
        assert sent is not None
        assert sent["HostConfig"] == {**host, "MaskedPaths": [*paths, *added]}


def test_a_create_goes_on_with_its_own_names() -> None:
    """What goes on has the Engine's names, no nulls, no unread fields, and a HostConfig."""
    found = asked(
        "ContainerCreate",
        {
            "image": "x",
            "TTY": True,
            "Cmd": None,
            "Name": "y",
            "Volumes": {"/v": {"z": 1}},
        },
    )
    assert found.body == {
        "Image": "x",
        "Tty": True,
        "Volumes": {"/v": {}},
        "HostConfig": {},
    }


def test_an_exec_starts_with_the_options_of_an_attach() -> None:
    """What dockerode is told for both calls, and the Engine reads of an attach alone, asks for nothing."""
    streams = dict.fromkeys(("stream", "stdin", "stdout", "stderr", "hijack"), True)
    found = asked("ExecStart", {**streams, "Tty": False})
    assert not found.arguments
    assert found.body == {"Tty": False}


@pytest.mark.parametrize(
    "body",
    [
        {"Privileged": True},
        {"privileged": True, "HostConfig": None},
        {"PRIVILEGED": True, "HostConfig": {}},
        {"Binds": ["/:/h"], "HostConfig": {}},
        {"Memory": 5},
        {"VolumeDriver": "x"},
    ],
    ids=str,
)
def test_host_config_at_the_top_is_never_passed(body: Json) -> None:
    """Fields of HostConfig outside of it are refused: old Engines obey them there."""
    found = asked("ContainerCreate", body)
    assert found.never
    assert found.body is not None
    assert found.body.keys() == {"HostConfig"}


BAD: list[tuple[Json, str]] = [
    ([], "the body must be a JSON object"),
    ("x", "the body must be a JSON object"),
    ({"HostConfig": {"Privileged": 1}}, "HostConfig.Privileged is not true or false"),
    ({"HostConfig": {"Binds": "x"}}, "HostConfig.Binds is not a list"),
    ({"HostConfig": {"Binds": [None]}}, "HostConfig.Binds is not a list of texts"),
    ({"HostConfig": {"Mounts": [None]}}, "HostConfig.Mounts[0] is not an object"),
    ({"HostConfig": {"Memory": 1.0}}, "HostConfig.Memory is not a whole number"),
    ({"HostConfig": {"Memory": True}}, "HostConfig.Memory is not a whole number"),
    ({"HostConfig": []}, "HostConfig is not an object"),
    ({"HostConfig": {}, "hostconfig": {}}, "hostconfig is given twice"),
    ({"HostConfig": {}, "HOSTCONFIG": None}, "HOSTCONFIG is given twice"),
    ({"HostConfig": {"Foo": 1, "foo": 2}}, "HostConfig.foo is given twice"),
    ({"Ho\u017ftConfig": {}}, "a name in the body is not ASCII: Ho\\u017ftConfig"),
    ({"HostConfig": {"Networ\u212aMode": "host"}}, "a name in HostConfig is not ASCII"),
    ({"HostConfig": {"Mounts": [{"\u017fource": "/"}]}}, "a name in HostConfig.Mounts[0] is not ASCII"),
    ({"Volumes": {"/x": 1}}, "Volumes is not an object of empty objects"),
    ({"Labels": {"a": 1}}, "Labels is not an object of texts"),
    ({"Cmd": {}}, "Cmd is not a list"),
    ({"HostConfig": {"Binds": ["/a:/b:/c:/d"]}}, "HostConfig.Binds[0] is no SOURCE:TARGET[:MODE]"),
    ({"HostConfig": {"Binds": ["/a:/b:frob"]}}, "HostConfig.Binds[0] is no SOURCE:TARGET[:MODE]"),
    ({"HostConfig": {"Binds": ["/a\0:/b"]}}, "HostConfig.Binds[0] holds a NUL byte"),
    ({"HostConfig": {"Binds": [f"/{'a' * 5000}:/b"]}}, "a value of 5001 characters"),
    ({"HostConfig": {"Binds": ["a:/b:" + "ro," * 5000]}}, "HostConfig.Binds[0] is no SOURCE:TARGET[:MODE]"),
    ({"Volumes": {"/a:/b:frob": {}}}, "Volumes[/a:/b:frob] is no SOURCE:TARGET[:MODE]"),
    ({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/a" * 2500}]}}, "a value of 5000 characters"),
    ({"HostConfig": {"PortBindings": {"80": [{"HostIp": ":" * 5000}]}}}, "a value of 5000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "message"), BAD, ids=[f"{n}-{row[0]}"[:50] for n, row in enumerate(BAD)]
)
def test_a_body_of_two_readings_is_refused(body: Json, message: str) -> None:
    """What the Engine refuses, or would merge, or might read otherwise, is no body."""
    with pytest.raises(BadBody) as caught:
        asked("ContainerCreate", body)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("fromImage=a&fromImage=b", "fromImage is in the query twice"),
        ("a;b", "a semicolon in the query"),
        ("a=%zz", "a % without two hex digits"),
        ("a=%ff", "the query is not UTF-8"),
        ("&".join(["a"] * (MOST_PAIRS + 1)), "more than 1,000 parameters"),
    ],
    ids=["twice", "semicolon", "escape", "utf-8", "many"],
)
def test_a_query_of_two_readings_is_refused(query: str, message: str) -> None:
    """What handlers of the Engine read in two ways is no query."""
    with pytest.raises(BadTarget) as caught:
        asked("ImageCreate", None, query)
    assert message in str(caught.value)


def test_a_query_goes_on_in_one_way() -> None:
    """Keys that nobody reads are left out, the others are written anew."""
    found = asked("ContainerCreate", {}, "na%6de=a+b&Env=SECRET&hostconfig=x&zero=")
    assert found.query == b"name=a%20b"


def test_secrets_are_not_told() -> None:
    """Messages leave out what a URL holds besides its address, and values of secrets."""
    found = asked("ImageCreate", None, "fromSrc=http://u:p@h/x?token=t")
    assert found.arguments[0].shown == "http://h/x"
    found = create({"Annotations": {"my.token": "hunter2"}})
    assert found.arguments[0].shown == ""
    assert "hunter2" not in found.arguments[0].value


def test_a_body_that_asks_for_too_much_is_refused() -> None:
    """Arguments have a bound together: they are work, and no client needs many."""
    binds: Json = [
        f"/{'a' * 200}{number}:/b" for number in range(MOST_ARGUMENTS // 200)
    ]
    with pytest.raises(BodyTooLarge):
        create({"Binds": binds})


PAIRS = st.lists(
    st.tuples(st.text(min_size=1, max_size=9), st.text(max_size=9)),
    max_size=5,
    unique_by=lambda pair: pair[0],  # a key that is given twice is refused
)


@given(PAIRS)
def test_a_query_has_one_reading(pairs: list[tuple[str, str]]) -> None:
    """Whatever a query holds: what goes on asks for the same, and goes on as it is."""
    raw = urlencode(pairs)
    once = asked("ImageBuild", None, raw.replace(";", "%3B"))
    again = asked("ImageBuild", None, once.query.decode())
    assert again == once


NAMES = st.sampled_from(
    [
        "Image",
        "image",
        "HostConfig",
        "hostconfig",
        "Env",
        "Cmd",
        "Frob",
        "name",
        "Privileged",
        "Labels",
    ]
)
HOST_NAMES = st.sampled_from(
    [
        "Binds",
        "BINDS",
        "Mounts",
        "Privileged",
        "CapAdd",
        "PidMode",
        "PortBindings",
        "New",
        "Memory",
        "Sysctls",
        "NetworkMode",
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=5)
    | st.lists(st.text(max_size=5), max_size=2) | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
    | st.sampled_from(["/etc:/e", "host", ["/a:/b:ro", "v:/b"], ["SYS_ADMIN"], [{"Type": "bind", "Source": "/"}], {"80/tcp": [{"HostPort": "80"}]}])
)  # fmt: skip
BODIES = st.dictionaries(
    NAMES, LEAVES | st.dictionaries(HOST_NAMES, LEAVES, max_size=4), max_size=4
)


@given(BODIES)
def test_a_body_that_goes_on_is_read_as_it_was_judged(body: dict[str, Any]) -> None:
    """Whatever was read: read again as it goes on, it asks for the same and stays as it is."""
    try:
        once = asked("ContainerCreate", body)
    except (BadBody, BodyTooLarge):
        return
    assert once.body is not None
    again = asked("ContainerCreate", once.body)
    assert again.body == once.body
    assert again.arguments == once.arguments
    assert not again.never


@pytest.mark.parametrize("value", ["1", "t", "T", "TRUE", "true", "True"])
@pytest.mark.parametrize("mark", ["=", ":"])
def test_what_the_engine_takes_for_yes(value: str, mark: str) -> None:
    """In each of its spellings; whatever else stands there takes the protection away."""
    for word, option in (
        ("no-new-privileges", []),
        ("writable-cgroups", [("CREATE_SECURITY", "writable-cgroups:true")]),
    ):
        assert values(create({"SecurityOpt": [f"{word}{mark}{value}"]})) == option
    asked_for = create({"SecurityOpt": [f"no-new-privileges{mark}{value}x"]})
    assert values(asked_for) == [("CREATE_SECURITY", "no-new-privileges:false")]


GPUS = ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=none1", "NVIDIA_DRIVER_CAPABILITIES=all", "AMD_VISIBLE_DEVICES=0", "HABANA_VISIBLE_DEVICES=0", "CUDA_VERSION=9", "DOCKER_RESOURCE_GPU=0"]  # fmt: skip
NO_GPUS = ["NVIDIA_VISIBLE_DEVICES=none", "NVIDIA_VISIBLE_DEVICES=void", "NVIDIA_VISIBLE_DEVICES=", "AMD_LOG=1", "HABANA_LOGS=/x", "X_NVIDIA_X=1", "NVIDIAX=1", "CUDA_VERSION=", "CUDA_VERSION", "CUDA_HOME=/x", "DOCKER_HOST=x"]  # fmt: skip


@pytest.mark.parametrize("runtime", ["", "nvidia", "runc", "crun", "io.containerd.runc.v2"])  # fmt: skip
@pytest.mark.parametrize("name", [*GPUS, *NO_GPUS])
def test_a_name_by_which_a_runtime_gives_devices(name: str, runtime: str) -> None:
    """Such a name of a new container asks for devices, but by a runtime that looks at none, and
    by the default one where the Engine says that it does not."""
    found = create({"Runtime": runtime}, Env=[name]).arguments
    asks = name in GPUS and runtime in {"", "nvidia"}
    told = [one for one in found if one.variable == "CREATE_DEVICES"]
    assert [(one.value, one.unless_default) for one in told] == [("gpu", not runtime)] * asks  # fmt: skip
    of_commit = asked("ImageCommit", {"Env": [name]}, "container=c").arguments
    assert "CREATE_DEVICES" not in {one.variable for one in of_commit}


@pytest.mark.parametrize(
    "name", ["x.com/y=z", "0,x.com/y=z", "nvidia.com/gpu=0,x.com/y=z"]
)
def test_a_device_of_others_is_no_gpu(name: str) -> None:
    """NVIDIA's runtime gives any device of CDI by its name, with mounts and hooks."""
    for key, same in (
        ("NVIDIA_VISIBLE_DEVICES", "nvidia.com/gpu=0,1"),
        ("DOCKER_RESOURCE_GPU", "1"),
    ):
        asked_for = (values(create({}, Env=[f"{key}={one}"])) for one in (name, same))
        assert [value for ((_, value),) in asked_for] == ["driver:cdi", "gpu"]
    needs = create({}, Env=["NVIDIA_REQUIRE_CUDA=cuda>=12 brand=x,driver>=5"])
    assert values(needs) == [("CREATE_DEVICES", "gpu")]


TOLD = {
    "VolumeCreate:DriverOpts.type": ["none", "tmpfs", "nfs", "nfs4", "cifs", "smb3", "ext4", "xfs", "btrfs"],
    "NetworkCreate:IPAM.Config.Subnet": ["10.0.0.0/8", "fe80%3A%3A/64"],
    "ContainerCreate:HostConfig.Mounts.BindOptions.Propagation": ["shared", "rslave"],
    "ContainerCreate:HostConfig.Sysctls.kernel.sem": ["1", "250%20320%0932"],
    "ImageBuild:networkmode": ["host", "app_net.1-2"],
    "ImageBuild:remote": ["https%3A//x/y"],
    "ImageBuild:version": ["2"],
    "NetworkCreate:Scope": ["swarm", "global"],
    "NetworkCreate:Options.parent": ["eth0", "enp0s31f6.100", "br-0123456789ab"],
    "NetworkCreate:Options.com.docker.network.bridge.name": ["br_app"],
    "ContainerCreate:HostConfig.LogConfig.Config.syslog-address": ["udp%3A//10.0.0.9", "tcp+tls%3A//logs.example%3A6514"],
    "ContainerCreate:HostConfig.LogConfig.Config.fluentd-address": ["logs%3A24224"],
    "ContainerCreate:HostConfig.LogConfig.Config.splunk-url": ["https%3A//logs.example%3A8088"],
    "ContainerCreate:HostConfig.LogConfig.Config.awslogs-endpoint": ["https%3A//logs.example"],
}  # fmt: skip


@pytest.mark.parametrize("place", TOLD)
def test_values_that_are_told(place: str) -> None:
    """A value is told where it is a known word, a number, an address or an interface, and there alone."""
    for value in TOLD[place]:
        assert told_option(f"{place}={value}") == f"{place}={value}"
        assert told_option(f"ContainerCreate:HostConfig.Annotations.x={value}") == "ContainerCreate:HostConfig.Annotations.x"  # fmt: skip
    assert told_option(place) == place
    if not place.endswith("remote"):
        assert told_option(f"{place}=hunter%202") == place


@pytest.mark.parametrize("mode", ["shared", "rshared", "slave", "rslave", "private", "rprivate"])  # fmt: skip
def test_mounts_that_travel(mode: str) -> None:
    """In each place that says so, but for those that stay in the container."""
    told = [] if "private" in mode else [("CREATE_OPTIONS", f"{SHARED}={mode}")]
    mount: Json = {"Type": "bind", "Source": "/a", "BindOptions": {"Propagation": mode}}
    hosts: list[Json] = [{"Binds": [f"/a:/e:{mode}"]}, {"Mounts": [mount]}]
    for host in hosts:
        assert values(create(host)) == [*told, ("CREATE_BINDS", "/a")]
