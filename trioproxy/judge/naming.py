"""What a request names, judged by what the Engine has under these names."""

from dataclasses import replace
from itertools import chain

from trioproxy.api import nodes
from trioproxy.api.decoding import show
from trioproxy.api.families import Kind
from trioproxy.judge.references import Reference
from trioproxy.judge.rules import UNRESOLVED, Decision, Reason, refuse
from trioproxy.limits.inspected import arguments_of, arguments_of_exec
from trioproxy.limits.limit import Limits, Refusal
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import ENGINE, FULL_ID, NOT_FOUND, Known, Missing, Thing
from trioproxy.values import ordered_class


@ordered_class
class Judge:
    """One request against what a policy lists."""

    limits: Limits
    objects: Objects
    operation: str
    drops_nodes: bool
    """Whether what it creates lacks the capability for device nodes."""

    def refuses(
        self, reference: Reference, thing: Thing | Missing, known: Known
    ) -> Decision | None:
        """Say why a request may not name something.

        `thing`: what is there; `known`: that, and all that was looked up with it. Of
        what is not in it nobody knows what it is: then the request is refused.
        """
        if reference.argument is None and not self.objects:
            return None  # a volume that may be filled: whose it is does not matter
        if isinstance(thing, Missing):
            if self.operation == "ContainerCreate" and reference.kind is not Kind.IMAGE:
                # To it the Engine answers 404 for the image alone: that is pulled.
                thing = thing._replace(status=400)
            return None if reference.may_miss else not_there(thing)
        if reference.argument is not None:
            refusal = self.limits.refuses_thing(
                self.operation, reference.argument, thing
            )
            return by_list(refusal, Reason.ARGUMENT)
        if reference.is_filter:
            return self._filters_by(reference, thing)
        return (
            # From the thing to what hangs on it: is it listed; has it more than a creation may ask for, where one
            # reaches into it; are the volumes that it mounts listed, and within the limits; does it join, by a name,
            # what has that name by now. Each is a way around the one before: a listed container may mount a stranger's
            # volume, or be started onto his network.
            by_list(self._outside(reference, thing))
            or by_list(self._beyond_limits(reference, thing, known))
            or self._led_to(reference, thing, known)
        )

    def _filters_by(self, reference: Reference, thing: Thing) -> Decision | None:
        """Answer as the Engine does where it has nothing, for what is not listed."""
        # The Engine answers a list `before=NAME` with 200 where it has such a container and with 404 where not: any
        # other answer than its 404 would tell a stranger's name from one that nobody has.
        if self.objects.holds(thing):
            return None
        return not_there(Missing(NOT_FOUND, f"No such container: {reference.text}"))

    def _outside(self, reference: Reference, thing: Thing) -> Refusal | None:
        refusal, name = self._unlisted(reference, thing), reference.renamed
        if refusal is not None or name is None:
            return refusal
        # As it will be called: who may name `web-*` makes nothing else of one.
        renamed = thing._replace(names=(name,))
        shown = reference._replace(text=name, place="the new name")
        return self._unlisted(shown, renamed)

    def _unlisted(self, reference: Reference, thing: Thing) -> Refusal | None:
        text, place = reference.text, reference.place
        return self.objects.refuses(self.operation, thing, text, place)

    def _beyond_limits(
        self, reference: Reference, thing: Thing, known: Known
    ) -> Refusal | None:
        """Refuse to reach into what has more than a creation may ask for.

        A container that is listed may have been made by somebody else, or under a wider
        file. So may a volume: it may be a folder of the host. And a node that one container
        makes is one in all that share a volume with it: so each lacks what makes them.
        """
        if not reference.reaches and thing.kind is not Kind.VOLUME:
            return None
        engine, found = known.get(ENGINE), arguments_of_exec(thing)
        if self.limits.limits_creation:
            found = chain(found, arguments_of(thing, with_nodes=self.drops_nodes))
        for argument in found:
            name, item = argument.variable, argument.value
            # What a container has from the Engine it has without having asked.
            is_default = isinstance(engine, Thing) and engine.gives(argument)
            if is_default or self.limits.lists_had(name, item):
                continue
            has = f"{argument.place}={argument.shown}".rstrip("=")
            message = f"{self.operation} reaches into {reference.kind} {show(reference.text)}, which has {has}, and {name} does not list that"
            if argument is nodes.HAD_BY_DEFAULT:
                # Not by an item: who lists the capability lets all that is made anew have it.
                message, item = f"{message}: {nodes.MAKE_IT_ANEW}", ""
            return Refusal(variable=name, message=message, item=item)
        return None

    def _led_to(
        self, reference: Reference, thing: Thing, known: Known
    ) -> Decision | None:
        """Refuse what comes by way of a container: volumes that a creation may not name, and whom
        else it joined, where one reaches into it, and networks that it joins by a name, where
        one starts it.

        A volume has no id that could be pinned. Between our question and a creation
        another may come under its name; from then on it is in use, and stays the same. A
        network's name may mean another one by now.
        """
        for one, kind, name in reference.leads_to(thing, known):
            is_listed = kind is Kind.NETWORK or self.objects.owns(one)
            if kind is Kind.NETWORK:
                counts = self.objects.limits(kind)
            else:
                counts = is_listed or self.limits.limits_creation
            if not counts:
                continue
            there, is_joined = known.get((kind, name)), kind is Kind.CONTAINER
            is_gone = isinstance(there, Missing) and FULL_ID.fullmatch(name)
            if is_joined and is_gone and not one.outlives(name):
                continue
            if not isinstance(there, Thing):
                return not_there(there)
            if is_joined and there.id != name:
                return UNRESOLVED  # a name, which may mean another one by now
            place = f"container {show(reference.text)}"
            shown = Reference(kind, name, place, reaches=is_joined)
            refusal = self._beyond_limits(shown, there, known)
            if refusal is None and is_listed:
                refusal = self._unlisted(shown, there)
            if refusal is not None:
                return by_list(refusal)
        return None


def by_list(refusal: Refusal | None, reason: Reason = Reason.OBJECT) -> Decision | None:
    """The same as a decision: by a list of objects, or of what may be asked for."""
    if refusal is None:
        return None
    return refuse(reason, refusal.variable, refusal.message, refusal.item)


def not_there(missing: Missing | None) -> Decision:
    """Answer as the Engine does where it has nothing; None: it was not asked."""
    if missing is None:
        return UNRESOLVED
    answer = refuse(Reason.MISSING, "", missing.message)
    return replace(answer, status=missing.status)
