"""What a request names, judged by what the Engine has under these names.

Loaded by policies that limit objects, or images by their names, and by no others.
"""

from dataclasses import dataclass, replace

from trioproxy.api import nodes
from trioproxy.api.arguments import Argument
from trioproxy.api.decoding import show
from trioproxy.api.families import Kind
from trioproxy.judge.references import Named, Reference
from trioproxy.limits.inspected import arguments_of
from trioproxy.limits.limit import Limits, Refusal
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import ENGINE, Known, Missing, Thing


class Unasked(Exception):
    """The Engine was not asked about a name that has to be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One request against what a policy lists."""

    limits: Limits
    objects: Objects
    operation: str
    known: Known
    drops_nodes: bool = False
    """Whether what it creates lacks the capability for device nodes."""

    def refuses(self, named: Named) -> Refusal | Missing | None:
        """Say why a request may not pass. Raises `Unasked`."""
        for reference, thing in named.pairs():
            if thing is None:
                raise Unasked
            if refusal := self._refuses_one(reference, thing):
                return refusal
        return None

    def _refuses_one(
        self, reference: Reference, thing: Thing | Missing
    ) -> Refusal | Missing | None:
        if reference.argument is None and not self.objects:
            return None  # a volume that may be filled: whose it is does not matter
        if isinstance(thing, Missing):
            return None if reference.may_miss else self._missing(reference, thing)
        if reference.argument is not None:
            return self.limits.refuses_thing(self.operation, reference.argument, thing)
        return (
            self._outside(reference, thing)
            or self._beyond_limits(reference, thing)
            or self._mounted(reference, thing)
            or self._joins(reference, thing)
        )

    def _missing(self, reference: Reference, missing: Missing) -> Missing:
        """Answer as the Engine; to a creation with 404 for the image alone: that is pulled."""
        if self.operation == "ContainerCreate" and reference.kind is not Kind.IMAGE:
            return missing._replace(status=400)
        return missing

    def _outside(self, reference: Reference, thing: Thing) -> Refusal | None:
        refusal = self.objects.refuses(self.operation, reference, thing)
        if refusal is None and reference.renamed is not None:
            # As it will be called: who may name `web-*` makes nothing else of one.
            renamed = thing._replace(names=(reference.renamed,))
            shown = reference._replace(text=reference.renamed, place="the new name")
            refusal = self.objects.refuses_name(
                self.operation, thing.kind, reference.renamed
            ) or self.objects.refuses(self.operation, shown, renamed)
        return refusal

    def _beyond_limits(
        self, reference: Reference, thing: Thing
    ) -> Refusal | Missing | None:
        """Refuse to reach into what has more than a creation may ask for.

        A container that is listed may have been made by somebody else, or under a wider
        file. So may a volume: it may be a folder of the host. And a node that one container
        makes is one in all that share a volume with it: so each lacks what makes them.
        """
        reaches = reference.reaches or thing.kind is Kind.VOLUME
        if not reaches or not self.limits.limits_creation:
            return None
        for argument in arguments_of(thing, with_nodes=self.drops_nodes):
            refusal = self.limits.refuses_argument(self.operation, argument)
            if refusal is not None and not self._is_default(argument):
                has = f"{argument.place}={argument.shown}".rstrip("=")
                message = f"{self.operation} reaches into {thing.kind} {show(reference.text)}, which has {has}, and {refusal.variable} does not list that"
                if argument is nodes.HAD_BY_DEFAULT:
                    message = f"{message}: {nodes.MAKE_IT_ANEW}"
                return replace(refusal, message=message, argument=None)
        return None

    def _is_default(self, argument: Argument) -> bool:
        """Whether a container has it from the Engine, without having asked."""
        if not argument.unless_default:
            return False
        engine = self._look_up(*ENGINE)
        return isinstance(engine, Thing) and engine.gives(argument)

    def _mounted(self, reference: Reference, thing: Thing) -> Refusal | Missing | None:
        """Refuse to reach into a container whose volumes a creation may not name.

        A volume has no id that could be pinned. Between our question and a creation
        another may come under its name; from then on it is in use, and stays the same.
        """
        if not reference.reaches:
            return None
        owns = self.objects.owns(thing)
        for name in thing.volumes if owns or self.limits.limits_creation else ():
            volume = self._look_up(Kind.VOLUME, name)
            if isinstance(volume, Missing):
                return volume
            shown = Reference(Kind.VOLUME, name, f"container {show(reference.text)}")
            refusal = self._beyond_limits(shown, volume)
            if refusal is None and owns:
                refusal = self.objects.refuses(self.operation, shown, volume)
            if refusal is not None:
                return refusal
        return None

    def _joins(self, reference: Reference, thing: Thing) -> Refusal | Missing | None:
        """Refuse to start what joins a network by a name that may mean another one now."""
        if not reference.starts or not self.objects.limits(Kind.NETWORK):
            return None
        for name in thing.unpinned:
            network = self._look_up(Kind.NETWORK, name)
            if isinstance(network, Missing):
                return network
            shown = Reference(Kind.NETWORK, name, f"container {show(reference.text)}")
            if refusal := self.objects.refuses(self.operation, shown, network):
                return refusal
        return None

    def _look_up(self, kind: Kind, name: str) -> Thing | Missing:
        thing = self.known.get((kind, name))
        if thing is None:
            raise Unasked
        return thing
