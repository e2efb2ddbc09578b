"""Runs a command until it has said a line, says that too, and kills it."""

import subprocess
import sys

if __name__ == "__main__":
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sys.stdout.write(process.stdout.readline())
        process.kill()
