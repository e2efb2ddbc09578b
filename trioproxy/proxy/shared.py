"""What all connections of a server share, whatever policy they are judged by; the two sides of one."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from trioproxy.config import Address
from trioproxy.hostpath import Own
from trioproxy.http.memo import Memo
from trioproxy.judge.outcome import Waits
from trioproxy.limits.things import Labels, Missing, Thing
from trioproxy.proxy.admission import Admission
from trioproxy.proxy.bodies import Bodies, Reading
from trioproxy.proxy.client import Client, Clients
from trioproxy.proxy.condition import Health
from trioproxy.proxy.engine import Engine, ResponseMemo
from trioproxy.proxy.log import Log
from trioproxy.proxy.relay import Buffer
from trioproxy.proxy.reservations import Reservation, Reservations
from trioproxy.proxy.watch import Watch

if TYPE_CHECKING:
    from trioproxy.proxy.asking import Asking


MOST_REMEMBERED: Final = 4_096
"""Images and volumes of containers that are remembered."""

REMEMBERED_BYTES: Final = 4 * 1024 * 1024
"""Of what the Engine said of them: who makes a volume says how much that is."""

LONGEST_LABELS: Final = 4_096
"""Characters of the labels of one image: those that are judged are names."""


@dataclass(slots=True, kw_only=True)
class Remembered:
    """What the Engine said that stays true: by ids, never by names."""

    own: Own = field(default_factory=Own)
    """The container of this process."""
    labels: dict[tuple[str, frozenset[str]], Labels] = field(default_factory=dict)
    """Those of images that are judged, by the id of that or its part, and their keys: it never changes."""
    volumes: dict[tuple[str, str], Thing] = field(default_factory=dict)
    """Of containers, by id and name: what a container uses cannot be removed."""
    engine: tuple[float, Thing | Missing | None] = (0.0, None)
    """The Engine itself, and when it was asked: that holds for seconds alone."""
    size: int = 0
    """Bytes that the Engine said of images and volumes."""

    def keep_labels(self, key: tuple[str, frozenset[str]], labels: Labels) -> None:
        """Remember an image's, unless they are long: who makes an image says how long."""
        size = sum(map(len, labels.values()))
        if size <= LONGEST_LABELS:
            self.make_room()
            self.labels[key] = labels
            self.size += size

    def make_room(self) -> None:
        """Forget all of it before it grows too large."""
        count = len(self.labels) + len(self.volumes)
        if count > MOST_REMEMBERED or self.size > REMEMBERED_BYTES:
            self.labels.clear()
            self.volumes.clear()
            self.size = 0


@dataclass(slots=True, kw_only=True)
class Shared:
    """One for each server."""

    upstream: Address
    log: Log
    watch: Watch
    health: Health
    bodies: Bodies
    response_memo: ResponseMemo = field(default_factory=Memo)
    clients: Clients = field(default_factory=Clients)
    buffer: Buffer = field(default_factory=Buffer)
    serials: Iterator[int] = field(
        default_factory=lambda: itertools.count(int.from_bytes(os.urandom(6)) >> 1)
    )
    """The number of each answer of ours: in its head, and in the log line of its request.
    Where they begin is chance, so that those of two proxies, or of one before and after a
    restart, are not mistaken for each other."""
    remembered: Remembered = field(default_factory=Remembered)
    reservations: Reservations = field(default_factory=Reservations)
    asking: "Asking | None" = None
    """Asks people about what is refused; None: nobody is."""
    is_measured: bool = False
    """Whether it is known how long the Engine is waited for."""
    accepted: int = 0
    """Clients that were given a place."""
    turned_away: Counter[int] = field(
        default_factory=lambda: Counter(dict.fromkeys((403, 500, 502, 503, 504), 0))
    )
    """Clients that were given none, by the status that they were told."""
    is_draining: bool = False
    """Whether the server takes no more clients and lets those here finish."""
    is_over: bool = False
    """Whether what had not finished by then is cut: nothing is waited for any more."""

    def engine(self) -> Engine:
        """Begin a connection to the Engine; it is opened when it is needed."""
        engine = Engine(self.upstream, self.response_memo, self.watch)
        if self.is_measured:
            engine.waits = Waits()
        return engine


@dataclass(slots=True, eq=False)
class Sides:
    """What all exchanges of one connection use: their `Connection`."""

    client: Client
    admission: Admission
    shared: Shared
    engine: Engine
    reservation: Reservation | None = None
    """Of the volumes that the request under way relies on, if it is such a one."""
    reading: Reading | None = None
    """What the request under way makes us hold, if its body or its names are judged."""

    def another_engine(self) -> Engine:
        """Begin a connection for questions about the answer under way, which count as its waits."""
        engine = self.shared.engine()
        engine.waits = self.engine.waits
        return engine

    def release(self, *, may_use: bool = True, is_answered: bool = False) -> None:
        """Let others have the volumes: the Engine has answered, or does nothing.

        `may_use`: whether it may have made a container that has them. `is_answered`: whether
        that is its own word, and not what stands between.
        """
        if self.reservation is not None:
            self.reservation.release(may_use=may_use, is_answered=is_answered)
            self.reservation = None

    def let_go(self) -> None:
        """Hold nothing of the request under way any more."""
        if self.reading is not None:
            self.reading.release()
            self.reading = None
