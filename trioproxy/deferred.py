"""Modules that trio imports and a plain socket proxy never uses.

`ssl` and `hmac` bring libcrypto: a fifth of the idle memory. Deferred, a module is
loaded when somebody first asks for something in it; until then it is a name.
"""

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
    "tempfile",
)


class Deferred(ModuleType):
    """Stands for a module until an attribute of it is wanted."""

    def __getattr__(self, name: str) -> object:
        """Load the module that it stands for, and answer as that does."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def defer(*names: str) -> None:
    """Put off loading modules; those that are loaded already stay."""
    for name in names:
        spec = importlib.util.find_spec(name) if name not in sys.modules else None
        if spec is not None:
            module = Deferred(name)
            module.__spec__ = spec
            sys.modules[name] = module
