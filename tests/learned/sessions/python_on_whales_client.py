"""What programs do with python-on-whales, which runs the docker CLI for them."""

from pathlib import Path

from python_on_whales import DockerException, docker

COMPOSE = """\
services:
  web:
    image: busybox
    command: sleep 600
    init: true
"""


def look() -> None:
    """What a monitor asks."""
    docker.version()
    docker.system.info()
    docker.system.disk_free()
    (staged,) = docker.container.list(filters=[("label", "staged=yes")])
    assert staged.state.running
    docker.container.logs("staged", tail=1)
    docker.container.stats(["staged"])
    docker.container.diff("staged")
    docker.image.list()
    docker.image.inspect("busybox")


def work() -> None:
    """The life of a container."""
    assert docker.run("busybox", ["echo", "hello"], remove=True) == "hello"
    once = docker.run("busybox", ["echo", "hello"], detach=True)
    assert list(docker.logs(once, follow=True, stream=True)) == [("stdout", b"hello\n")]
    once.remove()
    assert failure("false") == 1
    box = docker.run(
        "busybox",
        ["sleep", "600"],
        detach=True,
        init=True,
        name="box",
        labels={"a": "b"},
        envs={"A": "b"},
        volumes=[("kept", "/kept")],
        publish=[("127.0.0.1:8766", 80)],
        memory="64m",
    )
    assert box.execute(["echo", "hello"]) == "hello"
    Path("file").write_text("hello")
    docker.copy("file", (box, "/tmp/file"))
    docker.copy((box, "/tmp/file"), "back")
    assert Path("back").read_text() == "hello"
    box.pause()
    box.unpause()
    docker.update(box, memory="96m", memory_swap="96m")
    docker.rename(box, "boxed")
    docker.restart(box, time=1)
    box.kill()
    docker.wait(box)
    box.start()
    box.stop(time=1)
    box.remove(volumes=True)
    docker.volume.remove("kept")


def failure(command: str) -> int:
    """The status with which a command ends in a container."""
    try:
        docker.run("busybox", [command], remove=True)
    except DockerException as error:
        return int(error.return_code)
    return 0


def keep() -> None:
    """Images, networks and volumes."""
    docker.image.tag("busybox", "tagged:1")
    docker.image.save("tagged:1", output="saved.tar")
    docker.image.remove("tagged:1")
    docker.image.load("saved.tar")
    docker.image.remove("tagged:1")
    with docker.network.create("net", labels={"a": "b"}) as network:
        docker.network.connect(network, "staged")
        network.reload()
        docker.network.disconnect(network, "staged")
    docker.network.list()
    docker.volume.create("vol", labels={"a": "b"})
    docker.volume.list(filters=[("name", "vol")])
    docker.volume.remove("vol")


def compose() -> None:
    """A project of Compose."""
    Path("compose.yml").write_text(COMPOSE)
    docker.compose.up(detach=True)
    (web,) = docker.compose.ps()
    assert web.state.running
    assert docker.compose.execute("web", ["echo", "hello"], tty=False) == "hello"
    docker.compose.logs()
    docker.compose.down(volumes=True, timeout=1)


if __name__ == "__main__":
    for part in (look, work, keep, compose):
        part()
