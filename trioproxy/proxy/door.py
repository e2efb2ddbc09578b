"""The one door through which all code comes that decides, before the first request does.

Most of it the server itself imports. The rest, which is for lists and what they mean, takes a
tenth of a start: it is imported when the listeners are bound, so that nobody waits for them,
and before anybody is accepted. So no request waits for what it is the first to need, and a
program that is replaced on disk while it runs (`pip install -U`) goes on as the one that
was started.

A test holds this to the imports inside functions of the rooms that decide. What is
Python's own stays where it is: `hashlib` alone is a fifth of the idle memory.
"""

import trioproxy.http.tar
import trioproxy.judge.meaning
import trioproxy.limits.lookup
import trioproxy.limits.places
import trioproxy.limits.sorts  # noqa: F401
from trioproxy.api.routes import compile_dockers

compile_dockers()
