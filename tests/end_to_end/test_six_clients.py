"""Six real clients of six kinds, all at once: learned by one process, and then held to it by one that reads its files again all the while."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from tests.depth import by_depth
from tests.end_to_end.proxies import TRIOPROXY, environment
from tests.engine import IMAGE, ScratchEngine
from tests.patience import PATIENCE

RUBY = """
require "excon"
# Debian's Excon has frozen the list that this version of docker-api adds a word to.
if Excon::VALID_REQUEST_KEYS.frozen?
  keys = Excon::VALID_REQUEST_KEYS.dup
  Excon.send(:remove_const, :VALID_REQUEST_KEYS)
  Excon::VALID_REQUEST_KEYS = keys
end
require "docker"
Docker::Network.all
"""
DOCKER_PY = """
import docker
client = docker.from_env()
client.volumes.create("six-py").remove()
client.close()
"""
AIODOCKER = """
import asyncio, aiodocker
async def main():
    async with aiodocker.Docker() as client:
        await client.images.list()
asyncio.run(main())
"""
CLIENTS = {
    "cli": ["docker", "run", "--rm", IMAGE, "true"],
    "compose": ["docker", "compose", "ls"],
    "docker-py": [sys.executable, "-c", DOCKER_PY],
    "aiodocker": [sys.executable, "-c", AIODOCKER],
    "ruby": ["ruby", "-e", RUBY],
    "skopeo": ["skopeo", "inspect", f"docker-daemon:{IMAGE}"],
}
LISTS = {
    "compose": "/containers/json",
    "aiodocker": "/images/json",
    "ruby": "/networks",
}
"""What three of them list, and nobody else does."""


class Six:
    """The clients, each with a socket of its own."""

    def __init__(self, engine: ScratchEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.wrong: list[str] = []

    def listeners(self) -> list[str]:
        """Options for a listener of each."""
        urls = (
            f"unix://{self.folder}/{name}.sock?policy={self.folder}/{name}.env"
            for name in CLIENTS
        )
        return [word for url in urls for word in ("--listen", url)]

    def work(self, name: str) -> None:
        """Let a client do what it does."""
        url = f"unix://{self.folder}/{name}.sock"
        more = ["--daemon-host", url] if name == "skopeo" else []
        ran = subprocess.run(
            [*CLIENTS[name], *more],
            env=environment({"DOCKER_HOST": url, "HOME": str(self.folder)}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if ran.returncode:
            self.wrong.append(f"{name}: {ran.stderr}")

    def ask(self, name: str) -> None:
        """Ask at a client's socket for what it uses, and for what others use."""
        for other, target in LISTS.items():
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(f"{self.folder}/{name}.sock")
                sock.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
                said = b"".join(iter(lambda: sock.recv(65536), b""))
            status = int(said.split()[1])
            if status != (200 if name == other else 403):
                self.wrong.append(f"{name} asked for {target}: {status}")

    def at_once(self, rounds: int, *, asks: bool) -> None:
        """All of them at once, each so many times."""

        def of_one(name: str) -> None:
            for _ in range(rounds):
                self.work(name)
                if asks:
                    self.ask(name)

        with ThreadPoolExecutor(len(CLIENTS)) as pool:
            list(pool.map(of_one, CLIENTS))


@contextmanager
def running(six: Six, *words: str, word: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with all six listeners; it has to end well."""
    process = subprocess.Popen(
        [*TRIOPROXY, *words, *six.listeners(), "--upstream", six.engine.url],
        stderr=subprocess.PIPE,
        text=True,
        env=environment({}),
    )
    assert process.stderr is not None
    log = list[str]()
    for line in process.stderr:
        log.append(line)
        if word in line:
            break
    reader = threading.Thread(target=log.extend, args=(process.stderr,))
    reader.start()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE)
        reader.join()
        process.stderr.close()
    assert status == 0, log
    assert not [one for one in log if "reload-failed" in one or " crash " in one]


def granted(file: Path) -> list[str]:
    """What a file grants, without what it says of that, and whose it is."""
    lines = file.read_text().splitlines()
    return [one for one in lines if not one.startswith(("#", "ONLY_OWNER="))]


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.deep
def test_six_clients_are_learned_and_confined(
    scratch: ScratchEngine, tmp_path: Path
) -> None:
    """One learner writes a file for each, which is what that client alone is learned as; behind one `enforce` none is refused what is its own, and none has what is another's, while all six files are read again and again."""
    six = Six(scratch, tmp_path)
    output = f"{tmp_path}/{{client}}.env"
    with running(six, "learn", "--quiet", "-o", output, word="listening on"):
        six.at_once(2, asks=False)
    assert not six.wrong
    together = {name: granted(tmp_path / f"{name}.env") for name in CLIENTS}
    alone = Six(scratch, tmp_path / "alone")
    alone.folder.mkdir()
    for name in CLIENTS:
        with running(
            alone, "learn", "--quiet", "-o", f"{alone.folder}/{{client}}.env",
            word="listening on",
        ):  # fmt: skip
            alone.work(name)
            alone.work(name)
        assert granted(alone.folder / f"{name}.env") == together[name]
    over = threading.Event()
    reloads = 0

    def reload(process: subprocess.Popen[str]) -> None:
        nonlocal reloads
        file = tmp_path / "compose.env"
        plain = file.read_text()
        for text in cycle((plain.rstrip("\n") + ",SystemVersion\n", plain)):
            if over.is_set():
                return
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").rename(file)
            process.send_signal(signal.SIGHUP)
            reloads += 1
            over.wait(0.05)

    with running(six, "enforce", word=" start ") as process:
        reloading = threading.Thread(target=reload, args=(process,))
        reloading.start()
        six.at_once(by_depth(2, 10), asks=True)
        over.set()
        reloading.join()
    assert not six.wrong
    assert reloads > by_depth(5, 25)
