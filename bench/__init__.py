"""The benchmark: trioproxy beside HAProxy and no proxy, in one interleaved run.

Read in this order: `scenarios` (what is measured), `contenders` (who), `upstreams`
(against what), `rounds` (in which order), `report` (medians, ratios, floors). `python
-m bench --help` lists the options; docs/performance.md has a run. On a machine that is
busy with something else `python -m bench.beside TREE` compares CPU times of two trees.
"""

import signal
import sys

# What is made for a while is removed, also where `timeout` ends it.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
