"""The Engine's socket, with events that come late: between the Engine and a proxy that has to know who goes."""

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path


class LateEvents:
    """Passes all bytes on as they come, and those of streams of events `late` seconds later."""

    def __init__(self, path: Path, engine: str, late: float) -> None:
        self._engine = engine
        self._late = late
        self.held = 0
        """Ends of containers of which was told late."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more; what is here ends with who is connected."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                ).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine, suppress(OSError):
            engine.connect(self._engine)
            asked = client.recv(65536)
            engine.sendall(asked)
            way_back = self._copy_late if b"/events" in asked[:64] else copy
            back = threading.Thread(target=way_back, args=(engine, client), daemon=True)
            back.start()
            copy(client, engine)
            back.join()

    def _copy_late(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            self._hold_back(source, target)

    def _hold_back(self, source: socket.socket, target: socket.socket) -> None:
        due = deque[tuple[float, bytes]]()
        while True:
            wait = due[0][0] - time.monotonic() if due else None
            source.settimeout(max(wait, 0.001) if wait is not None else None)
            try:
                data = source.recv(65536)
                due.append((time.monotonic() + self._late, data))
                self.held += data.count(b'"Action":"die"')
            except TimeoutError:
                data = b"none came"
            while due and (due[0][0] <= time.monotonic() or not data):
                target.sendall(due.popleft()[1])
            if not data:
                target.shutdown(socket.SHUT_WR)
                return


def copy(source: socket.socket, target: socket.socket) -> None:
    """All bytes of one side to the other, and its end."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
