"""Root on the host, by a place of it: which folders, files and sockets give it, and why."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

from trioproxy.api import normal
from trioproxy.limits import places
from trioproxy.limits.languages import TAG, Word
from trioproxy.limits.varying import HOLE, with_holes


def _places(*paths: str) -> Mapping[str, places.Place]:
    """Read a table of places: a star is part of any name; a row stands by its one name."""
    found = {path: places.written(path) for path in paths}
    if other := [one for one, at in found.items() if len(places.names(at)) > 1]:
        raise AssertionError(f"{other}: written by another name than places has")
    return found


_IN_RUN: Final = """
    NetworkManager balena-engine.sock balena.sock binfmt.d buildkit cdi charon.vici confexts containerd containers
    control.unit.sock credentials crio crun dbus dbus-1 depmod.d docker environment.d extensions fail2ban guest-services
    host-services/docker.proxy.sock incus initramfs k0s k3s libvirt lxd modprobe.d nri nscd nslcd openrc openvswitch
    pluto podman polkit-1 qemu-server runc runit s6 s6-rc screen service snapd.socket sudo sysctl.d systemd sysusers.d
    tailscale tmpfiles.d udev user userdb wpa_supplicant
"""
_IN_VAR: Final = """
    backups/shadow.bak guix lib/NetworkManager lib/alternatives lib/amazon lib/apt lib/buildkit lib/cloud lib/confexts
    lib/containerd lib/containers lib/dkms lib/docker lib/dpkg lib/etcd lib/extensions lib/extrausers lib/incus lib/k0s
    lib/kubelet lib/libvirt lib/lxc lib/lxd lib/machines lib/minikube lib/pacman lib/polkit-1 lib/portables
    lib/pve-cluster lib/rancher lib/rpm lib/snapd lib/sss lib/sudo lib/systemd lib/tailscale lib/vz/snippets
    lib/waagent service snap/docker snap/lxd snap/microk8s spool/anacron spool/at spool/cron
"""
_IN_HOMES: Final = """
    .asdf .bash_aliases .bash_completion .bash_login .bash_logout .bash_profile .bashrc .bashrc.d .bun .cargo/bin
    .cargo/env .colima .config/autostart .config/containers .config/docker .config/emacs .config/environment.d
    .config/fish .config/git .config/nvim .config/systemd .config/tmux .config/user-tmpfiles.d .config/vim .cshrc .deno
    .docker/cli-plugins .docker/config.json .docker/desktop .docker/run .emacs .emacs.d .fzf .gitconfig .hgrc .inputrc
    .krew .kshrc .kube .lima .linuxbrew .local/bin .local/lib .local/share/containers .local/share/docker
    .local/share/systemd .local/share/user-tmpfiles.d .login .logout .nvm .oh-my-zsh .orbstack .pam_environment .profile
    .pyenv .rbenv .rd .rvm .screenrc .sdkman .ssh .tcshrc .tmux .tmux.conf .vim .vimrc .volta .vscode-server .xinitrc
    .xprofile .xsession .xsessionrc .zlogin .zlogout .zprofile .zshenv .zshrc Library/LaunchAgents bin go/bin
"""
_IN_NAS: Final = (
    "/share/CACHEDEV*_DATA/.qpkg", "/share/CACHEDEV*_DATA/Container/container-station-data",
    "/share/Container/container-station-data",
    *(f"/volume{number}/%40{name}" for number in range(1, 10) for name in ("appstore", "docker")),
)  # fmt: skip
"""Where QNAP's and Synology's Engines keep what they have, and the programs that root runs there."""
_IN_TMP: Final = ("/tmp/screens", "/tmp/ssh-*", "/tmp/tmux-*", "/tmp/.X11-unix")  # noqa: S108  names
"""Sockets by which another user's shells and keys are reached, root's too: a display lets in who has
its user's number, which a container's root gives himself, and types into its terminals. So `/tmp`
as a whole is root, and what a client makes for itself in there is not."""

_WRITTEN: Final = (
    "/run/booted-system", "/run/current-system", "/run/log/journal", "/run/wrappers", "/var/cache/apt", "/var/cache/debconf", "/var/log/audit", "/var/log/auth.log", "/var/log/journal",
    "/var/log/messages", "/var/log/secure", "/var/log/syslog",
    "/var/tmp/mkinitramfs_*", "/var/tmp/rpm-tmp.*",  # noqa: S108  names
)  # fmt: skip
"""Where root writes what others must not change; reading is no way. Its log, in a folder of
services' own: rsyslog follows a link that is put in place of a file, and writes what anybody
logs to where that leads. Packages, once they were checked, and what is run of them, be it to
ask what to install. What each shell of NixOS runs, root's too, by its PATH."""


@cache  # they are made when they are first asked for: a start waits for neither
def _trees() -> Mapping[str, places.Place]:
    """Where whoever may write, or read keys, is root, or soon; by the names of `places`.

    What root runs or reads as its own, as packages' scripts, a supervisor's services and the
    states of containers are; sockets by which root does what it is told (a container's root is
    root to D-Bus, libvirt and LXD as well), or asks who is who; what a user's shell runs, for who may ask the
    Engine is root; other roots of this system, as snapshots are.
    """
    return _places(
        *("/etc", "/boot", "/dev", "/efi", "/gnu/store", "/initrd.img", "/nix"),
        *("/opt/cni", "/opt/containerd", "/opt/nri", "/ostree", "/overlay", "/proc", "/root"),
        *("/.snapshots", "/snap", "/swapfile", "/sys", "/sysroot", "/usr", "/vmlinuz"),
        *("/initrd.img.old", "/vmlinuz.old"),
        *(f"/run/{name}" for name in _IN_RUN.split()),
        *(f"/var/{name}" for name in _IN_VAR.split()),
        *(f"/home/*/{name}" for name in _IN_HOMES.split()),
        *(*_IN_NAS, *_IN_TMP, *_WRITTEN),
    )  # fmt: skip


@cache
def _tree() -> places.Tree:
    """The same, with all that lies in them, for look-ups."""
    both = (one for place in _trees().values() for one in (place, place.inside))
    return places.Tree(both)


def names() -> Iterator[str]:
    """How these places end: what is one of them where it stands for what varies."""
    for path in _trees():
        parts = path.replace("*", "a").split("/")
        yield from ("/".join(parts[at:]) for at in range(1, len(parts)))


@cache
def _readable() -> frozenset[places.Place]:
    """What may be read there, and no more."""
    found = _places(
        "/etc/ca-certificates", "/etc/group", "/etc/hostname", "/etc/hosts",
        "/etc/localtime", "/etc/machine-id", "/etc/os-release", "/etc/passwd",
        "/etc/resolv.conf", "/etc/ssl/certs", "/etc/timezone", "/run/cdi", "/run/udev",
        "/usr/lib/modules", "/usr/lib/os-release", "/usr/share/ca-certificates",
        "/usr/share/zoneinfo",
    )  # fmt: skip
    return frozenset(found.values())


SOCKET: Final = re.compile(
    r".*/(?:docker(?:\.(?:raw|proxy))?|containerd|podman|buildkitd|crio|dockershim|cri-dockerd|frakti|finch|isulad)"
    r"\.sock(?:\.[A-Za-z]+)?"
)
"""Sockets of engines."""


_USUAL: Final = re.compile(
    r"/(?:var/)?run/(?:user/[0-9]+/)?(?:docker|podman/podman)\.sock"
)


def of_proxy(path: str) -> str:
    """Say why what `@proxy` stands for gives root: an Engine listens there, if nobody moved it."""
    return "is where an Engine listens" if _USUAL.fullmatch(path) else ""


def of_bind(item: str) -> str:
    """Say why an item of binds gives root; empty if no way is known."""
    path, _, mode = item.partition(":")
    return _of_pattern(path.removesuffix("/*") or "/", is_read_only=mode == "ro")


@lru_cache(maxsize=4096)  # the same values come in one list after another
def _of_pattern(path: str, *, is_read_only: bool) -> str:
    """The same for a path as a list has it: any segment may hold a hole."""
    if not HOLE.search(path) and SOCKET.fullmatch(normal.unquote(path)):
        return "is an engine, and whoever reaches it is root"
    found = (_of_word(one, is_read_only=is_read_only) for one in with_holes(path, TAG))
    return next(filter(None, found), "")


def _of_word(word: Word, *, is_read_only: bool) -> str:
    given = places.place(word)
    # Its own name first: that is what a person wrote.
    for links in (places.NO_LINKS, places.SAME, places.EVERY):
        itself = [
            name
            for name in places.names(given, links)
            if not (is_read_only and name in _readable())
        ]
        if _ROOT in itself and given != _ROOT:
            return "may be the root of a system"
        inside = places.names(given.inside, links) if itself else ()
        if not any(map(_tree().meets, (*itself, *inside))):
            continue  # nearly always, and none of them need be tried
        # A bind is root in three ways: as such a place, by lying in one, and by holding one. Who binds `/var` has
        # `/var/lib/docker`. A folder for reading is held to the same, for keys are read.
        for tree, place in _trees().items():
            if is_read_only and tree in _WRITTEN:
                continue
            if any(place.meets(name) for name in itself):
                return "is root's own" if given == place else f"is {tree}"
            if any(place.inside.meets(name) for name in itself):
                return f"lies in {tree}"
            if any(place.meets(name) for name in inside):
                return f"holds {tree}"
    return ""


_ROOT: Final = places.Place(())
