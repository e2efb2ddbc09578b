"""A host that runs systemd, in namespaces: its own processes, mounts, users and control groups.

The units are those of `examples/systemd`, as they are but for where the program lies. What
the host has is not touched: all that is changed is mounted over in there.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.markdown import ROOT

EXAMPLE = ROOT / "examples" / "systemd"
PROGRAM = "/usr/local/bin/trioproxy"
NAMESPACES = (
    *("unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount"),
    *("--uts", "--ipc", "--cgroup"),
)


def kept() -> list[str]:
    """The folders of this project and of Python, as a host has them in /opt."""
    places = sorted({str(ROOT), sys.prefix, sys.base_prefix})
    return [
        one
        for one in places
        if not one.startswith("/usr")
        and not any(one.startswith(f"{other}/") for other in places)
    ]


def boot(folder: Path, engine: Path, script: str, policy: str) -> list[str]:
    """A command that boots such a host, runs a script in it, and ends.

    `folder`: what is /run/trioproxy there, with the script's output in `said`.
    """
    (folder / "script").write_text(script)
    lines = "\n".join(_lines(folder, engine, policy))
    return [*NAMESPACES, "sh", "-ec", lines]


def _lines(folder: Path, engine: Path, policy: str) -> Iterator[str]:
    """First all that is needed is held, then an empty host is mounted, and gets that."""
    places = kept()
    yield "mount --make-rprivate /; mount -t tmpfs tmpfs /mnt"
    for at, place in enumerate([*places, str(folder)]):
        yield f"mkdir /mnt/{at}; mount --bind {shlex.quote(place)} /mnt/{at}"
    yield f"touch /mnt/engine; mount --bind {shlex.quote(str(engine))} /mnt/engine"
    yield "cp -a /etc /mnt/etc; mount --bind /mnt/etc /etc"
    for place in ("/root", "/home", "/run"):
        yield f"mount -t tmpfs -o mode=755 tmpfs {place}"
    for at, place in enumerate(places):
        yield f"mkdir -p {shlex.quote(place)}; mount --bind /mnt/{at} {shlex.quote(place)}"
    yield f"mkdir /run/trioproxy; mount --bind /mnt/{len(places)} /run/trioproxy"
    yield "touch /run/docker.sock; mount --bind /mnt/engine /run/docker.sock"
    yield "umount -R /sys/fs/cgroup || true; mount -t cgroup2 none /sys/fs/cgroup"
    yield "getent group docker >/dev/null || groupadd --system docker"
    yield "chgrp docker /run/docker.sock; chmod 660 /run/docker.sock"
    yield f"systemd-sysusers {EXAMPLE}/trioproxy.conf"
    yield f"mkdir /etc/trioproxy; echo {shlex.quote(policy)} >/etc/trioproxy/app.env"
    yield f"mkdir /run/units; cp {EXAMPLE}/trioproxy.s* /run/units"
    ours = f"{sys.executable} -m trioproxy"
    yield f"sed -i 's#{PROGRAM}#{ours}#' /run/units/trioproxy.service"
    # From where they are held: what lies in /tmp is not there any more (PrivateTmp=yes).
    dropped = [f"BindReadOnlyPaths=/mnt/{at}:{one}" for at, one in enumerate(places)]
    dropped += ["ProtectHome=read-only", "StandardError=append:/run/proxy.log"]
    yield "mkdir /run/units/trioproxy.service.d"
    yield _write("/run/units/trioproxy.service.d/where.conf", ["[Service]", *dropped])
    yield _write("/run/units/tp.target", ["[Unit]", "Wants=tp.service"])
    script = ["[Unit]", "DefaultDependencies=no", "[Service]", "Type=oneshot"]
    script += ["ExecStart=/bin/sh -e /run/trioproxy/script"]
    script += ["StandardOutput=file:/run/trioproxy/said", "StandardError=inherit"]
    script += ["ExecStopPost=/bin/systemctl --force exit"]
    yield _write("/run/units/tp.service", script)
    path = "/run/units:/usr/lib/systemd/system"
    yield f"export container=tp SYSTEMD_UNIT_PATH={path}"
    yield "export SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
    yield "exec /usr/lib/systemd/systemd --system --unit=tp.target --show-status=no"


def _write(file: str, lines: list[str]) -> str:
    text = "\\n".join(lines)
    return f"printf '{text}\\n' >{file}"


def why_not() -> str:
    """Why no such host can be had here; empty: it can."""
    if os.geteuid() != 0:
        return "namespaces for a whole host are root's to make"
    if not Path("/usr/lib/systemd/systemd").exists():
        return "systemd is not installed"
    try_out = "mount -t tmpfs tmpfs /mnt; mount -t cgroup2 none /mnt"
    status = os.spawnlp(
        os.P_WAIT,
        NAMESPACES[0],
        *NAMESPACES,
        "sh",
        "-ec",
        f"{{ {try_out}; }} 2>/dev/null",
    )
    return "" if status == 0 else "this system gives no namespaces for a whole host"
