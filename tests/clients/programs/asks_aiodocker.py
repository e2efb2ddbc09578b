"""Asks by aiodocker for what there is, and prints it: a line of JSON for each question."""

# aiodocker is typed in part.
# mypy: disable-error-code="no-untyped-call,arg-type"

import asyncio
import json
import sys
from typing import Any

import aiodocker


async def events(client: aiodocker.Docker, given: dict[str, Any]) -> list[object]:
    subscriber = client.events.subscribe(create_task=False)
    params = {**given, "filters": json.dumps(given["filters"])}
    asking = asyncio.ensure_future(client.events.run(**params))
    found = list[object]()
    while (event := await subscriber.get()) is not None:
        found.append({**event, "time": int(event["time"].timestamp())})
    await asking
    return found


async def answer(  # noqa: C901, PLR0911, PLR0912  a question each
    client: aiodocker.Docker, what: str, given: dict[str, Any]
) -> object:
    filters = given.get("filters", {})
    match what:
        case "containers" | "summaries":
            params: dict[str, Any] = {k: int(v) for k, v in given.items() if k != "filters"}  # fmt: skip
            if filters:
                params["filters"] = json.dumps(filters)
            listed = await client.containers.list(**params)
            if what == "containers":
                return [await one.show() for one in listed]
            return [one._container for one in listed]
        case "networks":
            return await client.networks.list(filters=filters or None)
        case "volumes":
            return (await client.volumes.list(filters=filters or None))["Volumes"]
        case "events":
            return await events(client, given)
        case "prune":
            return await client.containers.prune(filters=filters or None)
        case "container":
            return await (await client.containers.get(given["id"])).show()
        case "network":
            return await (await client.networks.get(given["id"])).show()
        case "volume":
            return await (await client.volumes.get(given["id"])).show()
        case _:
            raise AssertionError(what)


async def main() -> None:
    client = aiodocker.Docker()
    for line in sys.stdin:
        what, given = json.loads(line)
        try:
            told = await answer(client, what, given)
        except aiodocker.exceptions.DockerError as error:
            told = {"status": error.status}
        sys.stdout.write(json.dumps(told) + "\n")
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
