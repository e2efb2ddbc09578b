"""Modules that trio and click import and a plain socket proxy never uses.

`ssl` and `hmac` bring libcrypto: a fifth of the idle memory. Deferred, a module is
loaded when somebody first asks for something in it; until then it is a name.

Two are asked while they are imported, and never again: those have a stand-in that answers.
"""

import ctypes
import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Final

UNUSED: Final = (
    "bz2",
    "hmac",
    "idna",
    "lzma",
    "shutil",
    "ssl",
    "subprocess",
    "tempfile",
    "tokenize",
)


class Deferred(ModuleType):
    """Stands for a module until an attribute of it is wanted."""

    def __getattr__(self, name: str) -> object:
        """Load the module that it stands for, and answer as that does.

        `from module import name` asks first whether it is a package, which is known.
        """
        spec = self.__spec__
        if (
            name == "__path__"
            and spec is not None
            and not spec.submodule_search_locations
        ):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class Untranslated(Deferred):
    """Stands for `gettext`, whom click asks for each of its texts.

    click has no words in other languages. But each question looks for some on the disk, and the
    first one loads the names of all languages there are: a seventh of a megabyte.
    """

    @staticmethod
    def gettext(message: str) -> str:
        """The text itself."""
        return message

    @staticmethod
    def ngettext(one: str, many: str, count: int) -> str:
        """The text for a number of things."""
        return one if count == 1 else many


class NoLibrary(Deferred):
    """Stands for `ctypes.util`, whom trio asks at each start where libpthread is.

    That runs `ldconfig`, and `gcc` where there is none, to give threads their names in `top`.
    Where libpthread is not found trio goes without.
    """

    @staticmethod
    def find_library(_name: str) -> None:
        """No file."""
        return


def put_off() -> None:
    """Put off all that is not used. Call it before click and trio are imported."""
    for name in UNUSED:
        _stand_in(name, Deferred)
    _stand_in("gettext", Untranslated)
    if _stand_in("ctypes.util", NoLibrary):
        ctypes.util = sys.modules["ctypes.util"]  # type: ignore[attr-defined]


def _stand_in(name: str, kind: type[Deferred]) -> bool:
    """Let another stand for a module, unless it is loaded already."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is not None:
        module = kind(name)
        module.__spec__ = spec
        sys.modules[name] = module
    return spec is not None
