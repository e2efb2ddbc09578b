"""What programs do with docker-py."""

import io
import tarfile
import time

import docker  # type: ignore[import-untyped]  # it has no types


def look(client: docker.DockerClient) -> None:
    """What a monitor asks."""
    client.ping()
    client.version()
    client.info()
    client.df()
    staged = client.containers.get("staged")
    client.containers.list(all=True, filters={"label": "staged"})
    staged.logs(tail=1)
    next(staged.logs(stream=True, follow=True))
    staged.top()
    staged.diff()
    staged.stats(stream=False)
    next(staged.stats(decode=True))
    client.images.list()
    client.images.get("busybox").history()


def work(client: docker.DockerClient) -> None:
    """The life of a container."""
    client.containers.run("busybox", ["echo", "hello"], remove=True)
    box = client.containers.run(
        "busybox", ["sleep", "600"], detach=True, init=True, name="box"
    )
    box.exec_run("echo hello")
    box.exec_run("cat", socket=True, stdin=True).output.close()
    box.put_archive("/tmp", archive("a", b"hello"))
    b"".join(box.get_archive("/tmp/a")[0])
    box.pause()
    box.unpause()
    box.update(mem_limit="64m", memswap_limit="64m")
    box.rename("boxed")
    box.restart(timeout=1)
    box.commit("committed", "1")
    box.kill()
    box.wait()
    box.start()
    box.reload()
    box.stop(timeout=1)
    box.remove(v=True)
    client.containers.prune()


def keep(client: docker.DockerClient) -> None:
    """Images, networks and volumes."""
    client.images.get("busybox").tag("tagged", "1")
    dockerfile = io.BytesIO(b"FROM busybox\nRUN echo hello\n")
    client.images.build(fileobj=dockerfile, tag="built:1")
    saved = b"".join(client.images.get("built:1").save(named=True))
    client.images.load(saved)
    for name in ("tagged:1", "built:1", "committed:1"):
        client.images.remove(name)
    client.images.prune()
    network = client.networks.create("net", labels={"a": "b"})
    network.connect("staged")
    client.networks.list(names=["net"])
    client.networks.get(network.id)
    network.disconnect("staged")
    network.remove()
    client.volumes.create("vol")
    client.volumes.list()
    client.volumes.get("vol").remove()


def follow(client: docker.DockerClient) -> None:
    """Events, as they come."""
    # The network may be there before the stream is.
    since = int(time.time())
    events = client.events(since, decode=True, filters={"type": "network"})
    client.networks.create("seen").remove()
    next(events)
    events.close()


def archive(name: str, content: bytes) -> bytes:
    """A tar archive of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    docker_client = docker.from_env()
    for part in (look, work, keep, follow):
        part(docker_client)
