"""Reservations: volumes that a creation relies on until the Engine has answered it.

The Engine is asked what a volume is and who has it, and fills it when it creates the
container, and between these nothing may change: another creation would run in the volume
while it is filled, a volume that is made anew under its name would be a folder of the
host (see `judge.fills`). So whatever creates a container or a volume by a limiting
policy reserves all the names in it, before the Engine is asked anything, and keeps them
until the Engine's answer has begun, when the Engine has filled what it fills and shows
the container to who asks. Who comes second waits, and then finds that the volume is
used. Names are taken in their order, so that two never wait for each other. Removing a
volume takes no part: the creation then makes a plain one of that name, for whoever would
make another waits. Nor does reaching a volume through a container that has it: it is
used then.

That no container has a volume says nothing of who is in it: a process keeps an open folder of
a volume when its container is gone, or hands it to another one over a socket. So what is filled
is what no container ever had, as far as can be known: what was not there when it was looked for
under a reservation, and was named since by no creation that the Engine may have followed. All
such names are kept here, within a bound; of what was there before, or is forgotten, nobody knows.

Anonymous volumes have no name before they are there, and are filled none the less. The
Engine lists them meanwhile, by 64 hex digits which nobody can guess. A request that has
such a name has it from a creation that was under way before, or is over: it waits for all
that are under way when it comes, before it reserves anything itself.

A client that is gone changes nothing, for the Engine goes on: its connection keeps the
reservation until the Engine answers or closes (`Connection.serve`). Another proxy at the
same Engine knows nothing of this.

Nor does a process that takes the place of another one, for which the Engine fills volumes as long
as a client likes; nor this one, where what stands between gives up before the Engine answers.
But to the Engine a volume is in use as soon as a creation has it, and the container is there
when that is over: what is in use by none is under way. So at the first creation, and after
one that was not answered, who needs a volume waits until no such volume came since the Engine
was asked before, and those that there are stay taken until they are under way no more.
"""

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Final

import trio

from trioproxy.errors import VolumeReserved
from trioproxy.limits.things import FULL_ID

WAIT_SECONDS: Final = 50.0
"""For what others reserved: 503. Many clients give up after 60, and read no answer then."""

LOOK_AGAIN: Final = 1.0
"""Seconds until the Engine is asked again which volumes it has under way. A creation comes to have
its volumes, of which a thousand may be, one soon after the other, before the first is filled."""

MOST_LOOKS: Final = 10
"""For how many of these there may be more each time: whoever has more made goes on."""

MOST_UNUSED: Final = 4_096
"""Names of volumes that no container ever had: of more all are forgotten."""

LONGEST_KNOWN: Final = 255
"""Characters of such a name: a longer one is no folder's, and no volume of the Engine's own disk."""


class Reservation:
    """What one request has reserved."""

    __slots__ = ("_names", "_of_all", "is_over", "unused")

    def __init__(self, of_all: "Reservations") -> None:
        self._names = list[str]()
        self._of_all = of_all
        self.is_over = trio.Event()
        self.unused = set[str]()
        """Those that no container ever had; whoever finds that one is not there adds it."""

    async def take(self, names: AbstractSet[str]) -> None:
        """Reserve the names, one after the other, and be under way."""
        for name in sorted(names):
            while (other := self._of_all.held.get(name)) is not None:
                await other.is_over.wait()
            self._of_all.held[name] = self
            self._names.append(name)
            if name in self._of_all.unused:
                self._of_all.unused.remove(name)
                self.unused.add(name)
        self._of_all.under_way.add(self)

    def release(self, *, may_use: bool, is_answered: bool = False) -> None:
        """Let others have it; a second time does nothing.

        `may_use`: whether a container may have come of it, which has the volumes.
        `is_answered`: whether the Engine has said so; else it may still be at it.
        """
        self._of_all.under_way.discard(self)
        if not may_use:
            self._of_all.keep_unused(self.unused)
        elif not is_answered:
            self._of_all.forget_others()
        self.unused.clear()
        while self._names:
            del self._of_all.held[self._names.pop()]
        self.is_over.set()


Ask = Callable[[], Awaitable[AbstractSet[str]]]


class Reservations:
    """Of all connections of a server, whatever they are judged by."""

    def __init__(self) -> None:
        self._others: AbstractSet[str] | None = None
        """What creations have for whose end nobody here waits; None: that is not known yet."""
        self._seen: AbstractSet[str] = frozenset()
        self._looks = 0
        self._looking = trio.Lock()
        self.held = dict[str, Reservation]()
        """Who has what."""
        self.under_way = set[Reservation]()
        """Those who have all that they need; the Engine may be making volumes for them."""
        self.unused = set[str]()
        """Volumes that no container ever had, of those that nobody has reserved."""

    def keep_unused(self, names: AbstractSet[str]) -> None:
        """Know of some volumes that no container ever had them."""
        self.unused |= {one for one in names if len(one) <= LONGEST_KNOWN}
        if len(self.unused) > MOST_UNUSED:
            self.unused.clear()

    def forget_others(self) -> None:
        """Know no more what there is under way of which nobody here waits for the end."""
        self._others, self._seen, self._looks = None, frozenset(), 0

    async def take(
        self, names: AbstractSet[str], ask: Ask | None = None
    ) -> Reservation:
        """Reserve volumes, as soon as nobody else has them. Raises `VolumeReserved`, and what
        `ask` does, which asks the Engine what is under way.

        Closing: whoever gets it releases it.
        """
        one = Reservation(self)
        with trio.move_on_after(WAIT_SECONDS):
            try:
                if any(map(FULL_ID.fullmatch, names)):
                    for other in tuple(self.under_way):
                        await other.is_over.wait()
                await one.take(names)
                if names and ask is not None:
                    await self._wait_for_others(names, ask)
            except BaseException:
                one.release(may_use=False)
                raise
            return one
        raise VolumeReserved(
            f"another request needs {_shown(names)}, and the Docker Engine has not"
            f" answered that for {WAIT_SECONDS:.0f} s: try again when it has, and if it"
            " never does, see whether the Engine hangs"
        )

    async def _wait_for_others(self, names: AbstractSet[str], ask: Ask) -> None:
        """Wait for creations for whose end nobody here waits; the Engine is asked once for all."""

        def are_taken() -> bool:
            return self._others is None or not self._others.isdisjoint(names)

        while are_taken():
            async with self._looking:
                if not are_taken():
                    return
                found = await ask()
                if self._others is not None:
                    self._others &= found
                elif found <= self._seen or self._looks >= MOST_LOOKS:
                    self._others = found
                self._seen, self._looks = found, self._looks + 1
                if are_taken():
                    await trio.sleep(LOOK_AGAIN)


def _shown(names: AbstractSet[str]) -> str:
    shown = ", ".join(f"{name[:64]!a}" for name in sorted(names)[:3])
    return f"volume {shown}" if len(names) == 1 else f"one of the volumes {shown}"
