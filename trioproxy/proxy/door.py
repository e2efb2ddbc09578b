"""The one door through which all code comes that decides, before the first request does.

Who serves imports this when the listeners are bound, so that nobody waits for them, and
before anybody is accepted: so no request waits for what it is the first to need, and a
program that is replaced on disk while it runs (`pip install -U`) goes on as the one that
was started. All of it is 0.6 MB more than a policy without limits would do with.

A test holds this to the imports inside functions of the rooms that decide. What is
Python's own stays where it is: `hashlib` alone is a fifth of the idle memory.
"""

import trioproxy.api.arguments
import trioproxy.api.decoding
import trioproxy.api.fields
import trioproxy.api.normal
import trioproxy.api.query
import trioproxy.api.reading
import trioproxy.http.jsonbody
import trioproxy.http.tar
import trioproxy.judge.fills
import trioproxy.judge.meaning
import trioproxy.judge.naming
import trioproxy.judge.references
import trioproxy.limits.inspected
import trioproxy.limits.lookup
import trioproxy.limits.patterns
import trioproxy.limits.places
import trioproxy.limits.sorts
import trioproxy.limits.things
import trioproxy.proxy.resolve  # noqa: F401
