"""Files of released versions, and what they let pass then: held against what they mean today.

`tests/data/upgrade/VERSION/` has policy files and evidence as that version wrote or took them, and
`passed.json`: of each policy the operations that it opened, and the requests of `tests/corpus.py`
that passed. `python -m tests.upgrade` keeps those of the version that is about to be released; a
folder that is there is never written again.
"""

import json
import re
import shutil
from pathlib import Path

import trio

from tests import corpus
from tests.deciding import Door
from tests.decisions import ROOT, requests, sources
from trioproxy import __version__
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.gate import Gate

DATA = ROOT / "tests" / "data" / "upgrade"
LEARNED = ("docker-cli-run", "docker-compose", "glances", "testcontainers-node")
"""Kept with their evidence."""
READ = ("portainer-buttons", "traefik", "watchtower")
MADE_UP = re.compile(
    r"sections/(CONTAINERS|IMAGES|all-limited|linuxserver)|verbs/ALLOW_(EXEC|RESTARTS)|only/.*"
    r"|(one|empty)/CREATE_(BINDS|IMAGES)|one/(EXEC_COMMANDS|BUILD_OPTIONS|PULL_IMAGES)|random/[024]5"
)
"""Which of the made-up policies."""

Passed = dict[str, dict[str, list[str]]]


async def passed(file: Path) -> dict[str, list[str]]:
    """What a policy file opens today."""
    policy, _ = parse_policy_file(read_text(file), name=file.name)
    door = Door(gate=Gate.enforcing(policy), own=corpus.OWN)
    return {
        "operations": sorted(policy.opened_operations),
        "requests": [
            name
            for name, raw in requests().items()
            if (await door.ask(raw, corpus.WORLD)).allowed
        ],
    }


def keep(folder: Path) -> None:
    """Write the files of this version."""
    folder.mkdir(parents=True)
    for name in LEARNED:
        for end in ("env", "jsonl"):
            shutil.copy(ROOT / "learned" / f"{name}.{end}", folder)
    for name in READ:
        shutil.copy(ROOT / "learned" / "documented" / f"{name}.env", folder)
    for name, source in sources().items():
        if isinstance(source, dict) and MADE_UP.fullmatch(name):
            # As in a file that torn grants nothing: what grants comes last.
            last = {one: source[one] for one in source if one == "ALLOW_OPERATIONS"}
            lines = [f"{one}={value}\n" for one, value in (source | last).items()]
            plain = re.sub(r"[^\w-]+", "-", name)
            (folder / f"{plain}.env").write_text("".join(lines))
    told: Passed = {
        file.name: trio.run(passed, file) for file in sorted(folder.glob("*.env"))
    }
    lines = [f"{json.dumps(name)}: {json.dumps(told[name])}" for name in told]
    (folder / "passed.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    keep(DATA / __version__)
