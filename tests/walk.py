"""docs/walk.md: what a newcomer types, from a checkout to a client that is held to its file."""

import re
from pathlib import Path

from tests.markdown import ROOT
from tests.shell import WALK, Shell

BY_ONE_FILE, BY_THE_IMAGE = range(2)


def walk(shell: Shell, session: int) -> str:
    """Type one of its sessions as it stands, in a folder where the checkout is that has been
    built; what it writes. The last command is one call too many."""
    (client,) = WALK.of_kind("python")
    (shell.folder / "traefik.py").write_text(client.text)
    shell.program("make", f'grep "^$1:" {ROOT}/Makefile')
    typed = list(WALK.of_kind("sh"))[session].text
    ends = "trap 'kill $! 2>/dev/null || true' EXIT"
    (written,) = shell.run([f"(\nset -e\n{ends}\n{typed})"])
    assert written.status == 1, written
    assert '403: {"message":"trioproxy: ImageList (GET /images/json) ' in str(written)
    return str(written)


def check_file(file: Path) -> None:
    """It is what the page says of it: its verdict, and what it grants."""
    (shown,) = WALK.of_kind("env")
    verdict, *_, granted = file.read_text().splitlines()
    assert [verdict, granted] == shown.text.splitlines()


def said(pattern: str) -> str:
    """What the page says in such words."""
    found = re.search(pattern, " ".join(WALK.prose.split()))
    assert found, pattern
    return found[0]
