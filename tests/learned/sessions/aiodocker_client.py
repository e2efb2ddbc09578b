"""What programs do with aiodocker."""

# mypy: ignore-errors
# What it says of aiodocker depends on whether it is there: it has a venv of its own.

import asyncio
import io
import tarfile
import time

import aiodocker


async def look(docker: aiodocker.Docker) -> None:
    """What a monitor asks."""
    await docker.version()
    await docker.system.info()
    staged = await docker.containers.get("staged")
    await docker.containers.list(all=True, filters={"label": ["staged"]})
    await staged.show()
    await staged.log(stdout=True, tail=1)
    async for _ in staged.log(stdout=True, follow=True):
        break
    await staged.stats(stream=False)
    await docker.images.list()
    await docker.images.inspect("busybox")


async def work(docker: aiodocker.Docker) -> None:
    """The life of a container."""
    box = await docker.containers.run(
        {"Image": "busybox", "Cmd": ["sleep", "600"], "HostConfig": {"Init": True}},
        name="box",
    )
    execution = await box.exec(["echo", "hello"])
    async with execution.start(detach=False) as stream:
        assert (await stream.read_out()).data == b"hello\n"
    await execution.inspect()
    await box.put_archive("/tmp", archive("a", b"hello"))
    await box.get_archive("/tmp/a")
    await box.restart(timeout=1)
    await box.kill()
    await box.wait()
    await box.start()
    await box.stop(t=1)
    await box.delete(v=True)


async def keep(docker: aiodocker.Docker) -> None:
    """Images, networks and volumes."""
    await docker.images.tag("busybox", "tagged", tag="1")
    await docker.images.delete("tagged:1")
    network = await docker.networks.create({"Name": "net"})
    await network.connect({"Container": "staged"})
    await docker.networks.list()
    await network.show()
    await network.disconnect({"Container": "staged"})
    await network.delete()
    volume = await docker.volumes.create({"Name": "vol"})
    await docker.volumes.list()
    await volume.show()
    await volume.delete()


async def follow(docker: aiodocker.Docker) -> None:
    """Events, as they come."""
    # The network may be there before the stream is.
    events = docker.events.subscribe(since=int(time.time()))
    network = await docker.networks.create({"Name": "seen"})
    assert await events.get()
    await network.delete()


def archive(name: str, content: bytes) -> bytes:
    """A tar archive of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


async def main() -> None:
    """All of it, one after the other."""
    async with aiodocker.Docker() as docker:
        for part in (look, work, keep, follow):
            await part(docker)


if __name__ == "__main__":
    asyncio.run(main())
