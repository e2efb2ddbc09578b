"""A prune whose list was judged: what may go goes one by one, and we say what went.

What is removed was decided before the first of it is (`judge.pruning`). The Engine is asked
to remove each without force, so that what is used by now stays, and what it does not remove for
whatever reason is passed over, as in a prune of its own. As there, no time is too long for
that, and who leaves ends it: what was removed by then is gone.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

import trio

from trioproxy.api.families import Kind
from trioproxy.errors import BadRequest, TooMuch, UpstreamError
from trioproxy.http import jsonbody
from trioproxy.http.framing import NO_BODY
from trioproxy.judge.pruning import Removals
from trioproxy.judge.sums import size_of
from trioproxy.proxy import replies
from trioproxy.proxy.exchange import HALF_CLOSE_SECONDS, LINGER, NEXT, After, Exchange
from trioproxy.proxy.inquiry import ask, ask_each, parse_answer, segment

_DONE: Final = frozenset({200, 204})
_SIZES: Final = "/system/df?type=volume"

SIZES_SECONDS: Final = 10.0
"""Until it is said how much volumes take that are about to go: nobody waits longer for a sum."""


class Removing(Exchange):
    """A prune, and its answer."""

    __slots__ = ()

    async def run(self) -> After:
        """Remove, and say what is gone. Raises `ClientLost`."""
        removals = self.admitted.verdict.removals
        assert removals is not None  # noqa: S101  who makes one looks at that
        client, shared = self._sides.client, self._sides.shared
        self._is_responding = True
        self._react_to_hangup()
        try:
            report = await self._remove(removals)
        except (UpstreamError, BadRequest) as error:
            self._sides.engine.drop()
            return await self._fail(error)
        has_body = self.admitted.framing is not NO_BODY
        keep = self.admitted.keep_alive and not has_body and not shared.is_draining
        body = jsonbody.render(report) + b"\n"
        self.status, self.head_sent = 200, True
        self._sent_at_once = len(body)
        await client.wire.send_all(replies.reply(200, body, close=not keep))
        return NEXT if keep else LINGER

    def _pass_eof(self) -> None:
        # The Engine has more than one request to read.
        self._sides.client.scope.deadline = trio.current_time() + HALF_CLOSE_SECONDS

    async def _remove(self, removals: Removals) -> Mapping[str, object]:
        kind, gone, freed = removals.prune.kind, list[str](), 0
        sizes = dict[str, int]()
        if kind is Kind.VOLUME and removals.each:
            sizes = await self._sizes()
        for one in removals.each:
            size = sizes.get(one.id, 0)
            path = f"/{kind}s/{segment(kind, one.id)}"
            if kind is Kind.CONTAINER:
                told = await self._look_at(path)
                if told is None or not removals.prune.is_older(told.get("Created")):
                    continue
                size = size_of(told.get("SizeRw"))
            # By an id twice is as good as once: the second time it is gone.
            status, _ = await ask(self._sides.engine, "DELETE", path)
            if status in _DONE:
                gone.append(one.told)
                freed += size
        return _report(kind, gone, freed)

    async def _look_at(self, path: str) -> Mapping[str, jsonbody.Json] | None:
        """What takes room in a container, and when it was made; None: it is gone, or too much to
        be read, as whoever made it may have it."""
        with suppress(TooMuch):
            status, raw = await ask(self._sides.engine, "GET", f"{path}/json?size=1")
            value = parse_answer(raw) if status in _DONE else None
            return value if isinstance(value, dict) else None
        return None

    async def _sizes(self) -> dict[str, int]:
        """What volumes take on the disk, by name; nothing where the Engine does not say in time.

        It has one way to say it, for all at once, and walks all their files for that.
        """
        sizes = dict[str, int]()

        def take(value: jsonbody.Json) -> None:
            sizes.update(_sizes_in(value))

        deadline = trio.current_time() + SIZES_SECONDS
        # Where it cannot tell, the Engine goes on as well, and counts none.
        with suppress(UpstreamError):
            await ask_each(self._sides.engine, _SIZES, "lists", take, deadline)
        return sizes


def _sizes_in(told: jsonbody.Json) -> Iterator[tuple[str, int]]:
    """The size of a volume, or those of all in what newer Engines have in place of a list."""
    value = told if isinstance(told, dict) else {}
    items = value.get("Items")
    for one in items if isinstance(items, list) else [value]:
        if isinstance(one, dict) and isinstance(name := one.get("Name"), str):
            usage = one.get("UsageData")
            yield name, size_of(usage.get("Size") if isinstance(usage, dict) else 0)


def _report(kind: Kind, gone: list[str], freed: int) -> Mapping[str, object]:
    """Say it in the Engine's words: it has no list where nothing went, but of volumes."""
    match kind:
        case Kind.CONTAINER:
            return {"ContainersDeleted": gone or None, "SpaceReclaimed": freed}
        case Kind.NETWORK:
            return {"NetworksDeleted": gone or None}
        case Kind.VOLUME:
            return {"VolumesDeleted": gone, "SpaceReclaimed": freed}
        case _:
            raise AssertionError(f"nothing prunes {kind}")
