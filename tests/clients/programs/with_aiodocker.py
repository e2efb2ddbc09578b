"""Uses aiodocker as programs do, and prints what it saw."""

# aiodocker is typed in part.
# mypy: disable-error-code="no-untyped-call,arg-type"

import asyncio
import io
import sys
import tarfile
import time

import aiodocker

KEEP = {"Image": "busybox", "Cmd": ["sleep", "600"]}
ECHO = {
    "Image": "busybox",
    "Cmd": ["cat"],
    "OpenStdin": True,
    "AttachStdin": True,
    "AttachStdout": True,
    "StdinOnce": True,
}


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(repr, words)) + "\n")


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


async def execute(client: aiodocker.Docker) -> None:
    box = await client.containers.run(KEEP)
    command = await box.exec(["sh", "-c", "echo out; echo err >&2; sleep 0.2; exit 3"])
    async with command.start(detach=False) as stream:
        messages = []
        while (message := await stream.read_out()) is not None:
            messages.append((message.stream, message.data))
        say(sorted(messages))
    say((await command.inspect())["ExitCode"])
    await box.put_archive("/tmp", archive("big", bytes(10_000_000)))
    say((await box.get_archive("/tmp/big")).getmembers()[0].size)
    await box.delete(force=True)


async def attach(client: aiodocker.Docker) -> None:
    box = await client.containers.create(ECHO)
    async with box.attach(stdin=True, stdout=True, stderr=True) as stream:
        await box.start()
        await stream.write_in(b"echo\n")
        message = await stream.read_out()
        assert message is not None
        say(message.data)
    await box.delete(force=True)


async def websocket(client: aiodocker.Docker) -> None:
    box = await client.containers.create(ECHO)
    await box.start()
    socket = await box.websocket(stdin=True, stdout=True, stderr=True, stream=True)
    await socket.send_bytes(b"echo\n")
    say((await socket.receive()).data)
    await socket.close()
    await box.delete(force=True)


async def follow(client: aiodocker.Docker) -> None:
    # The container may have been started before the stream is there.
    events = client.events.subscribe(since=f"{time.time():.6f}")
    box = await client.containers.run(
        {"Image": "busybox", "Cmd": ["sh", "-c", "echo one; sleep 600"]}, name="box"
    )
    while (event := await events.get()) is not None and event["Action"] != "start":
        pass
    say(event and event["Actor"]["Attributes"]["name"])
    async for line in box.log(stdout=True, follow=True):
        say(line)
        break
    await box.kill()
    say(await box.wait())
    await box.delete()


async def images(client: aiodocker.Docker) -> None:
    context = io.BytesIO(archive("Dockerfile", b"FROM busybox\nRUN echo made\n"))
    lines = [
        line
        async for line in client.images.build(
            fileobj=context, encoding="identity", tag="built", stream=True
        )
    ]
    say([line["stream"] for line in lines if "Step" in line.get("stream", "")])
    async with client.images.export_image("built") as exported:
        say(len(await exported.read()) > 1_000_000)
    try:
        await client.images.inspect("nope")
    except aiodocker.DockerError as error:
        say(error.status, error.message)


async def main() -> None:
    async with aiodocker.Docker() as client:
        say((await client.version())["ApiVersion"])
        for part in (execute, attach, websocket, follow, images):
            await part(client)


if __name__ == "__main__":
    asyncio.run(main())
