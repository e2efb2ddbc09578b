"""Asks by docker-py for what there is, and prints it: a line of JSON for each question."""

# docker-py has no types.
# mypy: disable-error-code="import-untyped"

import json
import sys
from typing import Any

import docker


def answer(  # noqa: PLR0911  a question each
    client: docker.DockerClient, what: str, given: dict[str, Any]
) -> object:
    match what:
        case "containers":
            return [one.attrs for one in client.containers.list(**given)]
        case "summaries":
            return client.api.containers(**given)
        case "networks":
            return [one.attrs for one in client.networks.list(**given)]
        case "volumes":
            return [one.attrs for one in client.volumes.list(**given)]
        case "events":
            return list(client.events(decode=True, **given))
        case "prune":
            return client.containers.prune(**given)
        case "container":
            return client.containers.get(given["id"]).attrs
        case "network":
            return client.networks.get(given["id"]).attrs
        case "volume":
            return client.volumes.get(given["id"]).attrs
        case _:
            raise AssertionError(what)


def main() -> None:
    client = docker.from_env()
    for line in sys.stdin:
        what, given = json.loads(line)
        try:
            told = answer(client, what, given)
        except docker.errors.APIError as error:
            told = {"status": error.status_code}
        sys.stdout.write(json.dumps(told) + "\n")
    client.close()


if __name__ == "__main__":
    main()
