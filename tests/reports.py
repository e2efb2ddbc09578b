"""`python -m tests.reports FOLDER` writes example reports: `make reports`.

Two are of learned clients of the folder `learned`. The third is of a file that grew: a
job runner, learned in five runs, then reviewed, then learned once more with a deployment
that asks for the Engine's socket; and what happened when the reviewed file was enforced.
Its requests are judged and recorded as a learner's are; sockets alone are left out.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from tests.judge.judging import judged, outcome_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import Places
from trioproxy.commands.views import write_page
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.gate import Gate
from trioproxy.learning.proposal import env_text, propose
from trioproxy.learning.wish import Wish

LEARNED = Path(__file__).parents[1] / "learned"
PLAIN = ("docker-compose", "docker-cli-readonly")
START = 1_795_000_000
"""2026-11-18, in seconds since the epoch: when the first run began."""
DAY = 86_400
BASE = "/home/ci/shop"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the job runner, and how the Engine answers it."""

    method: str
    path: str
    status: int
    body: Json = None
    agent: str = "runner/3.2.0"
    peer: str = "10.0.7.2:4711"


class Session:
    """Runs of one client, as a learner or a proxy that enforces sees them."""

    def __init__(self, gate: Gate, wish: Wish) -> None:
        self.gate = gate
        self.wish = wish
        self.evidence = Evidence()
        self.text = ""
        self.runs = 0

    def run(self, *requests: Asked, status: int = 0) -> None:
        """Go through requests, a second each, as one run."""
        date, clock = START + self.runs * DAY, 0.0
        self.runs += 1
        name = f"2026-11-{18 + self.runs:02}T10:00:00Z-{self.runs:08x}"
        self.evidence.begin(name, date, has_command=True)
        recorder = Recorder(
            self.evidence,
            now=lambda: date + clock,
            wake=lambda: None,
            clock=lambda: clock,
            places=Places(BASE),
        )
        for one in requests:
            clock += 1
            target = f"/v1.47{one.path}".encode()
            verdict = judged(
                *(self.gate, one.method, target, one.agent), body=one.body, is_read=True
            )
            recorder.note(outcome_of(verdict, one.status, peer=one.peer))
        recorder.end(status)

    def save(self) -> str:
        """Write the file as a learner does, and remember what it grants."""
        proposal = propose(self.evidence, self.text, self.wish)
        self.text = env_text(self.evidence, proposal, self.text, self.wish)
        self.evidence.granted |= proposal.grants
        return self.text


def job(number: int) -> Iterator[Asked]:
    """What the runner does in each run; folders of `mktemp` are others each time."""
    yield Asked("HEAD", "/_ping", 200)
    yield Asked("GET", "/containers/json", 200, agent="watcher/1.0", peer="10.0.7.9:1")
    yield Asked("GET", "/images/shop-build:1/json", 200)
    for part in ("unit", "integration"):
        host: Json = {
            "Binds": [
                f"{BASE}/src:/src:ro",
                f"/tmp/job.{number:02}{part[:3]}{number * 7:03}:/scratch",
            ],
            "PortBindings": {"80/tcp": [{"HostPort": str(40_000 + 17 * number)}]},
        }
        body: Json = {"Image": "shop-build:1", "HostConfig": host}
        yield Asked("POST", "/containers/create", 201, body)
        yield Asked("POST", "/containers/abc/start", 204)
        yield Asked("GET", "/containers/abc/logs?follow=1", 200)
        yield Asked("POST", "/containers/abc/wait", 200)
        yield Asked("DELETE", "/containers/abc", 204)
    if number == 2:
        yield Asked("POST", "/containers/old/restart", 404)
        yield Asked("GET", "/events", 200, agent="watcher/1.0", peer="10.0.7.9:1")


def deployment() -> Iterator[Asked]:
    """What came later: the Engine's socket for a container, and images that are removed."""
    host: Json = {"Binds": ["/var/run/docker.sock:/s"], "CapAdd": ["NET_ADMIN"]}
    body: Json = {"Image": "deployer:4", "HostConfig": host}
    yield Asked("POST", "/containers/create", 201, body, agent="deployer/4.1")
    yield Asked("POST", "/networks/create", 201, {"Name": "shop"}, "deployer/4.1")
    yield Asked("DELETE", "/images/old", 200, agent="deployer/4.1")


def write_grown(folder: Path) -> dict[str, str]:
    """Write the files of the third report; what its page is compared with."""
    wish = Wish(name="runner", file="runner.env")
    session = Session(Gate.learning(None, learns_arguments=True), wish)
    for number in range(1, 6):
        session.run(*job(number), status=int(number == 4))
    session.text = session.save().replace("SystemEvents,", "")
    reviewed = session.save()
    session.run(*job(6), *deployment())
    files = {
        "reviewed.env": reviewed,
        "runner.env": session.save(),
        "runner.jsonl": dump(session.evidence),
    }
    live = Session(
        Gate.enforcing(parse_policy_file(files["runner.env"], name="runner.env")[0]),
        wish,
    )
    root: Json = {"Image": "shop-build:1", "HostConfig": {"Binds": ["/etc:/x"]}}
    live.run(
        *(one for one in job(7) if "DELETE" not in one.method),
        Asked("POST", "/containers/create", 201, root, "curl/8.5.0", "10.0.7.66:1"),
        Asked("POST", "/containers/abc/exec", 201, None, "curl/8.5.0", "10.0.7.66:1"),
    )
    files["live.jsonl"] = dump(live.evidence)
    for name, text in files.items():
        (folder / name).write_text(text)
    return {"file": "runner.env", "old": "reviewed.env", "live": "live.jsonl"}


def write_reports(folder: Path) -> list[Path]:
    """Write the reports into a folder; their files lie in one below."""
    folder = folder.resolve()
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    given = {"grown": write_grown(files)}
    for name in PLAIN:
        for suffix in (".env", ".jsonl"):
            shutil.copy(LEARNED / f"{name}{suffix}", files)
        given[name] = {"file": f"{name}.env"}
    made = []
    for name, options in sorted(given.items()):
        path = folder / f"{name}.html"
        with chdir(files):  # so that the page has names, and no paths of this machine
            write_page(output=str(path), **options)
        made.append(path)
    return made


if __name__ == "__main__":
    for written in write_reports(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
