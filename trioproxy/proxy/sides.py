"""The two sides of a connection, and what is held for the request between them."""

from dataclasses import dataclass

from trioproxy.proxy.admission import Admission
from trioproxy.proxy.bodies import Reading
from trioproxy.proxy.client import Client
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.reservations import Reservation
from trioproxy.proxy.shared import Shared


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
