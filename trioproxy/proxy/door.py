"""The one door through which all code comes that decides, before the first request does.

What judges bodies, names and files is imported where it is used, for commands that judge
nothing; and who serves imports this, when the listeners are bound and before anybody is
accepted. So no request waits for what it is the first to need, and a program that is
replaced on disk while it runs (`pip install -U`) goes on as the one that was started.

A test holds this to the imports inside functions of the rooms that decide. What is
Python's own stays where it is: `hashlib` alone is a fifth of the idle memory.

Loading leaves the C library with memory that nobody uses: as much as what was loaded takes.
`give_back` gives that to the system.
"""

import ctypes  # which Trio has loaded already
from contextlib import suppress

import trioproxy.arguments.asked
import trioproxy.arguments.asking
import trioproxy.arguments.bodies
import trioproxy.arguments.fills
import trioproxy.arguments.inspected
import trioproxy.arguments.lookup
import trioproxy.arguments.naming
import trioproxy.arguments.normal
import trioproxy.arguments.patterns
import trioproxy.arguments.places
import trioproxy.arguments.query
import trioproxy.arguments.references
import trioproxy.arguments.root
import trioproxy.arguments.table
import trioproxy.arguments.things
import trioproxy.http.jsonbody
import trioproxy.http.tar
import trioproxy.policy.meaning
import trioproxy.proxy.resolve  # noqa: F401


def give_back() -> None:
    """Give memory back that loading took for a while; C libraries that cannot, keep it."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
