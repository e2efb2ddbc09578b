"""`python asker.py SOCKET` lets whoever asks look at things once, and says no to all else."""

import json
import socket
import sys
from typing import Any

HARMLESS = {"info-leak", "low"}


def answer(question: dict[str, Any]) -> str:
    """Where a notification or a chat would ask a person."""
    for grant in question["grants"]:
        print(question["client"], "needs", grant["name"], grant["power"])
    powers = {grant["power"] for grant in question["grants"]}
    return "once" if powers <= HARMLESS and not question["root"] else "no"


def main(path: str) -> None:
    """Answer until the proxy ends."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path.removeprefix("unix://"))
        lines = sock.makefile("rw", buffering=1)
        lines.write('{"asker": 1}\n')
        for line in lines:
            said = json.loads(line)
            if "question" in said:
                told = {"answer": said["question"], "say": answer(said)}
                lines.write(json.dumps(told) + "\n")
            elif "error" in said:
                print(said["error"], file=sys.stderr)


main(sys.argv[1])
