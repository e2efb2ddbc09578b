"""Prints a line for each container that it is shown."""

import docker

client = docker.from_env()
for one in client.containers.list():
    memory = one.stats(stream=False)["memory_stats"].get("usage", 0)
    said = one.logs(tail=1).decode().strip()
    environment = " ".join(one.attrs["Config"]["Env"] or [])
    line = f"{one.name} {one.status} {memory // 1024} KiB; {said}; {environment}"
    print(line)
