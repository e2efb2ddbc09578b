"""What is under way, judged by a gate of now: the same judging, with answers that were kept.

A reload that tightens must not wait for streams of weeks. Of a request that went on there
are words left, and what the Engine said of the names in it; where these are not enough for
what the new policy wants to know, it is refused.
"""

from typing import Final, assert_never

from trioproxy.api.form import Asked
from trioproxy.errors import BadRequest
from trioproxy.judge.gate import (
    Answer,
    Gate,
    Kept,
    NeedBody,
    NeedListed,
    NeedMade,
    NeedRaw,
    NeedReserved,
    NeedThings,
    ParsedBody,
    Passes,
    Refused,
    go_on,
    judging,
)
from trioproxy.judge.outcome import Verdict
from trioproxy.judge.pruning import Listed
from trioproxy.judge.rules import UNREAD, Decision
from trioproxy.limits.marks import MARKED
from trioproxy.limits.things import Known, Thing


def replay(gate: Gate, verdict: Verdict, *, is_sent: bool = True) -> Decision:
    """Judge what is under way by a gate of now, with the answers that were kept.

    `is_sent`: whether its whole body is at the Engine. A body that was not read, as
    nothing limited it then, is not here to be read: what of it is still to come could be
    anything, so such a request is refused. So is one that was read for its labels alone
    and is not here any more, where objects are listed now: nobody knows what it names.
    """
    request = verdict.request
    answer: Answer = None
    # Of an image's labels those were read that counted then: of those that do now all may be its.
    new = gate.objects.judged_labels - verdict.form.objects.judged_labels
    there = verdict.named.known.items() if verdict.named is not None else ()
    known: Known = {
        key: one.inheriting_too(new) if isinstance(one, Thing) else one
        for key, one in there
    }
    again = judging(gate, request, has_body=True)
    try:
        while True:
            match found := go_on(again, answer):
                case NeedBody() | NeedListed():
                    kept = _kept_of(gate, verdict, found, is_sent=is_sent)
                    if isinstance(kept, Decision):
                        return gate.says(kept)
                    answer = kept
                case NeedThings() | NeedMade():
                    answer = known
                case NeedReserved() | NeedRaw() | None:
                    answer = None
                case Refused():
                    return found.decision
                case Passes():
                    is_so = _goes_on_as_now(gate, verdict, is_sent=is_sent)
                    is_shown = found.showing == verdict.showing
                    return found.decision if is_so and is_shown else gate.says(UNREAD)
                case _:
                    assert_never(found)
    except BadRequest:
        return gate.says(UNREAD)  # it was read for its labels alone, and less strictly


def _goes_on_as_now(gate: Gate, verdict: Verdict, *, is_sent: bool) -> bool:
    """Whether it goes on in the form that the gate of now would give it.

    A creation that is still being sent would come with `MKNOD`, or as somebody else's.
    """
    if gate.form.unpacks(verdict.operation) and not verdict.unpacks:
        return False
    is_told = verdict.asked is not None and verdict.asked.is_told
    is_written = is_told and verdict.operation in MARKED
    return is_sent or not is_written or verdict.form == gate.form


def _kept_of(
    gate: Gate, verdict: Verdict, need: NeedBody | NeedListed, *, is_sent: bool
) -> ParsedBody | Kept | Listed | Decision | None:
    """What is left of a request's body, or a prune's list; `UNREAD` where that tells too little."""
    if isinstance(need, NeedListed):
        # Ids are left, by which nothing can be judged by other lists.
        return Listed(need.prune) if verdict.form.objects == gate.objects else UNREAD
    # By how the body was read when it went on. As a whole: its arguments and names are here, as words, and any limits
    # can judge them; only where objects were not looked for then, and are now, it has to be here itself. For its labels
    # alone: it is read anew if it is here. If it is not, it has happened where all of it is at the Engine and no
    # objects are listed; else nobody knows what it names, or what is still to come, and it ends.
    asked, named = verdict.asked, verdict.named
    is_judged = verdict.operation in gate.read_operations
    if asked is not None and (asked.is_whole or not is_judged):
        if gate.objects and not (named and named.has_objects):
            if asked.is_told:
                return UNREAD
            named = None  # it is told anew
        return Kept(asked, named)
    if asked is not None and not asked.is_told:
        return ParsedBody(asked.body) if asked.body is not None else None
    if gate.objects or not is_sent:
        return UNREAD
    return Kept(_NOTHING_KNOWN, None)


_NOTHING_KNOWN: Final = Asked((), never="", body=None, query=b"", is_told=True)
"""Of a body that nothing limited, and that is at the Engine: it is too late to refuse it."""
