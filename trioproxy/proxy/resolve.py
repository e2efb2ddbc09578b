"""What the Engine has under the names in a request, as far as it has to be asked.

Asked on the connection that will carry the request itself, which nobody uses meanwhile:
so a question costs one round trip, and neither a socket nor a connection. An answer has
a size, and all of them together have one deadline; they are read strictly, and where any
of that fails, so does the request. What is remembered of them is what is judged.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import trio

from trioproxy.api.families import Kind
from trioproxy.errors import Untold
from trioproxy.http import jsonbody
from trioproxy.http.hearing import Built
from trioproxy.judge.gate import Gate, NeedListed, NeedThings
from trioproxy.judge.pruning import Listed, Prune
from trioproxy.judge.references import Reference
from trioproxy.limits.inspected import arguments_of
from trioproxy.limits.marks import marked
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import (
    CONTAINER,
    ENGINE,
    Known,
    Labels,
    Missing,
    Thing,
    container_of_exec,
    describe,
    labels_of_image,
    listed,
    users_of,
)
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.inquiry import (
    HAS_IT,
    LISTS,
    OK,
    QUESTIONS_SECONDS,
    ask,
    ask_each,
    check_told,
    escaped,
    look_through,
    parse_answer,
    segment,
    shape_of,
    too_slow,
    with_filters,
)
from trioproxy.proxy.shared import Remembered

DEFAULTS_SECONDS: Final = 10.0
"""For how long an answer says what containers have by default."""

AT_ONCE: Final = 64
"""Containers that are asked about in one question: some 200 KB of answer."""

_TEMPLATES: Final = {
    Kind.CONTAINER: "/containers/%s/json",
    Kind.ENGINE: "%s",
    Kind.EXEC: "/exec/%s/json",
    Kind.IMAGE: "/images/%s/json",
    Kind.NETWORK: "/networks/%s",
    Kind.VOLUME: "/volumes/%s",
}
"""Where the Engine describes what it has under a name."""

_GONE: Final = 404
_HAS_NONE: Final = frozenset({400, 404, 409})
"""No such thing, a name that can be none, or one that is the beginning of two."""


class Resolver:
    """Asks for one request what the Engine has under the names in it.

    Closing: the connection is dropped unless its last answer came whole.
    """

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        remembered: Remembered,
        hear: Callable[[int], None] = lambda _: None,
        built: Built | None = None,
        unused: set[str] | None = None,
    ) -> None:
        """`hear` is told how long each answer is; what it raises ends the questions.

        `built`: the images that were made through this policy. `unused`: the volumes, of those
        that are reserved, which no container ever had; what is not there yet is added.
        """
        self._built = built
        self._unused = set[str]() if unused is None else unused
        self._engine = engine
        self._hear = hear
        self._heard = 0
        self._deadline = trio.current_time() + QUESTIONS_SECONDS
        self._gate = gate
        self._looks_inside = gate.limits.limits_creation or gate.learns
        self._objects = gate.objects
        self._remembered = remembered
        self._own = remembered.own
        self._known = dict[tuple[Kind, str], Thing | Missing]()

    def go_by(self, objects: Objects) -> None:
        """Ask what counts for these lists: those by which a request was judged show its answer,
        also where another policy is in force by then."""
        self._objects = objects

    async def answer(self, need: NeedThings | NeedListed) -> Known | Listed | Missing:
        """Ask what is needed. Raises `UpstreamError` and `BadRequest`."""
        if isinstance(need, NeedListed):
            return await self._list(need.prune)
        return await self.resolve(need.references)

    async def resolve(self, references: Iterable[Reference]) -> Known:
        """Ask for each name once. Raises `UpstreamError` and `BadRequest`."""
        for one in references:
            if one.thing is None:
                await self._resolve(one)
        return self._known

    async def make(self, *, is_trial: bool = False) -> Known:
        """Make the volumes that a creation would make, as the client's own.

        `is_trial`: make none; they are judged as they would be. Who made a volume that came into being meanwhile shows in the Engine's answer:
        its creation gives back what is there.
        """
        made = dict(self._known)
        if is_trial:
            return made
        for key, thing in self._known.items():
            if isinstance(thing, Thing) and thing.makes is not None:
                one = await self._question(*key, "/volumes/create", thing.makes)
                if isinstance(one, Thing):
                    # Reserved since before it was looked for: nobody has it by us.
                    one = one._replace(is_unused=True)
                made[key] = one
        return made

    def begin_anew(self) -> None:
        """Give the next questions a deadline of their own: an answer is read for hours."""
        self._deadline = trio.current_time() + QUESTIONS_SECONDS

    def at_once(self, thing: Thing) -> Thing | None:
        """What `complete` gives, where nothing has to be asked for that any more."""
        if thing.kind is not CONTAINER or thing.id == self._own.id:
            return None
        key = thing.part[0] or thing.image, self._objects.judged_labels
        labels = self._remembered.labels.get(key)
        if labels is not None:
            return thing.inheriting(labels)
        return None if self._objects.may_show(thing) else thing

    async def complete(self, thing: Thing) -> Thing:
        """Add to what an answer tells of a thing what others say of it, where it matters."""
        if thing.is_anonymous:
            users = await self._users_of(thing.id)
            thing = thing._replace(users=users)
        return await self.with_what_counts(thing)

    async def containers(self, ids: Sequence[str]) -> dict[str, Thing]:
        """Describe those of some containers that there are, by id, but for what is too much to
        be read."""
        found, there = dict[str, Thing](), list[Thing]()

        def take(value: jsonbody.Json) -> None:
            there.append(listed(CONTAINER, value))

        for begin in range(0, len(ids), AT_ONCE):
            asked = ids[begin : begin + AT_ONCE]
            target = with_filters(LISTS[Kind.CONTAINER], {"id": list(asked)})
            await look_through(self._engine, CONTAINER, target, take, self._deadline)
            while there:
                one = there.pop()
                # The Engine takes a part of an id for all of it.
                if one.id in asked:
                    found[one.id] = await self.complete(one)
        return found

    async def find(self, kind: Kind, text: str) -> Thing | None:
        """Describe what the Engine has under an id; None: nothing."""
        thing = await self._look_up(kind, text)
        return thing if isinstance(thing, Thing) else None

    async def _list(self, prune: Prune) -> Listed | Missing:
        """Ask for all of a kind, and keep of that what a prune may remove.

        The client's version stands in the question: where the Engine takes none of that, its
        answer is what the client gets.
        """
        if prune.until is not None:
            engine = await self._look_up(*ENGINE)
            now = engine.value.get("SystemTime") if isinstance(engine, Thing) else None
            prune = prune.at(now)
        kind, found = prune.kind, list[Thing]()

        def take(value: jsonbody.Json) -> None:
            if (thing := prune.takes(value)) is not None:
                self._hear(len(thing.id) + sum(map(len, thing.names)))
                found.append(thing)

        target = f"{prune.version}{_question_for(prune)}"
        status, raw = await ask_each(
            self._engine, target, shape_of(kind), take, self._deadline
        )
        if status in _HAS_NONE:
            return _missing(status, raw)
        check_told(status, f"which {kind}s it has")
        whole = list[Thing]()
        for one in found:
            if not len(whole) % AT_ONCE:
                await trio.lowlevel.checkpoint()  # of an image it is asked but once
            whole.append(await self.with_what_counts(one))
        return Listed(prune, tuple(whole))

    async def _resolve(self, one: Reference) -> None:
        thing = self._known.get((one.kind, one.text))
        if thing is None:
            thing = await self._look_up(one.kind, one.text)
            makes = one.makes if self._objects else None
            if one.fills and isinstance(thing, Missing) and thing.status == _GONE:
                self._unused.add(one.text)
            if isinstance(thing, Missing) and makes is not None:
                thing = self._to_be_made(makes)
            elif (
                one.fills and self._gate.form.limits_fills and isinstance(thing, Thing)
            ):
                thing = await self._with_users(thing)
            elif one.renamed is not None and isinstance(thing, Thing):
                # By its new name no list may hold it, and by its labels one does.
                thing = await self._with_image(thing, (one.renamed,))
            self._known[one.kind, one.text] = thing
        if isinstance(thing, Thing):
            await self._resolve_inside(one, thing)

    async def _resolve_inside(self, one: Reference, thing: Thing) -> None:
        """Ask what a thing has that counts where a request reaches into it or starts it."""
        if one.reaches and thing.kind is Kind.CONTAINER:
            await self._resolve_defaults(thing)
        # Whoever reaches into a container reaches what it mounts: a listed container with
        # a stranger's volume would be a way around ONLY_VOLUMES. A network's name in a
        # container means whatever has that name when it starts. One that was pinned by its
        # id at the creation cannot become another network.
        for by, kind, name in one.leads_to(thing, self._known):
            if kind is Kind.NETWORK:
                counts = self._objects.limits(kind)
            else:
                counts = self._looks_inside or self._objects.owns(by)
            if not counts:
                continue
            if kind is Kind.VOLUME:
                await self._look_up_volume(by.id, name)
                continue
            there = self._known.get((kind, name)) or await self._look_up(kind, name)
            self._known[kind, name] = there
            if kind is Kind.CONTAINER and isinstance(there, Thing):
                await self._resolve_defaults(there)

    async def _resolve_defaults(self, thing: Thing) -> None:
        """Ask what the Engine gives by default, where a container has what may be that.

        What it said a moment ago will do: a container is as it was made, and a daemon whose
        default is another one since then leaves it so. What a creation asks for is asked
        about anew, each time.
        """
        if ENGINE in self._known or not self._looks_inside:
            return
        if not any(
            one.unless_default and self._gate.goes_by_names(one)
            for one in arguments_of(thing)
        ):
            return
        asked, engine = self._remembered.engine
        if engine is None or trio.current_time() - asked >= DEFAULTS_SECONDS:
            engine = await self._look_up(*ENGINE)
            self._remembered.engine = trio.current_time(), engine
        self._known[ENGINE] = engine

    def _to_be_made(self, makes: Mapping[str, jsonbody.Json]) -> Thing:
        """Describe a volume as it will be."""
        labels = makes.get("Labels")
        given = labels if isinstance(labels, Mapping) else {}
        body = {**makes, "Labels": marked(given, self._objects.owner)}
        value = {**body, "Options": makes.get("DriverOpts")}
        return describe(Kind.VOLUME, value)._replace(makes=body)

    async def _ask(self, target: str, body: object = None) -> tuple[int, bytes]:
        """Send a question, or with a body a creation; give status and body of its answer."""
        method = "GET" if body is None else "POST"
        with trio.move_on_at(self._deadline):
            status, raw = await ask(self._engine, method, target, body)
            self._heard += len(raw)
            self._hear(len(raw))
            return status, raw
        raise too_slow()

    async def _look_up(self, kind: Kind, text: str) -> Thing | Missing:
        name = text if kind is Kind.ENGINE else segment(kind, text)
        return await self._question(kind, text, _TEMPLATES[kind] % name)

    async def _question(
        self, kind: Kind, text: str, target: str, body: object = None
    ) -> Thing | Missing:
        try:
            answer = await self._ask(target, body)
            return await self._read(kind, text, answer)
        except Untold as error:
            # Learning may stand in front of another proxy, which refuses our questions.
            if not self._gate.asks_to_learn:
                raise
            return Missing(error.status, str(error))

    async def _read(
        self, kind: Kind, text: str, answer: tuple[int, bytes]
    ) -> Thing | Missing:
        status, raw = answer
        if status in _HAS_NONE and kind is not Kind.ENGINE:
            return _missing(status, raw)
        what = f"what {kind} {text[:64]!a} is"
        if kind is Kind.ENGINE:
            what = f"what it gives by default (GET {text})"
        check_told(status, what)
        if kind is Kind.EXEC:
            # An exec belongs to its container for good, so that is whom to judge.
            config, container = container_of_exec(parse_answer(raw))
            thing = await self._look_up(Kind.CONTAINER, container)
            if isinstance(thing, Missing):
                return thing
            return thing.running(config)
        return await self.complete(describe(kind, parse_answer(raw)))

    async def with_what_counts(self, thing: Thing) -> Thing:
        """Add what its description does not say, but for who uses a volume."""
        is_proxys = thing.id == self._own.id or self._own.id in thing.members
        if thing.kind is Kind.VOLUME:
            is_proxys = thing.id in self._own.volumes
        elif thing.kind is Kind.CONTAINER:
            thing = await self._with_image(thing)
        elif thing.kind is Kind.IMAGE and self._built is not None:
            thing = thing._replace(is_built=self._built.has(thing.id))
        return thing._replace(is_proxys=True) if is_proxys else thing

    async def _with_image(self, thing: Thing, names: tuple[str, ...] = ()) -> Thing:
        """Add the labels of a container's image where they count; `names`: as it will be called."""
        called = thing._replace(names=names) if names else thing
        if not self._objects.needs_image(called):
            return thing
        status, labels = await inherited(
            self._ask, self._remembered, thing, self._objects.judged_labels
        )
        # Without its image nobody can tell which labels came from there: then none of the
        # container's own count.
        if labels is None and status != _GONE:
            check_told(status, f"what image {thing.image[:64]!a} is")
        return thing if labels is None else thing.inheriting(labels)

    async def _users_of(self, volume: str) -> tuple[Thing, ...]:
        # Those that are stopped, too. The Engine takes a part of a volume's name for all of it.
        target = with_filters(LISTS[Kind.CONTAINER], {"volume": [volume]})
        status, raw = await self._ask(target)
        check_told(status, "who has a volume")
        users = users_of(parse_answer(raw))
        return tuple(
            [await self._with_image(one) for one in users if volume in one.volumes]
        )

    async def _with_users(self, volume: Thing) -> Thing:
        """Tell of a volume that may be filled whether any container has it, or had."""
        if not volume.is_plain or volume.id not in self._unused:
            return volume
        try:
            is_unused = not await self._users_of(volume.id)
        except Untold:
            if not self._gate.asks_to_learn:
                raise
            return volume
        return volume._replace(is_unused=is_unused)

    async def _look_up_volume(self, container: str, name: str) -> None:
        # Remembered by the container's id: a volume cannot be taken from under a container,
        # so what it was when first looked at it stays. But others may come to use it, and
        # whose they are is told as one policy has it: where they count it is asked anew.
        key = container, name
        found: Thing | Missing | None = self._remembered.volumes.get(key)
        if found is None:
            before = self._heard
            found = await self._look_up(Kind.VOLUME, name)
            if isinstance(found, Thing) and not found.is_anonymous:
                self._remembered.make_room()
                self._remembered.volumes[key] = found
                self._remembered.size += self._heard - before
        self._known.setdefault((Kind.VOLUME, name), found)


async def inherited(
    ask_for: Callable[[str], Awaitable[tuple[int, bytes]]],
    remembered: Remembered,
    thing: Thing,
    judged: frozenset[str],
) -> tuple[int, Labels | None]:
    """Give those of some labels that a container's image has, and None where the Engine does
    not say; with its status. Of an image it is asked once."""
    image, (part, platform) = thing.image, thing.part
    if not image:
        # Docker makes a container of none, too, whose labels are not known to be its own.
        return _GONE, None
    key = part or image, judged
    labels, status = remembered.labels.get(key), OK
    if labels is None:
        target = _TEMPLATES[Kind.IMAGE] % segment(Kind.IMAGE, image)
        if part not in {"", image}:
            target += f"?platform={escaped(jsonbody.render(platform))}"
        status, raw = await ask_for(target)
        if status not in HAS_IT:
            return status, None
        found, told, has_parts = labels_of_image(parse_answer(raw))
        # An Engine before 28.1 knows no platforms here, and gives the id of the whole image.
        if part and told not in {part, image}:
            return _GONE, None
        if has_parts and not (part or thing.value):
            # Listed for an older client.
            status, raw = await ask_for(_TEMPLATES[Kind.CONTAINER] % thing.id)
            if status not in HAS_IT:
                return status, None
            whole = describe(Kind.CONTAINER, parse_answer(raw))
            return await inherited(ask_for, remembered, whole, judged)
        labels = {one: found[one] for one in judged if one in found}
        if part or not has_parts:
            remembered.keep_labels(key, labels)
    return status, labels


async def under_way(engine: Engine) -> frozenset[str]:
    """The volumes of creations that the Engine has not done: in use, and by no container that is
    there. Raises `UpstreamError`."""
    found = set[str]()

    def take(value: jsonbody.Json) -> None:
        found.update(describe(Kind.VOLUME, value).names)

    def leave(value: jsonbody.Json) -> None:
        found.difference_update(listed(CONTAINER, value).volumes)
        # An older Podman tells of none. There a container is listed before its volumes are filled.
        if not isinstance(value, dict) or value.get("Mounts") is None:
            found.clear()

    deadline = trio.current_time() + QUESTIONS_SECONDS
    in_use = with_filters(LISTS[Kind.VOLUME], {"dangling": ["false"]})
    await look_through(engine, Kind.VOLUME, in_use, take, deadline)
    if found:
        await look_through(engine, CONTAINER, LISTS[CONTAINER], leave, deadline)
    return frozenset(found)


def _missing(status: int, raw: bytes) -> Missing:
    value = parse_answer(raw)
    message = value.get("message") if isinstance(value, dict) else None
    return Missing(status, message if isinstance(message, str) else "")


def _question_for(prune: Prune) -> str:
    """The question for all of a kind, so far as the Engine can tell what counts."""
    filters = dict[str, jsonbody.Json]()
    if prune.kind is not Kind.CONTAINER:
        filters["dangling"] = ["true"]
    if label := prune.objects.own_label_of(prune.kind):
        filters["label"] = [label]
    path = LISTS[prune.kind]
    return with_filters(path, filters) if filters else path
