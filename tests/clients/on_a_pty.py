"""Runs a command on a terminal: `python -m tests.clients.on_a_pty SCRIPT COMMAND...`.

SCRIPT is a line of pairs `what to wait for>what to type`, separated by `|`; both may use
Python's escapes. What the terminal shows goes to stdout, the command's status is ours.
"""

import os
import pty
import sys


def main(script: str, command: list[str]) -> int:
    """Play the script; the command must show what it waits for."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown = bytearray()
    for step in filter(None, script.split("|")):
        expected, _, typed = (unescaped(part) for part in step.partition(">"))
        read_until(terminal, shown, expected)
        os.write(terminal, typed)
    read_until(terminal, shown, None)
    os.write(1, shown)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def unescaped(text: str) -> bytes:
    """Python's escapes as bytes."""
    return text.encode().decode("unicode_escape").encode("latin-1")


def read_until(terminal: int, shown: bytearray, mark: bytes | None) -> None:
    """Read what the terminal shows, up to a mark that is new, or to the end."""
    start = len(shown)
    while mark is None or mark not in shown[start:]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the last process has left the terminal
            if mark is None:
                return
            raise SystemExit(f"the end before {mark!r}: {bytes(shown)!r}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
