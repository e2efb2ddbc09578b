"""What of an argument may be kept: in evidence, in a file, for good.

Clients write secrets into places that limit something: the password of a CIFS share into
the options of a volume, the token of a log server into those of a driver, user and query
into an address. What is judged is forgotten with its request; what is learned is written
down and read by many. So a value is kept only where it is a name, a path, an image or a
port, or a word that is known; of all else the name of its place is kept, which as an item
of a list allows any value there; and of what no list can hold, nothing.
"""

from collections.abc import Container, Iterable

from trioproxy.api.arguments import Argument
from trioproxy.api.families import BASE, PROJECT, TMP, Places
from trioproxy.limits.sorts import NOT_KEPT, Varies, listable, sort_of


def kept(argument: Argument) -> str:
    """Give the item that lists a value and may be kept, or `NOT_KEPT`."""
    return listable(argument.variable, argument.value)


def kept_name(names: Iterable[str], known: Container[str]) -> str:
    """Give the name that stands for an image that was given by its id, or `NOT_KEPT`.

    One that is known from other requests, else the first of those with a tag.
    """
    tagged = sorted(one for one in names if "@" not in one)
    return next((one for one in tagged if one in known), (*tagged, NOT_KEPT)[0])


def as_moving(variable: str, item: str, places: Places) -> str:
    """Write a path of the host below one of the folders, the inner one first, as
    `{base}/...` or `{tmp}/...`, and an image that Compose named by its project."""
    if variable == "CREATE_BINDS":
        path, mark, mode = item.partition(":")
        folders = ((BASE, places.base), (TMP, places.tmp))
        for hole, folder in sorted(folders, key=lambda one: -len(one[1])):
            if folder and f"{path}/".startswith(f"{folder}/"):
                return f"{hole}{path.removeprefix(folder)}{mark}{mode}"
    elif item and places.project and sort_of(variable).varies is Varies.IMAGE:
        rest = item.removeprefix(places.project)
        if rest != item and rest[:1] in {"-", "_"} and "/" not in rest:
            return f"{PROJECT}{rest}"
    return item
