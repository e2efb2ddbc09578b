"""Evidence that `enforce --record` keeps while it serves."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from trioproxy.commands import start
from trioproxy.config import Level
from trioproxy.errors import TrioProxyError
from trioproxy.evidence.journal import Journal
from trioproxy.evidence.ledger import Ledger, Saved
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.sight import Sight
from trioproxy.proxy.log import Log
from trioproxy.values import value_class


@value_class
class Recording:
    """Evidence that is kept while enforcing."""

    path: Path
    recorder: Recorder
    journal: Journal[Saved]
    damage: str
    """A torn last line that was found."""


def open_record(path: str, log: Log, named: Mapping[str, str]) -> Recording:
    """Begin a run of evidence in a file; `ConfigError` if that cannot be done.

    Long work, in a thread of who serves: nothing is logged before the first save. `named`: whose
    it is, as a field of log lines.
    """
    ledger = Ledger(Path(path))
    loaded = ledger.open()
    evidence = loaded.evidence
    evidence.begin(start.new_run(evidence.runs), start.now())

    def tell(new: Sequence[Sight], saved: Saved) -> None:
        for operation in dict.fromkeys(one.operation for one in new):
            log.line(Level.INFO, "recorded", **named, operation=operation)

    def complain(error: TrioProxyError) -> None:
        log.line(Level.ERR, "record-failed", **named, error=error, hint=error.hint)

    journal = Journal(ledger, evidence, tell=tell, complain=complain)
    recorder = Recorder(evidence, now=time.time, wake=journal.wake)
    return Recording(
        path=ledger.path, recorder=recorder, journal=journal, damage=loaded.damage
    )
