"""What the policies decide, as data: the record that a move of the judging is held against.

`tests/data/decisions/` has three files. `policies.jsonl`: made-up files; those of `learned/`
and `examples/` are in the record by their names alone, so that they may be written anew.
`requests.jsonl`: requests; what the Engine says of the names in them is in `tests/corpus.py`.
`decisions.txt`: the policies; the messages by their numbers, with `~` for the request's own
words; then a request a paragraph, with a letter for each policy and what that stands for.
`python -m tests.decisions --write` records the decisions anew, `--corpus` adds to the first
two files before that what `tests/corpus.py` and the table have more; a file that is there
stays what it is. A line that differs afterwards is a decision that changed.
"""

import json
import random
import re
import string
import sys
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import trio

from tests import corpus
from tests.deciding import Answer, Door, written
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Policy

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data" / "decisions"
POLICIES, REQUESTS, DECISIONS = (
    DATA / name for name in ("policies.jsonl", "requests.jsonl", "decisions.txt")
)
LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits
"""What became of a request, in the line that has a place for each policy."""
UNASKED = "."
LONGEST = 200
"""Characters of a message that is kept as it is."""


def files() -> list[Path]:
    """The files of the repository that are policies."""
    found = [*ROOT.glob("learned/*.env"), *ROOT.glob("examples/**/policy.env")]
    return sorted(found, key=lambda one: one.as_posix())


def sources() -> dict[str, Path | dict[str, str]]:
    """All policies by name: a file of ours, or made-up variables."""
    found: dict[str, Path | dict[str, str]] = {
        one.relative_to(ROOT).as_posix(): one for one in files()
    }
    for line in POLICIES.read_text(encoding="utf-8").splitlines():
        name, variables = json.loads(line)
        if variables.get("ALLOW_OPERATIONS") == "@all":
            variables["ALLOW_OPERATIONS"] = ",".join(corpus.operations())
        found[name] = variables
    return found


def policy_of(source: Path | dict[str, str]) -> Policy:
    """Read one of them."""
    if isinstance(source, dict):
        return parse_policy(source)[0]
    return parse_policy_file(source.read_text(encoding="utf-8"), name=source.name)[0]


def gates(names: Collection[str] | None = None) -> Iterator[tuple[str, Gate]]:
    """Each policy enforced; some random ones tried out too, and as a ceiling of learning."""
    for name, source in sources().items():
        if names is not None and name not in names:
            continue
        policy = policy_of(source)
        yield name, Gate.enforcing(policy)
        if re.fullmatch(r"random/\d0", name):
            yield f"{name}@shadow", Gate.trying(policy)
            yield f"{name}@ceiling", Gate.learning(policy)


def requests() -> dict[str, bytes]:
    """All requests by name."""
    found = {}
    for line in REQUESTS.read_text(encoding="utf-8").splitlines():
        name, start, body = json.loads(line)
        raw = body.encode() if isinstance(body, str) else body
        found[name] = written(start, raw)
    return found


def is_asked(policy: str, request: str) -> bool:
    """Whether a policy is asked: what reads no body only about the routes, and so on."""
    is_route = request.startswith("/")
    match policy.partition("/")[0]:
        case "sections" | "verbs" | "podman":
            return is_route and not request.endswith(" theirs")
        case "one" | "empty":
            return not request.startswith("/libpod/")
        case "random":
            return not request.startswith("/libpod/") or policy[:9].endswith("0")
        case _:
            return True


def told(answer: Answer) -> tuple[str, str]:
    """Write what became of a request, and the message."""
    notes = [
        *([f"reserves={','.join(sorted(answer.reserved))}"] if answer.reserved else []),
        *(["unpacks"] if answer.unpacks else []),
        *([f"asks={_hash(' '.join(answer.questions))}"] if answer.questions else []),
        *([f"sends={_hash(answer.sent)}"] if answer.sent else []),
    ]
    words = (answer.word, str(answer.status or ""), answer.rule, *notes)
    shown = re.match(r"\S+ \([^)]*\)|[A-Z]\w+", answer.message)
    message = answer.message
    if shown and message.startswith(shown[0]):
        name = shown[0].partition(" ")[0]
        message = message.replace(shown[0], "~").replace(name, "~")
    if len(message) > LONGEST:
        message = f"{message[:LONGEST]}... {_hash(message)}"
    return " ".join(filter(None, words)), message


def _hash(data: str | bytes) -> str:
    raw = data if isinstance(data, bytes) else data.encode()
    return sha256(raw).hexdigest()[:8]


Decisions = dict[str, dict[str, tuple[str, str]]]
"""By request and policy."""


async def _decide_all(names: Collection[str] | None) -> Decisions:
    asks = requests()
    found: Decisions = {name: {} for name in asks}
    for policy, gate in gates(names):
        at = Door(gate=gate, own=corpus.OWN)
        for name, raw in asks.items():
            if is_asked(policy, name):
                found[name][policy] = told(await at.ask(raw, corpus.WORLD))
    return found


def decisions(names: Collection[str] | None = None) -> Decisions:
    """What becomes of each request by each policy, or by some of them."""
    return trio.run(_decide_all, names)


def lines(found: Decisions) -> Iterator[str]:
    """Write the record."""
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    messages = sorted({text for one in found.values() for _, text in one.values()})
    yield from (f"policy {name}" for name in names)
    yield from (f"{number} {text}" for number, text in enumerate(messages))
    for request, answers in found.items():
        yield ""
        yield request
        letters = dict(zip(dict.fromkeys(answers.values()), LETTERS, strict=False))
        yield "".join(
            letters[answers[name]] if name in answers else UNASKED for name in names
        )
        for (what, text), letter in letters.items():
            number = f" #{messages.index(text)}" if text else ""
            yield f"{letter} {what}{number}"


def recorded() -> Decisions:
    """Read the record."""
    head, *paragraphs = DECISIONS.read_text(encoding="utf-8").split("\n\n")
    rows = head.splitlines()
    names = [row.removeprefix("policy ") for row in rows if row.startswith("policy ")]
    messages = [row.partition(" ")[2] for row in rows[len(names) :]]
    found: Decisions = {}
    for paragraph in paragraphs:
        request, letters, *rows = paragraph.splitlines()
        meanings = {UNASKED: ("", "")}
        for row in rows:
            what, mark, number = row[2:].partition(" #")
            meanings[row[0]] = what, messages[int(number)] if mark else ""
        found[request] = {
            name: meanings[letter]
            for name, letter in zip(names, letters, strict=True)
            if letter != UNASKED
        }
    return found


def _write(path: Path, rows: Iterable[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def main(*words: str) -> None:
    """Record what `words` say."""
    if "--corpus" in words:
        made = dict(corpus.policies(random.Random(27)))
        if POLICIES.exists():
            kept = POLICIES.read_text(encoding="utf-8").splitlines()
            made |= dict(map(json.loads, kept))
        _write(POLICIES, (json.dumps(one) for one in made.items()))
        _write(REQUESTS, (json.dumps(one) for one in corpus.requests()))
    if not {"--write", "--corpus"}.isdisjoint(words):
        _write(DECISIONS, lines(decisions()))


if __name__ == "__main__":
    main(*sys.argv[1:])
