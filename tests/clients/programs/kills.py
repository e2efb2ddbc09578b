"""Runs a command until it has said a line, kills it, and says that line too."""

import subprocess
import sys

if __name__ == "__main__":
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()  # first: who reads the line ends our input, and so the command's
    sys.stdout.write(line)
