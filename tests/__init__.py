"""The tests, and the programs that measure, record and learn: `python -m tests.cost`."""

import signal
import sys

# What is made for a while is removed, also where `timeout` ends one of those.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
