"""The one door through which all code comes that decides, before the first request does.

What judges bodies, names and files is imported where it is used, for whoever limits none of
that; and who serves by a policy that does imports this, when the listeners are bound and
before anybody is accepted, or at the reload that brings it. So no request waits for what it
is the first to need, and a program that is replaced on disk while it runs (`pip install -U`)
goes on as the one that was started.

A test holds this to the imports inside functions of the rooms that decide. What is
Python's own stays where it is: `hashlib` alone is a fifth of the idle memory.
"""

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
