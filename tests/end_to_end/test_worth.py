"""What `check` says of a file is what the Engine shows.

Through each file each known attack is made once, by the requests that `check` judges, of what
the file lists: what is called open has its effect, and what is called shut has none. Left out
is what is open for a moment only (tests/end_to_end/test_attacks.py tries that often), what takes
an operation that the file does not open, and what lies where the machine of the tests has
nothing. Two files where the file of tests is run, six in `make test-deep`, all in `make attacks`:
those that are shipped, those of the documentation, the recipes, other proxies' variables, and
some written by hand, in each of which other lists are open.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacks import IMAGES, Stage, attack, set_stage
from tests.depth import IS_WHOLE, by_depth
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_attacks import EVERYTHING, RACING, SHOWN
from tests.engine import ScratchEngine
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy
from trioproxy.review.attacking import Attempt, Fate, try_one, words_of
from trioproxy.review.attacks import Attack

ROOT = Path(__file__).parents[2]
ALL = {"ALLOW_OPERATIONS": EVERYTHING}
RUN = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerLogs,ContainerStart,ContainerInspect"}  # fmt: skip
OWN = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "me"}
WRITTEN: dict[str, Mapping[str, str]] = {
    "sections": {"CONTAINERS": "1", "POST": "1", "IMAGES": "1", "NETWORKS": "1"},
    "root is listed": {**ALL, "CREATE_BINDS": "/etc:ro,/run/*,{shared}", "CREATE_IMAGES": "cafe:*"},
    "own, and much": {**ALL, **OWN, "CREATE_PRIVILEGED": "1", "EXEC_PRIVILEGED": "1", "CREATE_CAPS": "SYS_ADMIN"},
    "others by name": {**ALL, "ONLY_CONTAINERS": "web-*", "ONLY_VOLUMES": "data-*,@own", "ONLY_NETWORKS": "*", "ONLY_OWNER": "me", "CREATE_NAMESPACES": "volumes:container,pid:host"},
    "labels": {**ALL, "ONLY_CONTAINERS": "@label:team=us,@project:shop", "CREATE_DEVICES": "{disk},rule", "REDACT": "env", "ONLY_OWNER": "me"},
    "tags and builds": {**ALL, "ONLY_CONTAINERS": "*", "CREATE_TAGS": "app:*", "BUILD_OPTIONS": "", "PULL_IMAGES": "", "EXEC_COMMANDS": "sh", "ONLY_OWNER": "me"},
    "builds in the host's network": {**RUN, "ALLOW_OPERATIONS": "ImageBuild,ImageTag", "CREATE_TAGS": "app:*", "BUILD_OPTIONS": "ImageBuild:networkmode=host"},
    "sections, all": dict.fromkeys(("CONTAINERS", "POST", "IMAGES", "NETWORKS", "VOLUMES", "EXEC", "BUILD", "COMMIT", "SWARM", "PLUGINS", "TASKS", "SERVICES"), "1"),
    "sections, and lists": {"CONTAINERS": "1", "POST": "1", "VOLUMES": "1", "CREATE_BINDS": "", "CREATE_SECURITY": "paths:unmasked,paths:writable"},
    "reading": {"CONTAINERS": "1", "IMAGES": "1", "INFO": "1"},
    "reading, redacted": {"CONTAINERS": "1", "REDACT": "env,commands"},
    "a socket to be read": {**RUN, "CREATE_BINDS": "/run/docker.sock:ro", "CREATE_CAPS": "ALL"},
    "a place in a place": {**RUN, "CREATE_BINDS": "/usr/share,/etc/ssl,/proc/sys,/dev/shm", "CREATE_NAMESPACES": "ipc:host,uts:host,cgroup:host"},
    "the host's network": {**RUN, "CREATE_NAMESPACES": "net:host", "CREATE_DRIVERS": "log:syslog", "CREATE_OPTIONS": "ContainerCreate:HostConfig.LogConfig.Config.syslog-address"},
    "a folder": {**ALL, **OWN, "CREATE_BINDS": "{shared}", "ONLY_VOLUMES": "*"},
    "commands": {**ALL, "EXEC_COMMANDS": "ash,pg_isready", "CREATE_RUNTIMES": ""},
    "no list of containers": {**ALL, "ONLY_VOLUMES": "@own", "ONLY_NETWORKS": "lan", "ONLY_CONTAINERS": "*", "ONLY_OWNER": "me"},
}  # fmt: skip
IN_CI = ("sections, and lists", "root is listed", "own, and much", "others by name", "labels", "tags and builds")  # fmt: skip
FOUND = {
    f"{path.parent.name}/{path.stem}": dict(envfile.parse(path.read_text(), name=path.name))
    for path in sorted([*ROOT.glob("learned/**/*.env"), *ROOT.glob("examples/**/policy.env")])
}  # fmt: skip
LEFT = RACING | {"browsers"}
"""What is open for a moment, and what takes a web page."""
GIVEN = ("in_", "engine_", "device")
LISTED = ("image", "filled", "voluminous", "command", "open_network", "network", "tag")
SHARE = IN_CI[: by_depth(2, len(IN_CI))]
FILES = {**WRITTEN, **FOUND} if IS_WHOLE else {name: WRITTEN[name] for name in SHARE}


@pytest.fixture(scope="module")
def stage(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """An Engine to attack."""
    with set_stage(scratch, tmp_path_factory.mktemp("worth")) as one:
        yield one


def fitted(file: Mapping[str, str], stage: Stage, listen: Path) -> dict[str, str]:
    """A file with a folder, a disk and images of the stage in its lists."""
    here = {"{shared}": str(stage.shared), "{disk}": str(stage.device)}
    found = {
        key: re.sub(r"\{(?:shared|disk)\}", lambda one: here[one[0]], value)
        for key, value in file.items()
    }
    if found.get("CREATE_IMAGES", "*") not in {"", "*"} and "cafe" not in file["CREATE_IMAGES"]:  # fmt: skip
        found["CREATE_IMAGES"] = ",".join(("busybox", *IMAGES, file["CREATE_IMAGES"]))
    if "PROXY_SOCKET" in found:
        found["PROXY_SOCKET"] = str(listen)
    return found


@contextmanager
def prepared(stage: Stage, words: Mapping[str, str], owner: str) -> Iterator[None]:
    """Have the image that the file lists, and a network of the client's own."""
    docker, image, network = stage.engine.docker, words["image"], words["open_network"]
    is_known = docker("image", "inspect", image, check=False).status == 0
    if not is_known:
        docker("tag", "filled", image)
    label = f"--label=trioproxy.owner={owner}"
    made = docker("network", "create", "--internal", label, network, check=False)
    stage.keep()
    try:
        yield
    finally:
        if not is_known:
            docker("rmi", image)
        if made.status == 0:
            docker("network", "rm", network)


def is_there(stage: Stage, one: Attack, words: Mapping[str, str]) -> bool:
    """Whether the machine has what the attack binds or is given, with something in it."""
    text = str(one.requests)
    for key in words:
        if not key.startswith(GIVEN) or f"{{{key}}}" not in text:
            continue
        path = words[key].partition(":")[0].replace("/var/run/", "/run/")
        here = stage.engine.inside_path(path)
        if path.startswith("/run/") and not here.exists():  # that is its own
            here.mkdir(parents=True)
            (here / "x").touch()
        if not here.exists() or (here.is_dir() and not any(here.iterdir())):
            return False
    return True


def made_of(one: Attack, attempt: Attempt) -> Attack:
    """An attack with the names and labels that a file lists."""
    return replace(
        one,
        setup=tuple(map(attempt.of_lists, one.setup)),
        requests=tuple(map(attempt.of_lists, one.requests)),
        asks=attempt.named(one.asks),
        shows=attempt.named(one.shows),
    )


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.deep
@pytest.mark.parametrize("name", FILES)
def test_check_says_what_the_engine_shows(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    """Of each attack that a file opens or shuts, made of what it lists."""
    listen = tmp_path / "s.sock"
    file = fitted(FILES[name], stage, listen)
    policy = parse_policy(file)[0]
    minor = stage.device.name.removeprefix("loop")
    given = {"major": "7", "minor": minor, "disk": str(stage.device)}
    given |= {key: str(getattr(stage, key)) for key in ("shared", "host")}
    words = {**words_of(policy), **given}
    own = {key: words[key] for key in words if key.startswith((*GIVEN, *LISTED))}
    if policy.limits.limit_of("CREATE_TAGS") is None:
        del own["tag"]  # any does, and that of the image would be taken from all others
    wrong, tried = list[str](), 0
    with (
        prepared(stage, words, policy.objects.owner),
        enforcing(stage.engine, listen=f"unix://{listen}", variables=file) as proxy,
    ):
        for one in SHOWN:
            standing, why = try_one(policy, one, words)
            is_open = standing is Fate.OPEN
            if standing not in {Fate.OPEN, Fate.SHUT} or one.door in LEFT:
                continue
            if one.is_costly or (is_open and not is_there(stage, one, words)):
                continue
            made = made_of(one, Attempt(policy, {**words_of(policy), **given}))
            done = attack(stage, made, proxy.url, 1 + is_open, own)
            tried += 1
            if (done.at is not None) is not is_open:
                wrong.append(f"{one.name}: {standing} ({why}), and {done}")
    sys.stdout.write(f"{name}: {tried} attacks\n")
    assert not wrong, "\n".join(wrong)
