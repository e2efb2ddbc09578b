import subprocess
import sys

import pytest

SERVE = (
    "from trioproxy.deferred import UNUSED, put_off\n"
    "put_off()\n"
    "import sys, trioproxy.commands.enforce\n"
)
USES = {
    "ssl": "import ssl; print(ssl.create_default_context().check_hostname)",
    "ssl-from": "from ssl import SSLContext; import ssl; print(SSLContext is ssl.SSLContext)",
    "hmac": "import hmac; print(hmac.compare_digest(b'a', b'a'))",
    "idna": "from idna import encode; print(encode('bücher.de') == b'xn--bcher-kva.de')",
    "subprocess": "import subprocess; print(subprocess.run(['true']).returncode == 0)",
    "gettext": "import gettext; print(gettext.translation('none', fallback=True).gettext('a') == 'a')",
    "ctypes.util": "import ctypes.util; print(bool(ctypes.util.test))",
    "trio": "import trio, ssl; print(trio.SSLStream(None, ssl.create_default_context(), server_hostname='a') is not None)",
}


def run(program: str) -> str:
    """What a Python process of its own prints."""
    command = [sys.executable, "-c", SERVE + program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_serving_does_not_load_the_crypto_library() -> None:
    """What enforcing imports leaves libcrypto on the disk."""
    assert run("print('libcrypto' in open('/proc/self/maps').read())") == "False\n"


def test_what_is_put_off_is_not_loaded() -> None:
    """Each module of the table stands for itself still when all that enforces is here."""
    program = "print(*(n for n in UNUSED if type(sys.modules[n]) is type(sys)))"
    assert run(program) == "\n"


def test_starting_runs_no_other_program() -> None:
    """trio asks `ldconfig` for a library at each start, and a start from here does not."""
    trace = "import sys; sys.addaudithook(lambda name, _: name in {'subprocess.Popen', 'os.posix_spawn', 'os.fork'} and print(name))\n"
    command = [sys.executable, "-c", trace + SERVE]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    plain = subprocess.run(
        [sys.executable, "-c", f"{trace}import trio"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert plain.stdout, "trio has changed: the stand-in for ctypes.util can go"


def test_no_language_is_looked_for() -> None:
    """click says its texts as they are, and no catalogue of words is loaded."""
    assert (
        run(
            "print('locale' in sys.modules, sys.modules['gettext'].ngettext('a', 'b', 2))"
        )
        == "False b\n"
    )


@pytest.mark.parametrize("program", USES.values(), ids=USES.keys())
def test_a_deferred_module_works(program: str) -> None:
    """Whoever asks for something in a deferred module gets it."""
    assert run(program) == "True\n"
