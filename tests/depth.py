"""How much a run looks at, where there is no end to what could be looked at.

`make test` looks at a share of it. `make test-deep`, a part of `make ci`, runs the tests
that are marked `deep` once more, with `DEPTH=deep`: these then look at all of it.
"""

import os

IS_DEEP = os.environ.get("DEPTH") == "deep"


def by_depth(usual: int, deep: int) -> int:
    """The one number, or in a deep run the other."""
    return deep if IS_DEEP else usual
