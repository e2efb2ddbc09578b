"""`trioproxy learn -o 'learned/{client}.env'`: a whole stack at once, a file for each client.

A client is whoever `enforce` would know: by its listener (`?policy=NAME.env`), by its
container where this process is in one, else by the user of a Unix socket or the address.
Each has a lesson of its own: evidence, file, owner, and table at the end.
"""

import os
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import trio

from trioproxy.commands import learner, start, tell
from trioproxy.commands.asked import Call
from trioproxy.config import USER, Config, TcpAddress
from trioproxy.errors import ConfigError, Nobody
from trioproxy.hostpath import find_own
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server
from trioproxy.threads import in_thread

MOST_CLIENTS: Final = 256
"""Clients of one run: each has a file, and a table at the end."""
_NAMELESS: Final = "a container came whose name can be no file's: its answer and the log say which label gives it one"


class Learners:
    """All who are learned from."""

    def __init__(self, asked: Call, config: Config, nursery: trio.Nursery) -> None:
        self.lessons: dict[str, learner.Lesson] = {}
        self.left_out = set[str]()
        """Who came when there was room for no more; some of them."""
        self.failure: ConfigError | None = None
        """Why nothing can be learned from somebody who came."""
        self._had_file = set[str]()
        self._welcoming = trio.Lock()
        # A thread that nobody waits for any more keeps its place until the share is back.
        self._opening = trio.CapacityLimiter(1)
        self._asked = asked
        self._nursery = nursery
        own = find_own()
        plain = (one for one in config.listen if not one.entry.client)
        is_asked = any(isinstance(one, TcpAddress) for one in plain)
        self.server = Server(
            config=config,
            gates={},
            containers=bool(own.id) and is_asked,
            welcome=self.welcome,
            log=Log(config.level, form=config.log_format, write=os.write),
            away=start.away(os.environ),
            own=own,
        )
        clients = (one.entry.client for one in config.listen)
        self._expected = dict.fromkeys(filter(None, clients))
        """Who has a listener: waited for, and nobody else is called so."""
        for client in self._expected:
            self._begin(client, self._lesson(client), is_containers=False)

    async def welcome(self, called: list[str], *, is_container: bool = False) -> str:
        """Begin with a client that is new; how it is called. Raises `ConfigError`,
        and `Nobody` where there is no room for one more. Who can be called nothing is refused
        by who asks here, and that is told of at the end.

        What is on disk is looked at in a thread: on a share that is away that takes until it
        is there again. Who comes meanwhile and is known already does not wait for that.
        """
        try:
            if not called:
                self.failure = self.failure or ConfigError(_NAMELESS)
                return ""
            return await self._welcome(called, is_container=is_container)
        except ConfigError as error:
            self.failure = self.failure or error
            raise

    async def _welcome(self, called: list[str], *, is_container: bool) -> str:
        """Begin with it by one of its names.

        Of the names that it may have it has the first, or the first that has a file, as it will
        where that is enforced: none behind one that another client has begun here, and none that
        clients have who are known in another way, whoever of them comes first.
        """
        names = [one for one in called if one not in self._expected]
        if is_container:
            names = [one for one in names if not re.fullmatch(f"{USER}[0-9]+", one)]
        if not names:
            raise ConfigError(
                f"{' and '.join(called)} is how who comes by another listener is called here, and"
                " nobody shares that file: call one of them otherwise"
            )
        if names[0] in self.lessons:
            return names[0]
        async with self._welcoming:
            name = await in_thread(self._name_of, names, limiter=self._opening)
            if name not in self.lessons:
                if len(self.lessons) >= MOST_CLIENTS:
                    if len(self.left_out) < MOST_CLIENTS:
                        self.left_out.add(name)
                    raise Nobody(
                        f"there are {MOST_CLIENTS} clients to learn from, and no more at once"
                    )
                lesson = await in_thread(self._lesson, name, limiter=self._opening)
                self._begin(name, lesson, is_containers=is_container)
            return name

    def _name_of(self, names: list[str]) -> str:
        """The first, or the first that has a file."""
        there = (one for one in names if one in self.lessons or self._has_file(one))
        first = next(there, names[0])
        return first if self._has_file(first) else names[0]

    def _has_file(self, client: str) -> bool:
        """Whether a client had a file before anybody was learned for it."""
        if client in self.lessons:
            return client in self._had_file
        # Not `Path.exists`, which raises where that cannot be told.
        return os.path.exists(self._asked.path_of(client))

    def _lesson(self, client: str) -> learner.Lesson:
        """Look at a client's files, and begin its run."""

        def warn(text: str) -> None:
            tell.warn(f"{client}: {text}")

        asked, config = self._asked, self.server.config
        asked.refuse_shared([*self.lessons, client])
        if self._has_file(client):
            self._had_file.add(client)
        store, known = asked.open(asked.path_of(client))
        plan = learner.Plan(asked=asked, config=config, store=store, known=known)
        complain = tell.unwaited(partial(tell.complain, warn=warn))
        return learner.begin(plan, tell.unwaited(warn), complain)

    def _begin(
        self, client: str, lesson: learner.Lesson, *, is_containers: bool
    ) -> None:
        # Of two with one owner, what one makes would be learned as the other's own.
        owner, file = lesson.gate.objects.owner, lesson.plan.store.wish.file
        for other in self.lessons.values():
            if owner and owner == other.gate.objects.owner:
                raise ConfigError(
                    f"two policies have one owner: ONLY_OWNER={owner} would stand in"
                    f" {file} and in {other.plan.store.wish.file}",
                    hint="each would have what the other made: give one another owner, and"
                    " name none in --within",
                )
        self.lessons[client] = lesson
        self._nursery.start_soon(lesson.journal.run)
        note = [lesson.recorder.note]
        self.server.reload(lesson.gate, note, client, is_containers=is_containers)

    def is_quiet(self, seconds: float) -> bool:
        """Whether each who is expected has asked, and nothing new came for so long from
        anybody: who only looked whether somebody listens will not ask."""
        recorders = {name: one.recorder for name, one in self.lessons.items()}
        newest = {name: one.evidence.last_birth() for name, one in recorders.items()}
        asked = {name for name, at in newest.items() if at is not None}
        if not asked or self._expected.keys() - asked:
            return False
        return all(
            one.elapsed() - (newest[name] or 0) >= seconds
            for name, one in recorders.items()
        )


async def learn_stack(asked: Call, config: Config) -> int:
    """Learn until a signal comes, or all are quiet, and write each file; the status, by which
    it is told if somebody came who could not be learned from."""
    with learner.ending() as signals:
        async with trio.open_nursery() as nursery:
            learners = Learners(asked, config, nursery)
            await _serve(learners, asked, signals)
            nursery.cancel_scope.cancel()
        was_shut = learners.server.has_turned_away
        lessons = learners.lessons.values()
        if not lessons and not learners.failure:
            file = asked.output or ""
            tell.nothing_seen(file, has_command=False, unread={}, was_shut=was_shut)
            return learner.UNSEEN if asked.require_seen else 0
        statuses = [await learner.finish(one, 0, was_shut=was_shut) for one in lessons]
        tell.left_out(learners.left_out, MOST_CLIENTS)
        if learners.failure:
            raise learners.failure  # as for a single client, at the start
    return max(*statuses, learner.UNWRITTEN if learners.left_out else 0)


async def _serve(learners: Learners, asked: Call, signals: AsyncIterator[int]) -> None:
    server, stopping = learners.server, learner.Stopping()
    async with learner.serving(server, signals, stopping):
        tell.where(server.addresses, asked.ends_after, private="")
        await learner.outwait(asked, learners.is_quiet, stopping)
