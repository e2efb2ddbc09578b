"""The Engine as an attacker would have it: what is there, and what it says of that.

It has what the attack made so far, by what went on, and some things of somebody else's. It
answers what the judging needs to know in the way of `proxy.resolve`, in the Engine's own
JSON, read by the same readers.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from trioproxy.api.arguments import map_of, structs_of, text_of, texts_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import OBJECTS, Kind
from trioproxy.judge.gate import Gate
from trioproxy.judge.references import Reference
from trioproxy.limits.marks import OWNER_LABEL
from trioproxy.limits.things import ENGINE, NOT_FOUND, Known, Missing, Thing, describe

_INFO: Final[Json] = {
    "DefaultRuntime": "runc",
    "Runtimes": {"runc": {"path": "runc"}},
    "SecurityOptions": ["name=seccomp,profile=builtin"],
}
"""What an Engine that nobody changed says of itself."""


class Arranged:
    """An Engine that an attack has for itself."""

    def __init__(self, gate: Gate) -> None:
        self._things = {kind: dict[str, dict[str, Json]]() for kind in OBJECTS.values()}
        self.container_of_exec = ""
        objects = gate.objects
        self._own: dict[str, Json] = {OWNER_LABEL: objects.owner} if objects else {}

    def make(self, kind: Kind, name: str, body: Mapping[str, Json]) -> None:
        """Have a thing, by the body of its creation, and what that brings along."""
        labels: Json = body.get("Labels") or {}
        value: dict[str, Json] = {"Id": id_of(name), "Name": name, "Labels": labels}
        if kind is Kind.VOLUME:
            value["Driver"] = body.get("Driver") or "local"
            value["Options"] = body.get("DriverOpts")
        if kind is Kind.CONTAINER:
            host = map_of(body.get("HostConfig"))
            mounts = [*_mounted(host)]
            config = {key: one for key, one in body.items() if key != "HostConfig"}
            value["Name"] = f"/{name}"
            value["Config"] = {**config, "Labels": labels}
            value["HostConfig"] = dict(host)
            value["Image"] = f"sha256:{id_of('image')}"
            value["Mounts"] = list[Json](mounts)
            for one in mounts:
                volume = text_of(one["Name"])
                if volume not in self._things[Kind.VOLUME]:
                    # It went on as the client's own, where that counts (`NeedMade`).
                    self.make(Kind.VOLUME, volume, {**one, "Labels": self._own})
        self._things[kind][name] = value

    def mount(self, volume: str) -> None:
        """Have a volume in the container that was made last."""
        last = [*self._things[Kind.CONTAINER].values()][-1]
        last["Mounts"] = [{"Type": "volume", "Name": volume}]

    def known(self, references: Iterable[Reference]) -> Known:
        """What it has under these names, and what that has where it is reached into."""
        known = dict[tuple[Kind, str], Thing | Missing]()
        for one in references:
            known[one.kind, one.text] = thing = self._found(one)
            if not isinstance(thing, Thing):
                continue
            if one.reaches:
                known.setdefault(ENGINE, self._look_up(*ENGINE))
            for _, kind, name in one.leads_to(thing, known):
                known.setdefault((kind, name), self._look_up(kind, name))
        return known

    def _found(self, one: Reference) -> Thing | Missing:
        thing = one.thing or self._look_up(one.kind, one.text)
        if isinstance(thing, Missing) and one.makes is not None and self._own:
            options = one.makes.get("DriverOpts")
            value: Json = {**one.makes, "Labels": self._own, "Options": options}
            thing = describe(Kind.VOLUME, value)._replace(makes=one.makes)
        if isinstance(thing, Thing) and one.kind is Kind.VOLUME:
            thing = thing._replace(is_unused=not self._users(thing.id))
        return thing

    def _look_up(self, kind: Kind, text: str) -> Thing | Missing:
        match kind:
            case Kind.ENGINE:
                return describe(kind, _INFO)
            case Kind.IMAGE:  # by its id, or by a name that may be the beginning of one
                digits = text.removeprefix("sha256:")
                tags: list[Json] = [f"{text}:latest"] if text == digits else []
                whole = f"sha256:{digits.ljust(64, '0')}"
                value: Json = {"Id": whole, "RepoTags": tags}
                return describe(kind, value)._replace(is_built=text == BUILT_IMAGE)
            case Kind.EXEC:
                return self._look_up(Kind.CONTAINER, self.container_of_exec)
            case Kind.CONTAINER | Kind.NETWORK | Kind.VOLUME:
                return self._named(kind, text.removeprefix("/"))

    def _named(self, kind: Kind, name: str) -> Thing | Missing:
        """By its name, its id or the beginning of that."""
        things = self._things[kind]
        by_id = (one for one in things.values() if text_of(one["Id"]).startswith(name))
        found = things.get(name) or next(by_id, None)
        if found is None:
            return Missing(NOT_FOUND, f"no such {kind}: {name}")
        if kind is Kind.CONTAINER:
            return _container(found)
        thing = describe(kind, found)
        return thing._replace(users=self._users(thing.id) if thing.is_anonymous else ())

    def _users(self, volume: str) -> tuple[Thing, ...]:
        things = map(_container, self._things[Kind.CONTAINER].values())
        return tuple(one for one in things if volume in one.volumes)


def _container(value: Json) -> Thing:
    """A container that has nothing from its image."""
    return describe(Kind.CONTAINER, value)._replace(inherited={})


def id_of(name: str) -> str:
    """The id of what has a name."""
    return sha256(name.encode()).hexdigest()


BUILT_IMAGE: Final = f"sha256:{id_of('built')}"
"""An image that the attacker built, whom it lists that allows this."""


def _mounted(host: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """The volumes of a creation by name, each with what makes it where it is not there."""
    for bind in texts_of(host.get("Binds")):
        source, mark, _ = bind.partition(":")
        if mark and not source.startswith("/"):
            yield {"Type": "volume", "Name": source}
    for mount in structs_of(host.get("Mounts")):
        if mount.get("Type") == "volume" and (source := text_of(mount.get("Source"))):
            driver = map_of(map_of(mount.get("VolumeOptions")).get("DriverConfig"))
            made = driver.get("Options")
            yield {"Type": "volume", "Name": source, "DriverOpts": made}
