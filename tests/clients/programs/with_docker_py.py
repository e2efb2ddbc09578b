"""Uses docker-py as programs do, and prints what it saw."""

# docker-py has no types.
# mypy: disable-error-code="import-untyped"

import io
import sys
import tarfile
import time

import docker

# A response that docker-py leaves to the collector complains there, from Python 3.13 on.
sys.unraisablehook = lambda _: None

SCRIPT = ["sh", "-c", "echo out; echo err >&2; exit 3"]


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(repr, words)) + "\n")


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def run(client: docker.DockerClient) -> None:
    say(client.ping(), client.version()["ApiVersion"], client.info()["Driver"])
    say(client.containers.run("busybox", "echo hello", remove=True))
    try:
        client.containers.run("busybox", SCRIPT, remove=True)
    except docker.errors.ContainerError as error:
        say(error.exit_status, error.stderr)
    try:
        client.containers.get("nope")
    except docker.errors.NotFound as error:
        say(error.status_code, error.explanation)


def follow(client: docker.DockerClient) -> None:
    box = client.containers.run(
        "busybox", "sh -c 'echo one; read x; echo two'", stdin_open=True, detach=True
    )
    lines = box.logs(stream=True, follow=True)
    say(next(lines))
    sock = box.attach_socket(params={"stdin": 1, "stream": 1})
    sock._sock.sendall(b"go\n")
    say(b"".join(lines), box.wait()["StatusCode"])
    sock.close()
    # The Engine tells of a death after `wait` was answered, and sends the head of its events
    # before it listens itself: what happens in between is told to who asks since when.
    started = {"container": box.id, "event": "start"}
    since = f"{time.time():.6f}"
    events = client.events(since, decode=True, filters=started)
    box.start()
    say(next(events)["Action"])
    events.close()
    say(sorted(next(box.stats(stream=True, decode=True)))[:3])


def execute(client: docker.DockerClient) -> None:
    box = client.containers.run("busybox", "sleep 600", detach=True)
    # The Engine may lose what a command has said that ends at once (20 of 1,424).
    slow = "echo out; echo err >&2; sleep 0.2; exit 3"
    say(box.exec_run(["sh", "-c", slow], demux=True))
    # Output that comes in one read with the answer's head stays in a buffer of docker-py's,
    # and nobody reads that: it comes later here (1 of 210 through a proxy under load).
    slow = "sh -c 'sleep 0.2; seq 3; sleep 0.2'"
    say(b"".join(box.exec_run(slow, stream=True).output))
    _, sock = box.exec_run("cat", stdin=True, socket=True)
    sock._sock.sendall(b"echo\n")
    say(sock._sock.recv(8), sock._sock.recv(100))
    sock.close()
    big = bytes(20_000_000)
    say(box.put_archive("/tmp", archive("big", big)))
    chunks, stat = box.get_archive("/tmp/big")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        member = tar.extractfile("big")
        assert member is not None
        say(stat["size"], member.read() == big)
    say(box.top()["Titles"], box.diff() is not None)


def images(client: docker.DockerClient) -> None:
    context = io.BytesIO(b"FROM busybox\nRUN echo made >/made\n")
    image, lines = client.images.build(fileobj=context, tag="built", rm=True)
    say(
        [line["stream"].split()[0] for line in lines if line.get("stream", "").strip()][
            :2
        ]
    )
    say(client.containers.run("built", "cat /made", remove=True))
    saved = b"".join(image.save(named=True))
    client.images.remove("built")
    say([loaded.tags for loaded in client.images.load(saved)])
    say([one["Comment"] for one in client.images.get("busybox").history()])
    client.networks.create("net").remove()
    client.volumes.create("vol").remove()
    # Each that is listed is inspected, those too that every Engine has.
    shown = client.networks.list(greedy=True)
    say(sorted(one.name for one in shown), client.volumes.list())


if __name__ == "__main__":
    connected = docker.from_env()
    for part in (run, follow, execute, images):
        part(connected)
    connected.close()
