"""Which versions of its API an Engine takes, and what is said of a client that is older.

Docker 29 takes 1.44 and newer, and answers all else with 400. Such a client works nowhere,
so nothing that a policy grants would help it.
"""

import re
from collections.abc import Mapping
from typing import Final

_VERSION: Final = re.compile(r"1\.([1-9][0-9]{1,2})", re.ASCII)


def oldest_of(answer: object) -> str:
    """The oldest version that an Engine takes, by its answer to `GET /version`: `1.44`.

    Empty where it does not say.
    """
    said = answer.get("MinAPIVersion") if isinstance(answer, Mapping) else None
    return said if isinstance(said, str) and _VERSION.fullmatch(said) else ""


def is_older(version: str, oldest: str) -> bool:
    """Whether a request's version, `1.41` or `/v1.41`, is older than that; both known."""
    asked, taken = map(_VERSION.fullmatch, (version.removeprefix("/v"), oldest))
    return asked is not None and taken is not None and int(asked[1]) < int(taken[1])


def too_old(oldest: str) -> str:
    """What a person is told of a request that names an older version."""
    return (
        f"fails without a proxy too: the Engine takes {oldest} and newer;"
        " set DOCKER_API_VERSION"
    )
