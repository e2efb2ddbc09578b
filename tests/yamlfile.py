"""YAML as data, read by the docker command: it is there, a library of Python's is not."""

import json
import textwrap
from typing import Any

from tests.engine import Engine


def read_yaml(engine: Engine, text: str) -> dict[str, Any]:
    """What a YAML document says, a mapping: it is read as an extension of a compose file."""
    file = "services: {}\nx-document:\n" + textwrap.indent(text, "  ")
    command = ("compose", "--file=-", "config", "--no-interpolate", "--format=json")
    ran = engine.docker(*command, input=file.encode())
    document: dict[str, Any] = json.loads(ran.output)["x-document"]
    return document
