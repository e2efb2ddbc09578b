"""Places of a host that have two names, and which of them are root."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.limits import places, root
from trioproxy.limits.languages import others
from trioproxy.limits.varying import with_holes

_IN_RUN = """
    NetworkManager balena-engine.sock balena.sock binfmt.d buildkit cdi charon.vici confexts containerd containers control.unit.sock credentials crio crun dbus dbus-1 depmod.d docker environment.d extensions fail2ban
    incus initramfs k0s k3s libvirt lxd modprobe.d nri nscd nslcd openrc openvswitch pluto podman polkit-1 qemu-server runc runit s6 s6-rc screen
    service snapd.socket sudo sysctl.d sysusers.d systemd tailscale tmpfiles.d udev user userdb
"""
_IN_VAR = """
    backups/shadow.bak cache/apt guix lib/NetworkManager lib/alternatives lib/amazon lib/apt lib/buildkit lib/cloud lib/confexts lib/containerd lib/containers
    lib/dkms lib/docker lib/dpkg lib/etcd lib/extensions lib/extrausers lib/incus lib/k0s lib/kubelet lib/libvirt lib/lxc lib/lxd
    lib/machines lib/minikube lib/pacman lib/polkit-1 lib/portables lib/pve-cluster lib/rancher lib/rpm lib/snapd lib/sss lib/sudo
    lib/systemd lib/tailscale lib/vz/snippets lib/waagent service snap/docker snap/lxd snap/microk8s spool/anacron
    spool/at spool/cron
"""
_IN_HOMES = """
    .asdf .bash_aliases .bash_completion .bash_login .bash_logout .bash_profile .bashrc .bashrc.d .bun .cargo/bin
    .cargo/env .colima .config/autostart .config/containers .config/docker .config/emacs .config/environment.d .config/fish .config/git .config/nvim
    .config/systemd .config/tmux .config/user-tmpfiles.d .config/vim .cshrc .deno .docker/cli-plugins .docker/config.json .docker/desktop .docker/run .emacs
    .emacs.d .fzf .gitconfig .hgrc .inputrc .krew .kshrc .kube .lima .linuxbrew .local/bin .local/lib .local/share/containers
    .local/share/docker .local/share/systemd .local/share/user-tmpfiles.d .login .logout .nvm .oh-my-zsh .orbstack .pam_environment .profile .pyenv
    .rbenv .rd .rvm .screenrc .sdkman .ssh .tcshrc .tmux .tmux.conf .vim .vimrc .volta .vscode-server .xinitrc .xprofile
    .xsession .xsessionrc .zlogin .zlogout .zprofile .zshenv .zshrc Library/LaunchAgents bin go/bin
"""
_ENGINES = "docker docker.raw docker.proxy containerd podman buildkitd crio dockershim cri-dockerd frakti finch isulad"
_READABLE = """
    /etc/ca-certificates /etc/group /etc/hostname /etc/hosts /etc/localtime /etc/machine-id /etc/os-release
    /etc/passwd /etc/resolv.conf /etc/ssl/certs /etc/timezone /run/cdi /run/udev /usr/lib/modules /usr/lib/os-release
    /usr/share/ca-certificates /usr/share/zoneinfo
"""
ROOT = [
    *("/run/nri", "/var/run/nri/nri.sock", "/run/fail2ban", "/var/run/screen"),
    *("/run/openvswitch/db.sock", "/var/run/docker.raw.sock:ro"),
    *("/tmp", "/tmp/*", "/private/tmp", "/tmp/tmux-0", "/tmp/t*", "/tmp/*{8}"),
    *("/var/tmp", "/var/tmp/*", "/private/var/tmp", "/var/tmp/r*", "/var/tmp/m*", "/var/tmp/rpm-tmp.a", "/var/cache"),
    *("/volume1", "/volume2:ro", "/volume1/%40docker/volumes:ro", "/volume1/%40appstore/x", "/volume*", "/volume1/*"),
    *("/share", "/share/CACHEDEV1_DATA", "/share/CACHEDEV2_DATA/.qpkg/x", "/share/Container", "/share/CACHEDEV1_DATA/Container"),
    *("/tmp/.X11-unix", "/tmp/.X11-unix/X0:ro", "/private/tmp/.X11-unix:ro", "/tmp/.X*", "/var/cache/debconf/tmp.ci"),
    *("/sysroot", "/ostree/repo", "/.snapshots/1", "/overlay/upper", "/swapfile"),
    *("/initrd.img", "/mnt", "/mnt/*", "/mnt/disk", "/mnt/disk/etc", "/mnt/d*"),
    *("/media", "/media/me", "/media/me/disk", "/run/media/me/disk", "/var/mnt/disk"),
    *("/host", "/host/etc", "/host_mnt", "/host_mnt/c", "/host_mnt/Users/me"),
    *("/host/mnt/x", "/host/media/me/disk/etc", "/mnt/nas/var/run/docker", "/mnt/d/Users/me/bin"),
    *("/host_mnt/etc/x", "/private", "/private/etc", "/private/var/run/dbus", "/pri*"),
    *("/var/roothome/x", "/var/usrlocal/bin", "/bin", "/lib64/x", "/usr/lib/modules"),
    *("/var/ru*", "/var/home/me", "/Users/me/bin", "/Users/me/Library", "/home/me/.cargo"),
    *(f"/home/me/{name}" for name in ("bin", ".bash_aliases", ".zshenv", ".gitconfig")),
    *("/home/a.b/.docker/config.json", "/home/me/.vscode-server/x", "/home/me/.kube:ro"),
    *(f"/var/lib/{name}" for name in ("polkit-1", "dkms", "waagent", "amazon")),
    *("/var/snap/microk8s", "/snap/bin", "/run/log/journal", "/run/wpa_supplicant"),
    *("/run/wrappers", "/var/run/wrappers/bin/mount", "/run/current-system/sw", "/run/booted-system"),
    *("/run/desktop", "/run/desktop/mnt/host/c", "/run/desktop/mnt/host/d/etc/x", "/mnt/host/c"),
    *("/run/host-services", "/var/run/host-services/docker.proxy.sock", "/run/guest-services/x"),
    *("/var/backups", "/var/backups:ro", "/vmlinuz", "/vmlinuz.old", "/initrd.img.old", "/var/service", "/var/lib/rpm/x"),
    *("/run/runc/x/state.json", "/var/run/crun", "/run/service/x", "/run/s6*"),
    *("/var/lib/vz", "/home/me/.local/share", "/home/me/.local", "/home/me/.config", "/home/me/go"),
    *("/run/tailscale:ro", "/var/lib/tailscale", "/var/lib/apt/lists", "/var/lib/sudo"),
    *(f"/home/me/{name}" for name in (".config/fish/conf.d", ".vimrc", ".xprofile")),
    *("/var/log", "/private/var/log/*", "/var/log/s*", "/var/log/journal/x"),
    *(f"/run/{name}" for name in _IN_RUN.split()),
    *(f"/var/{name}" for name in _IN_VAR.split()),
    *(f"/home/me/{name}" for name in _IN_HOMES.split()),
    *(f"/x/{name}.sock" for name in _ENGINES.split()),
    *(f"/var/log/{name}" for name in ("audit", "auth.log", "messages", "secure", "syslog")),
    *("/etc/x", "/boot", "/dev/x", "/efi", "/gnu/store/x", "/nix/store", "/opt/cni/bin", "/opt/containerd", "/opt/nri/plugins"),
    *("/proc", "/root", "/sys/x", "/usr/x", "/tmp/screens", "/tmp/ssh-a", "/lib32/x", "/libx32/x", "/sbin/x"),
    *("/lib/x", "/var/opt/cni", "/var/home/me/bin", "/private/etc/x", "/host_mnt/c/etc/x"),
    *(f"{path}:ro" for path in ("/etc/x", "/run/docker", "/home/me/.ssh", "/x/docker.sock")),
    *_READABLE.split(),
]  # fmt: skip
NO_ROOT = [
    *("/var/backups/app", "/var/lib/vz/dump", "/home/me/go/src", "/home/me/.local/share/app", "/home/me/.config/app"),
    *("/var/tmp/x", "/var/tmp/tmp*{8}", "/var/tmp:ro", "/var/cache/app", "/var/cache:ro", "/var/cache/apt:ro", "/var/cache/debconf:ro"),
    *("/run/wrappers:ro", "/run/current-system:ro"),
    *("/volume1/docker/app", "/volumes", "/share/Container/app", "/share/CACHEDEV1_DATA/Public", "/docker"),
    *("/tmp/x", "/tmp/build-*", "/tmp/tmp*{8}", "/private/tmp/x", "/var/lock/app"),
    *("/run/desktop/mnt/host/c/work/app", "/mnt/host/c/work/app", "/run/host-services/ssh-auth.sock"),
    *("/mnt/disk/app", "/mnt/disk-*/app", "/media/me/disk/films", "/host/srv/app"),
    *("/host_mnt/c/Users/me/app", "/Users/me/app", "/private/var/app", "/var/srv/app"),
    *("/private/etc/hosts:ro", "/lib/modules:ro", "/usr/lib/modules:ro", "/var/run/x"),
    *("/mnt/nas/media", "/mnt/nas/media/x/*", "/media/me/disk/mnt", "/var/mnt/nas/media:ro"),
    *("/home/me/.cargo/registry", "/home/me/Library/x", "/Users/me/Library/Caches"),
    *("/home/me/.docker/x", "/home/me/binary", "/var/services", "/var/lib/amazonas", "/swapfiles"),
    *("/var/log/app", "/var/log/app-*", "/var/log:ro", "/var/log/*:ro", "/var/log/journal/x:ro"),
    *(f"{path}:ro" for path in _READABLE.split()),
]  # fmt: skip


@pytest.mark.parametrize("item", dict.fromkeys(ROOT), ids=str)
def test_root(item: str) -> None:
    """What is root is so by each of its names, and by what a star may be."""
    assert root.of_bind(item)


@pytest.mark.parametrize("item", dict.fromkeys(NO_ROOT), ids=str)
def test_no_root(item: str) -> None:
    """What lies beside it is none by another name either."""
    assert root.of_bind(item) == ""


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("/var/run/dbus/x", "lies in /run/dbus"),
        ("/", "holds /etc"),
        ("/tmp", "holds /tmp/screens"),
        ("/volume1", "holds /volume1/%40appstore"),
        ("/mnt/disk", "may be the root of a system"),
        ("/mnt/disk/etc", "is /etc"),
    ],
    ids=str,
)
def test_the_reason(item: str, why: str) -> None:
    """The reason names the place, and where that may be another system's, says so."""
    assert root.of_bind(item) == why


def test_a_row_by_another_name_does_not_load() -> None:
    """A table of root that names a place by its second name stops the import."""
    with pytest.raises(AssertionError, match="by another name"):
        root._places("/var/run/frob")


def read(path: str) -> places.Place:
    return places.place(with_holes(path)[0])


@given(
    st.sampled_from(["/var/run", "/private/var/run", "/host_mnt/run", "/var/r*"]),
    st.lists(st.sampled_from(["a", "b*", "run", "var", "*{3}"]), max_size=3),
)
def test_names_of_what_lies_below(place: str, below: list[str]) -> None:
    """What lies in a place has all names that the place has."""
    rest = "".join(f"/{name}" for name in below)
    assert read(f"/run{rest}") in places.names(read(place + rest))


@given(st.lists(st.sampled_from(["a", "b*", "private", "var", "run", "host_mnt", "*"])))
def test_names_end(segments: list[str]) -> None:
    """All names of any path are found, and each of them has no more; but for a disk that is
    mounted in another one's folder, which nobody looks for."""
    found = places.names(read("/" + "/".join(segments)), places.EVERY)
    for one in found:
        assert set(places.names(one)) <= set(found)


_SEGMENTS = st.lists(
    st.sampled_from(["a", "ab", "b", "*", "a*", "*b", "*{1}"]), max_size=4
)
_PLACES = st.builds(
    lambda segments, is_below: read("/" + "/".join(segments))._replace(
        is_below=is_below
    ),
    _SEGMENTS,
    st.booleans(),
)


@given(st.lists(_PLACES, max_size=6), _PLACES)
def test_a_tree_finds_what_each_of_them_meets(
    several: list[places.Place], one: places.Place
) -> None:
    """Looked up, a place meets one of many as it does when each is tried."""
    assert places.Tree(several).meets(one) is any(map(one.meets, several))


def test_two_texts_of_a_word_are_one_name() -> None:
    """Where a word has its text in parts, a segment has not."""
    assert places.place(("/a", "b/c", "d")) == read("/ab/cd")


def test_all_that_lies_below() -> None:
    """A path that goes on by anything is all that lies in the folder, and not beside it."""
    for path, word in (
        ("/srv/a", ("/srv/a", "/", others(":\n"))),
        ("/srv/a", ("/srv", "/a/", others(":\n"))),
        ("/", ("/", others("\n"))),
    ):
        inside = places.place((path,)).inside
        assert places.place(word) == inside
        assert not inside.meets(places.place((path,)))
        assert not inside.meets(places.place(("/srv/b",))) or path == "/"
    # What follows the beginning of a name stands for other names as well.
    assert places.place(("/srv/a", others(":"))) == places.place(("/srv", "/", others(":")))  # fmt: skip
