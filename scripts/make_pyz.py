"""Write one file that is the whole program: make_pyz.py FOLDER FILE [INTERPRETER].

FOLDER has the package and all that it needs, as `pip install --target` leaves it; FILE runs
wherever there is a Python of 3.11 or newer, without pip (docs.python.org, "zipapp"). Beside each
source lies the bytecode of the Python that runs this script: the same version starts without
compiling, any other one takes the source.

The same folder gives the same bytes: names in order, one mode, the time of SOURCE_DATE_EPOCH.
That is why the archive is not made by `zipapp` itself, which takes times and order from the disk.
"""

import compileall
import os
import sys
import time
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

INTERPRETER = "/usr/bin/env python3"
MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("trioproxy: Python 3.11 or newer is needed, and this is " + sys.version.split()[0])

from trioproxy.__main__ import main

main()
"""


def main(folder: Path, file: Path, interpreter: str = INTERPRETER) -> None:
    """Compile what is in the folder, and pack it."""
    (folder / "__main__.py").write_text(MAIN, encoding="utf-8")
    compiled = compileall.compile_dir(
        folder,
        quiet=1,
        legacy=True,  # beside the source: there alone an importer of zips looks
        stripdir=folder,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        sys.exit("make_pyz.py: not all of it compiles")
    at = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    names = sorted(
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file()
    )
    with file.open("wb") as output:
        output.write(f"#!{interpreter}\n".encode())
        with zipfile.ZipFile(output, "w") as archive:
            for name in names:
                entry = zipfile.ZipInfo(name.as_posix(), at)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, (folder / name).read_bytes())
    file.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
