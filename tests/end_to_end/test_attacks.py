"""Known attacks on a real Engine: each works with its door open, and none behind a file.

Each attack of trioproxy/review/attacks.toml is first made through a file that grants all, or
on the Engine itself where that shuts the door too, for an attack that never worked proves
nothing. Then through the recipes whose clients create containers, through what was
learned of a `docker run -v`, and through `CREATE_BINDS=` with the recipes' operations; with
the operations granted too that the attack needs. There it has no effect, or `explain` says
root, by an operation of the attack, and why; or, where it gives no root, `check` says that it
is open, and it is. Last comes what it needs with each line that shuts it. What `check` says to be shut has no effect.

Run by hand it makes one attack through each door, in `make test-deep` all. Through the five files
together each is tried 10 times in the one and 50 times in the other, what costs a second each
time 5 and 10 times, and 200 times in `make attacks`. There windows are wider as well, for
which CI has no time: a gigabyte is packed before the folder that is swapped, and as much is in
a volume that is filled. After a setup that is refused there is one try, and a row tells of
tries that came to nothing for another reason.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.attacks import (
    ATTACKS,
    BIG,
    IMAGES,
    Outcome,
    Stage,
    attack,
    send,
    set_stage,
)
from tests.depth import IS_DEEP, IS_WHOLE, by_depth
from tests.end_to_end.proxies import enforcing, learn
from tests.engine import ScratchEngine
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.errors import ConfigError
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import Way, meaning_of
from trioproxy.review.attacking import Fate, try_one
from trioproxy.review.attacks import Attack

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "compose"
RECIPES = ("agent-sandbox", "own-project", "testcontainers")
TRIES = by_depth(2, 10, 40)
"""Through each of the five files."""
COSTLY_TRIES = by_depth(1, 2, 40)
OPEN_TRIES = 200
"""An open door may take a few, more so on a machine that is busy."""
RACING = frozenset({"commit", "fills", "packs", "restarts", "unpacks"})
"""Doors that are open for a moment; through all others the first try goes."""
EVERYTHING = ",".join(
    sorted(
        name
        for name, endpoints in OPERATIONS.items()
        if not endpoints[0].is_podmans and name != "BuildKitGrpc"
    )
)
_ALL = [one for one in ATTACKS if not one.unshown and (IS_WHOLE or not one.is_rare)]
_FIRST = {one.door: one for one in reversed(_ALL)}
SHOWN = _ALL if IS_DEEP else list(_FIRST.values())
BAD = ("EFFECT", "HOLLOW", "SHUT", "SAID TO BE OPEN")
NETWORK = "attacked"
"""Its own network, of a client that may not be without one."""


@dataclass(kw_only=True)
class Files:
    """The files through which the attacks are made, and a proxy for each that is asked for."""

    stage: Stage
    folder: Path
    proxies: ExitStack
    variables: dict[str, Mapping[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    urls: dict[tuple[tuple[str, str], ...], str] = field(default_factory=dict)

    def url(self, variables: Mapping[str, str]) -> str:
        """A proxy that enforces these, for as long as the files are tried."""
        key = tuple(sorted(variables.items()))
        if key not in self.urls:
            self.urls[key] = self.proxies.enter_context(self._enforcing(variables))
        return self.urls[key]

    @contextmanager
    def through(self, variables: Mapping[str, str], door: str = "") -> Iterator[str]:
        """A proxy that enforces these; one that a web page may reach, if it is about that."""
        if door != "browsers" and variables in self.variables.values():
            yield self.url(variables)
        else:
            with self._enforcing(variables, is_tcp=door == "browsers") as url:
                yield url

    @contextmanager
    def _enforcing(
        self, variables: Mapping[str, str], *, is_tcp: bool = False
    ) -> Iterator[str]:
        listen = f"unix://{self.folder}/{next(self.numbers)}.sock"
        listen = "tcp://127.0.0.1:0" if is_tcp else listen
        with enforcing(self.stage.engine, listen=listen, variables=variables) as one:
            yield one.url

    def network(self, variables: Mapping[str, str], url: str) -> Mapping[str, str]:
        """The network that a client of this file may use: none at all, or one of its own."""
        makes_one = "NetworkCreate" in variables["ALLOW_OPERATIONS"].split(",")
        if not makes_one or variables.get("ONLY_NETWORKS") != "@own":
            return {}
        body = f'{{"Name": "{NETWORK}", "Internal": true}}'.encode()
        send(url, "POST", "/networks/create", body, "application/json")
        self.stage.keep()
        return {"network": NETWORK, "open_network": NETWORK}


@pytest.fixture(scope="module")
def files(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Files]:
    """The recipes, a learned `docker run -v`, and `CREATE_BINDS=`, beside one that grants all."""
    folder = tmp_path_factory.mktemp("attacks")
    big = by_depth(BIG, BIG, 4 * BIG)
    with set_stage(scratch, folder, big) as stage, ExitStack() as proxies:
        one = Files(stage=stage, folder=folder, proxies=proxies)
        one.variables["grants all"] = {"ALLOW_OPERATIONS": EVERYTHING}
        for name in RECIPES:
            one.variables[name] = recipe(name, stage, folder)
        one.variables["learned"] = learned(stage, folder / "learned.env")
        operations = (one.variables[name]["ALLOW_OPERATIONS"] for name in RECIPES)
        all_of = {part for text in operations for part in text.split(",")}
        one.variables["CREATE_BINDS="] = {
            "ALLOW_OPERATIONS": ",".join(sorted(all_of)),
            "CREATE_BINDS": "",
        }
        yield one
        scratch.docker("network", "rm", NETWORK, check=False)


def recipe(name: str, stage: Stage, folder: Path) -> Mapping[str, str]:
    """A recipe's file with folders and images of the stage in place of its own."""
    path = EXAMPLES / name / "policy.env"
    found = dict(envfile.parse(path.read_text(), name=name))
    found["CREATE_IMAGES"] = ",".join((found["CREATE_IMAGES"], *IMAGES))
    if "PROXY_SOCKET" in found:
        found["PROXY_SOCKET"] = str(folder / "bound.sock")
        found["CREATE_BINDS"] = found["CREATE_BINDS"].replace(
            "/srv/agent", str(stage.shared)
        )
    return found


def learned(stage: Stage, file: Path) -> Mapping[str, str]:
    """What is learned from a client that runs the images with a folder and a volume."""
    options = f"--network=none --volume={stage.shared}:/work --volume=data:/data"
    images = ("busybox", *IMAGES)
    script = ";".join(f"docker run --rm {options} {one} true" for one in images)
    done = learn(stage.engine, file, "sh", "-ec", script)
    assert done.returncode == 0, done.stderr.decode()
    stage.clear()
    return dict(envfile.parse(file.read_text(), name=str(file)))


def told(one: Attack, variables: Mapping[str, str]) -> Way | None:
    """The way to root that `explain` tells of and that this attack goes."""
    ways = meaning_of(parse_policy(variables)[0]).ways
    return next((way for way in ways if way.operation in one.needs), None)


def granting(one: Attack, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The file with what the attack needs."""
    granted = set(variables["ALLOW_OPERATIONS"].split(","))
    if one.needs <= granted:
        return variables
    return {**variables, "ALLOW_OPERATIONS": ",".join(sorted(granted | one.needs))}


def judged(files: Files, one: Attack, name: str, variables: Mapping[str, str]) -> str:
    """A row of the result: what became of the attack through that file."""
    more = granting(one, variables)
    is_shipped = more == dict(variables)
    label = name if is_shipped else f"{name} with {','.join(sorted(one.needs))}"
    tries = TRIES if one.door in RACING else 1
    tries = COSTLY_TRIES if one.is_costly else tries
    standing = try_one(parse_policy(more)[0], one)[0]
    tries = OPEN_TRIES if standing is Fate.OPEN else tries
    if way := told(one, more):
        if is_shipped or told(one, variables):
            return f"{label}: told, root by {way}"
        # Not granted so much, it is told of nothing: a try shows that it is refused.
        label, more, tries = f"{name} (with more: told, root by {way})", variables, 1
    with files.through(more, one.door) as url:
        done = attack(files.stage, one, url, tries, files.network(more, url))
    if standing is Fate.OPEN and one.gives is not Risk.HOST_ROOT:
        return f"{label}: open, {'SHUT' if done.at is None else 'as check says'}"
    if standing is Fate.OPEN and label == name:
        return f"{label}: SAID TO BE OPEN, and no way to root is told"
    return f"{label}: {shown(done)}"


def shown(done: Outcome) -> str:
    """An outcome in words."""
    if done.at is not None:
        return f"EFFECT at try {done.at}"
    if done.setup:
        return f"no effect, setup refused: {done.setup[0]}"
    why = f"refused: {done.refusals[0]}" if done.refusals else "not refused"
    if done.hollow:
        count = "ALL" if len(done.hollow) == done.tries else len(done.hollow)
        why += f", {count} HOLLOW: {done.hollow[0]}"
    return f"no effect in {done.tries}, {why}"


def rows(files: Files, one: Attack) -> Iterator[str]:
    """What became of an attack, file by file."""
    for name, variables in files.variables.items():
        is_moot = try_one(parse_policy(variables)[0], one)[0] is Fate.MOOT
        if name != "grants all" and not is_moot:
            yield judged(files, one, name, variables)
    if one.file:
        own = {key: text.format(shared=files.stage.shared) for key, text in one.file.items()}  # fmt: skip
        own["ALLOW_OPERATIONS"] = ",".join(sorted(one.needs))
        yield judged(files, one, "its own file", own)
    for number, more in enumerate(shutting(one)):
        yield judged(files, one, f"what shuts it, {number + 1}", more)


def shutting(one: Attack) -> Iterator[Mapping[str, str]]:
    """Files that open what an attack needs, and shut it by one line; else by all of them."""
    bare = {"ALLOW_OPERATIONS": ",".join(sorted(one.needs))}
    lines = [line.replace("{image}", "busybox").split("=", 1) for line in one.shut]
    owner = {"ONLY_OWNER": "me"}
    files = [
        {**bare, name: value, **(owner if name.startswith("ONLY_") else {})}
        for name, value in lines
    ]
    shut = [file for file in files if is_shut_by(one, file)]
    together = {**bare, **dict(lines), **owner}
    yield from shut or ([together] if is_shut_by(one, together) else [])


def is_shut_by(one: Attack, variables: Mapping[str, str]) -> bool:
    """Whether `check` says so."""
    try:
        return try_one(parse_policy(variables)[0], one)[0] is Fate.SHUT
    except ConfigError:  # an owner, and nothing that is its own
        return False


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.deep
@pytest.mark.parametrize("one", SHOWN, ids=[one.name for one in SHOWN])
def test_an_attack_works_behind_no_file(
    files: Files, one: Attack, print_rows: Callable[[list[str]], None]
) -> None:
    """With its door open an attack has its effect; behind a file it has none, or is told."""
    everything = files.variables["grants all"]
    assert meaning_of(parse_policy(everything)[0]).is_root
    # Shut in every policy: the Engine itself is attacked for the effect.
    is_shut = try_one(parse_policy(everything)[0], one)[0] is Fate.SHUT
    url = files.stage.engine.url if is_shut else files.url(everything)
    done = attack(files.stage, one, url, OPEN_TRIES if one.door in RACING else 2)
    found = [f"{'the Engine' if is_shut else 'grants all'}: {shown(done)}"]
    if is_shut:
        with files.through(everything, one.door) as behind_all:
            behind = attack(files.stage, one, behind_all, TRIES)
        found.append(f"grants all: {shown(behind)}")
    found += rows(files, one)
    print_rows(found)
    assert done.at is not None
    bad = [row for row in found[1:] if any(word in row for word in BAD)]
    assert not bad, "\n".join(found)


@pytest.fixture
def print_rows(record_property: Callable[[str, object], None]) -> Callable[[list[str]], None]:  # fmt: skip
    """Shows the rows: `pytest -rP`, and in a report of JUnit."""

    def show(found: list[str]) -> None:
        for row in found:
            sys.stdout.write(f"{row}\n")
            record_property("attack", row)

    return show
