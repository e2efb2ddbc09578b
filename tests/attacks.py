"""Known attacks on a real Engine, and what they leave on the host.

An attack is data (`trioproxy/review/attacks.toml`): requests in an order, some of them while
others run. This module sends them to a URL, that of an Engine or of a proxy, and looks at the
host, the Engine and the answers for the effect. What was answered counts for nothing, what
happened does.
"""

import gzip
import hashlib
import http.client
import io
import json
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.depth import by_depth
from tests.engine import IMAGE, ScratchEngine
from trioproxy.review.attacks import WORD, Attack, attacks, body_of, words

SECRET: Final = "what no list allows to be read"
DISK: Final = b"RAW DISK OF THE HOST"
WRITTEN: Final = "WRITTEN TO THE DISK OF THE HOST"
FOREIGN: Final = "victim"
"""The owner whose mark the attacks forge, as they are written."""
IMAGES: Final = ("filled", "voluminous")
"""Images with something to fill volumes with; the second has volumes."""
BATCH: Final = 25
"""How many tries share one setup."""
PATIENCE: Final = 60.0
"""Seconds for what a request waits for; where that never comes it gives up before."""
FRONT: Final = by_depth(300, 300, 1000)
"""Megabytes that are packed before a folder that is swapped. It is a hole in a file, and open as
long as with bytes in it: 0.8 to 3 s, and 4 to 11 s for the gigabyte."""
FOLDERS: Final = 32
BIG: Final = 8_000_000
"""Bytes of a file in each: all are copied as long as it takes to start a container."""
REACHED: Final = b"42REACHED"
"""What a container says that has what it came for; no request has it in these letters."""
MARKS: Final = (DISK, SECRET.encode(), REACHED)
SAY: Final = "echo 4$((1+1))REACHED"
VICTIM, LAN, FOREIGN_VOLUME, USED = "victim", "strangers-lan", "strangers-data", "used"
"""Somebody else's container that runs, a network, a volume, and an image that others run."""

Names = dict[str, set[str]]
"""What an Engine has, by kind."""


ATTACKS, WORDS = attacks(), words()


def filled(text: str, known: Mapping[str, str]) -> str:
    """A text with its words in place; theirs too."""
    while (done := WORD.sub(lambda found: known[found[1]], text)) != text:
        text = done
    return text


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and which marks were in it."""

    status: int
    body: bytes
    """Its beginning."""
    marks: frozenset[bytes]

    @property
    def is_refused(self) -> bool:
        """Whether the proxy said no."""
        return self.status in {400, 403} and b"trioproxy: " in self.body


class _Connection(http.client.HTTPConnection):
    def __init__(self, url: str) -> None:
        super().__init__("attack", timeout=60)
        self.path = url.removeprefix("unix://")

    def connect(self) -> None:
        if self.path.startswith("tcp://"):
            host, _, port = self.path.removeprefix("tcp://").rpartition(":")
            self.sock = socket.create_connection((host, int(port)), self.timeout)
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def send(
    url: str,
    method: str,
    target: str,
    body: bytes = b"",
    kind: str = "",
    lines: Sequence[str] = (),
) -> Answer:
    """Send one request and read its whole answer, of which little is kept."""
    connection = _Connection(url)
    fields = {"Content-Type": kind} if kind else {}
    fields |= dict(line.split(": ", 1) for line in lines)
    try:
        connection.request(method, target, body or None, fields)
        answer = connection.getresponse()
        kept, seen, marks = bytearray(), b"", set[bytes]()
        while piece := answer.read(1 << 18):
            seen = seen[-64:] + piece
            marks |= {mark for mark in MARKS if mark in seen}
            kept += piece[: max(0, (1 << 22) - len(kept))]
        return Answer(answer.status, bytes(kept), frozenset(marks))
    except (
        OSError,
        http.client.HTTPException,
    ) as error:  # closed amid a tar that failed
        return Answer(0, str(error).encode(), frozenset())
    finally:
        connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An Engine to attack, and what must not be reached from it."""

    engine: ScratchEngine
    host: Path
    """A folder that no list names, with a secret in it."""
    shared: Path
    """A folder that lists name."""
    device: Path
    """A disk of the host."""
    stranger: str
    """The id of a container that somebody else runs."""
    victim: list[str]
    """The id of another one, which runs; it changes where an attack removed it."""
    seen: Names = field(default_factory=dict)
    """What was there before."""

    @property
    def socket_id(self) -> str:
        """Device and number of the Engine's socket in its own /run."""
        found = self.engine.inside_path("/run/docker.sock").stat()
        return f"{found.st_dev}:{found.st_ino}"

    def get(self, target: str) -> Any:  # noqa: ANN401  JSON
        """What the Engine itself says."""
        return json.loads(send(self.engine.url, "GET", target).body)

    def things(self) -> Names:
        """Everything that the Engine has, by kind."""
        return {
            "containers": self.containers(),
            "volumes": {one["Name"] for one in self.get("/volumes")["Volumes"] or ()},
            "networks": {one["Id"] for one in self.get("/networks")},
            "images": {one["Id"] for one in self.get("/images/json?all=1")},
        }

    def new(self) -> Names:
        """What an attack has made."""
        return {kind: names - self.seen[kind] for kind, names in self.things().items()}

    def keep(self) -> None:
        """Count what is there now as no attack's."""
        self.seen.update(self.things())

    def containers(self) -> set[str]:
        """The ids of all that there are."""
        return {one["Id"] for one in self.get("/containers/json?all=1")}

    def end_others(self, kept: set[str]) -> None:
        """Take away all containers but these: what runs on takes the time of the next try."""
        for one in self.containers() - kept:
            send(self.engine.url, "DELETE", f"/containers/{one}?force=1&v=1")

    def clear(self) -> None:
        """Take away what an attack has left."""
        for kind, names in self.new().items():
            for one in names:
                target = f"/{kind}/{one}?force=1&v=1"
                send(self.engine.url, "DELETE", target)
        self.empty()
        write_disk(self.device)

    def restore(self, door: str) -> None:
        """Put back what an attack of a door changed that was there before."""
        docker = self.engine.docker
        if door == "others":
            docker("rm", "-f", self.victim.pop())
            self.victim.append(run_victim(self.engine, self.host))
        if door == "images":
            docker("tag", "filled", USED)
        if door == "swarm":
            docker("swarm", "leave", "--force", check=False)
        if door == "plugins":
            for one in docker("plugin", "ls", "-q").text.split():
                docker("plugin", "rm", "--force", one)
        self.keep()

    def empty(self) -> None:
        """Leave in the folders of the host what belongs there."""
        shutil.rmtree(self.engine.inside_path("/run/planted"), ignore_errors=True)
        for folder in (self.host, self.shared):
            for one in folder.iterdir():
                if one.is_dir() and not one.is_symlink():
                    shutil.rmtree(one)
                else:
                    one.unlink()
        (self.host / "secret").write_text(SECRET)
        (self.host / "secret").chmod(0o600)


def write_disk(device: Path) -> None:
    """A disk that is known wherever a part of it comes up."""
    with device.open("r+b") as disk:
        disk.write(DISK.ljust(512, b".") * 64)


# How an effect is seen.


def _landed(stage: Stage, _: Sequence[Answer]) -> bool:
    return {one.name for one in stage.host.iterdir()} != {"secret"}


def _of_disk(_: Stage, answers: Sequence[Answer]) -> bool:
    return any(DISK in one.marks for one in answers)


def _image_with(mark: bytes, path: str) -> Callable[[Stage, Sequence[Answer]], bool]:
    def look(stage: Stage, _: Sequence[Answer]) -> bool:
        url = stage.engine.url
        for one in stage.new()["images"]:
            body = json.dumps({"Image": one}).encode()
            made = send(url, "POST", "/containers/create", body, "application/json")
            name = json.loads(made.body)["Id"]
            got = send(url, "GET", f"/containers/{name}/archive?path={path}")
            send(url, "DELETE", f"/containers/{name}")
            if mark in got.marks:
                return True
        return False

    return look


def _disk_written(stage: Stage, _: Sequence[Answer]) -> bool:
    with stage.device.open("rb") as disk:
        return WRITTEN.encode() in disk.read(1 << 16)


def _with_secret(stage: Stage, _: Sequence[Answer]) -> bool:
    made = (stage.get(f"/images/{one}/json") for one in stage.new()["images"])
    return any(SECRET in json.dumps(one) for one in made)


def _replaced(stage: Stage, _: Sequence[Answer]) -> bool:
    used, was = (stage.get(f"/images/{one}/json") for one in (USED, "filled"))
    return bool(used["Id"] != was["Id"])


def _labelled(stage: Stage, _: Sequence[Answer]) -> bool:
    new = stage.new()
    found = [stage.get(f"/volumes/{one}") for one in new["volumes"]]
    found += [stage.get(f"/networks/{one}") for one in new["networks"]]
    found += [stage.get(f"/containers/{one}/json")["Config"] for one in new["containers"]]  # fmt: skip
    found += [stage.get(f"/images/{one}/json")["Config"] or {} for one in new["images"]]
    labels = [one.get("Labels") or {} for one in found]
    return any(one.get("trioproxy.owner") == FOREIGN for one in labels)


def _in_anothers_place(stage: Stage, _: Sequence[Answer]) -> bool:
    found = stage.get(f"/containers/{stage.stranger[:12]}/json")
    return bool(found["Id"] != stage.stranger)


LOOKS: Final[Mapping[str, Callable[[Stage, Sequence[Answer]], bool]]] = {
    "landed": _landed,
    "disk in an answer": _of_disk,
    "disk in an image": _image_with(DISK, "/s"),
    "disk written": _disk_written,
    "secret in an image": _image_with(SECRET.encode(), "/d/secret"),
    "labelled": _labelled,
    "reached": lambda _, answers: any(REACHED in one.marks for one in answers),
    "replaced": _replaced,
    "secret in an answer": lambda _, answers: any(
        SECRET.encode() in one.marks for one in answers
    ),
    "secret in the environment of an image": _with_secret,
    "in another's place": _in_anothers_place,
}


# From data to requests.


def archive(items: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> bytes:
    """The items as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for item in items:
            for i in range(1, item.get("times", 1) + 1):
                _add(tar, item, dict(words) | {"i": str(i)})
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, item: Mapping[str, Any], words: Mapping[str, str]) -> None:  # fmt: skip
    info = tarfile.TarInfo(filled(item["path"], words))
    info.mode = 0o755
    content = filled(item.get("text", ""), words).encode()
    if "of" in item:
        content = Path(shutil.which(item["of"]) or item["of"]).read_bytes()
    match item.get("type", "file"):
        case "folder":
            info.type = tarfile.DIRTYPE
        case "block":
            info.type = tarfile.BLKTYPE
            info.devmajor, info.devminor = int(words["major"]), int(words["minor"])
        case _:
            info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def saved_image(name: str, layer: bytes) -> bytes:
    """One layer as `docker save` would write it."""
    ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    settings = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": ids},
        }
    )  # fmt: skip
    manifest = [{"Config": "c.json", "RepoTags": [f"{name}:latest"], "Layers": ["l.tar"]}]  # fmt: skip
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        parts = {"c.json": settings.encode(), "l.tar": layer}
        for path, content in (parts | {"manifest.json": json.dumps(manifest).encode()}).items():  # fmt: skip
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


# Attacking.


@dataclass(slots=True, kw_only=True)
class Run:
    """An attack under way, on one setup."""

    url: str
    words: dict[str, str]
    tries: range
    answers: list[Answer] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What was not refused and came to nothing."""
    has_passed: bool = False
    """Whether anything went through."""
    is_in_vain: bool = False
    """Whether the setup was refused: nothing of a try is waited for."""
    known: set[str] = field(default_factory=set)
    aside: list[threading.Thread] = field(default_factory=list)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self, number: int) -> None:
        """Forget what became of the setup, or of the try before."""
        self.answers.clear()
        self.refusals.clear()
        self.failures.clear()
        self.words["n"] = str(number)

    def send(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Send requests in their order."""
        for request in requests:
            if "serve" in request:
                script = ["busybox", "sh", "-c", filled(request["serve"], self.words)]
                self.servers.append(subprocess.Popen(script, start_new_session=True))
            elif request.get("aside"):
                thread = threading.Thread(target=self._send, args=(request,))
                thread.start()
                self.aside.append(thread)
            else:
                if request.get("after"):
                    self.join()
                self._send(request)
        self.join()

    def join(self) -> None:
        """Wait for the requests aside."""
        while self.aside:
            self.aside.pop().join()

    def close(self) -> None:
        """End what serves."""
        for server in self.servers:
            subprocess.run(["kill", "--", f"-{server.pid}"], check=True)
            server.wait()

    def _send(self, request: Mapping[str, Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        for _ in range(request.get("repeat", 1)):
            while True:
                is_late = self.is_late
                answer = self._once(request)
                self.answers.append(answer)
                if answer.is_refused:
                    told = json.loads(answer.body)["message"]
                    self.refusals.append(told.removeprefix("trioproxy: "))
                is_done = self._is_done(request, answer)
                if is_done or is_late or time.monotonic() > deadline:
                    break
            if answer.is_refused:
                return
            self.has_passed = True
            if "finds" in request and not is_done and answer.status == 200:
                self.refusals.append(f"{request['send']} lists nothing new")
            elif not is_done or (
                not 200 <= answer.status < 400 and answer.status != request.get("until")
            ):
                told = f"{request['send']} answered {answer.status}"
                self.failures.append(told)

    @property
    def is_late(self) -> bool:
        """Whether what is waited for never comes, or only came while others were aside."""
        is_over = bool(self.aside) and not any(one.is_alive() for one in self.aside)
        return is_over or self.is_shut or bool(self.failures)

    @property
    def is_shut(self) -> bool:
        """Whether something was refused; what would follow of it never comes."""
        return self.is_in_vain or bool(self.refusals)

    def _once(self, request: Mapping[str, Any]) -> Answer:
        method, _, target = request["send"].partition(" ")
        try:
            target = filled(target, self.words)
            body, kind = body_of(request, self.fill, self.tries)
        except KeyError:  # it names what a request before it did not find
            return Answer(404, b"", frozenset())
        if "tar" in request or "image" in request:
            items = request.get("tar") or request["image"]
            body, kind = archive(items, self.words), "application/x-tar"
            if "image" in request:
                body = saved_image(self.words["tag"], body)
            if request.get("packed") == "gzip":
                body = gzip.compress(body)
        answer = send(self.url, method, target, body, kind, request.get("fields", ()))
        if "keep" in request and answer.status == 201:
            self.words[request["keep"]] = json.loads(answer.body)["Id"]
        return answer

    def fill(self, text: str) -> str:
        """Put the words of now into a text."""
        return filled(text, self.words)

    def _is_done(self, request: Mapping[str, Any], answer: Answer) -> bool:
        if answer.is_refused:
            return True
        if request.get("knows"):
            self.known = listed(answer)
        if "finds" in request:
            found = listed(answer) - self.known
            self.words.pop(request["finds"], None)  # that of the try before
            if found:
                self.words[request["finds"]] = min(found)
            return bool(found)
        until = request.get("until")
        if until is None:
            return True
        return answer.status == until if isinstance(until, int) else until.encode() in answer.body  # fmt: skip


def listed(answer: Answer) -> set[str]:
    """What an answer lists: names of volumes, ids of containers."""
    if answer.status != 200:
        return set()
    told = json.loads(answer.body)
    items = told if isinstance(told, list) else told["Volumes"] or ()
    return {one.get("Id") or one["Name"] for one in items}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attack."""

    at: int | None
    """At which try it had its effect; None: never."""
    tries: int
    setup: tuple[str, ...]
    """What the proxy said to the setup; after that there is one try."""
    refusals: tuple[str, ...]
    """What it said to the last try."""
    hollow: tuple[str, ...]
    """What failed of the tries of which nothing was refused; they prove nothing."""


_NUMBERS: Final = count()


def attack(
    stage: Stage, one: Attack, url: str, tries: int, given: Mapping[str, str] = WORDS
) -> Outcome:
    """Attack up to so many times, until it has its effect; `given`: words in place of others."""
    done = Outcome(at=None, tries=0, setup=(), refusals=(), hollow=())
    for first in range(0, tries, BATCH):
        batch = range(first, min(first + BATCH, tries))
        with _set_up(stage, one, url, batch, given) as run:
            setup, failures = tuple(run.refusals), tuple(run.failures)
            run.is_in_vain = bool(setup)
            kept = stage.containers()
            for n in batch:
                run.begin(n)
                run.send(one.requests)
                failed = () if run.is_shut else (*failures, *run.failures)[:1]
                if one.look == "asked":
                    said = send(stage.engine.url, "GET", filled(one.asks, run.words))
                    is_seen = filled(one.shows, run.words).encode() in said.body
                else:
                    is_seen = LOOKS[one.look](stage, run.answers)
                done = Outcome(
                    at=n + 1 if is_seen else None,
                    tries=n + 1,
                    setup=setup,
                    refusals=tuple(run.refusals),
                    hollow=(*done.hollow, *failed),
                )
                if done.at is not None or setup:
                    return done
                stage.end_others(kept)
                stage.empty()
    return done


@contextmanager
def _set_up(
    stage: Stage, one: Attack, url: str, batch: range, given: Mapping[str, str]
) -> Iterator[Run]:
    number = stage.device.name.removeprefix("loop")
    name = f"attack{next(_NUMBERS)}x"
    words = {
        **WORDS,
        **dict.fromkeys(("name", "store", "tag"), name),
        "image": IMAGE.partition(":")[0],
        **{name: name for name in IMAGES},
        "host": str(stage.host),
        "shared": str(stage.shared),
        "front": f"{FRONT}M",
        "network": "none",
        "open_network": "bridge",
        "major": "7",
        "minor": number,
        "disk": str(stage.device),
        "stranger": stage.stranger[:12],
        "victim": VICTIM,
        "victim_id": stage.victim[0],
        "lan": LAN,
        "foreign": FOREIGN_VOLUME,
        "used": USED,
        "command": "sh",
        "say": SAY,
        "pad": "x" * 2_000_000,
        "socket": stage.socket_id,
        **{
            kind: str(Path(f"/proc/self/ns/{kind}").readlink())
            for kind in ("ipc", "uts", "cgroup")
        },
        "written": WRITTEN,
        **given,
    }
    run = Run(url=url, words=words, tries=batch)
    try:
        run.send(one.setup)
        yield run
    finally:
        run.join()
        run.close()
        stage.clear()
        if run.has_passed:
            stage.restore(one.door)


@contextmanager
def set_stage(engine: ScratchEngine, folder: Path, big: int = BIG) -> Iterator[Stage]:
    """The images, the folders, a disk of the host, and a stranger."""
    host, shared = folder / "host", folder / "shared"
    for one in (host, shared):
        one.mkdir()
    fill_images(engine, big)
    stranger = engine.docker("create", "--network=none", "--name=stranger", IMAGE).text
    engine.docker("tag", "filled", USED)
    engine.docker("network", "create", "--internal", LAN)
    script = f"echo {SECRET} >/v/secret"
    volume = f"--volume={FOREIGN_VOLUME}:/v"
    engine.docker("run", "--rm", "--network=none", volume, IMAGE, "sh", "-c", script)
    with loop_device(folder / "disk") as device:
        stage = Stage(engine=engine, host=host, shared=shared, device=device, stranger=stranger, victim=[run_victim(engine, host)])  # fmt: skip
        stage.keep()
        stage.clear()
        try:
            yield stage
        finally:
            stage.clear()
            engine.docker("rm", "-f", stranger, *stage.victim)
            engine.docker("volume", "rm", FOREIGN_VOLUME)
            engine.docker("network", "rm", LAN)
            engine.docker("rmi", "--force", USED, *IMAGES)


def run_victim(engine: ScratchEngine, host: Path) -> str:
    """Run what somebody else runs: with a folder of the host, and a secret."""
    options = ("--network=none", f"--volume={host}:/data", f"--env=TOKEN={SECRET}")
    script = "echo $TOKEN; exec sleep 100000"
    ran = ("run", "-d", f"--name={VICTIM}", *options, IMAGE, "sh", "-c", script)
    made = engine.docker(*ran).text
    with closing(_Connection(engine.url)) as log:  # it is there to be read, or not yet
        log.request("GET", f"/containers/{made}/logs?stdout=1&follow=1")
        kept = log.getresponse().read(8 + len(SECRET))  # behind the head of a frame
    assert SECRET.encode() in kept, kept
    return made


def fill_images(engine: ScratchEngine, big: int) -> None:
    """Make the images with something to fill volumes with."""
    script = (
        f"for i in $(seq -w 0 {FOLDERS - 1}); do mkdir -p /wide/d$i;"
        f" head -c {big} /dev/zero >/wide/d$i/big; echo >/wide/d$i/landed; done;"
        " ln -s wide /w0; ln -s wide /w1"
    )
    engine.docker("run", "--network=none", "--name=filling", IMAGE, "sh", "-c", script, timeout=600)  # fmt: skip
    engine.docker("commit", "--change", 'CMD ["sh"]', "filling", "filled", timeout=600)
    engine.docker("rm", "filling")
    made = engine.docker("create", "filled").text
    engine.docker("commit", "--change", "VOLUME /wide", made, "voluminous")
    engine.docker("rm", made)


@contextmanager
def loop_device(file: Path) -> Iterator[Path]:
    """A disk of the host that is a file of ours."""
    file.write_bytes(bytes(1 << 20))
    made = ("losetup", "--find", "--show", str(file))
    device = subprocess.run(made, capture_output=True, text=True, check=True).stdout
    try:
        yield Path(device.strip())
    finally:
        subprocess.run(["losetup", "--detach", device.strip()], check=True)
