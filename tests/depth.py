"""How much a run looks at, where there is no end to what could be looked at.

`make test`, or who runs a file of tests, looks at a share of it. `make test-deep`, a part of
`make ci`, runs the tests that are marked `deep` with `DEPTH=deep`: these then look at all of
it, but for what takes an hour or two and has a target of its own, with `DEPTH=whole`.
"""

import os

IS_WHOLE = os.environ.get("DEPTH") == "whole"
IS_DEEP = IS_WHOLE or os.environ.get("DEPTH") == "deep"


def by_depth(usual: int, deep: int, whole: int = 0) -> int:
    """The one number, in a deep run the other, and a third one where all is looked at."""
    if IS_WHOLE and whole:
        return whole
    return deep if IS_DEEP else usual
