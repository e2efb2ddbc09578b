"""Section variables and verbs to a policy, in the order of the two incumbents.

First the narrowest verb that is set for a route decides; then what refuses: a word in the
path, a method, a read that is like a write, exec, the section. Podman's own routes go by
linuxserver's variables, and by the same order. Whoever adds a rule: a file must never grant
more here than in the incumbent, the verbs and `LIBPOD_*` that it sets to 1 itself aside.
"""

from collections.abc import Mapping

from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.api.routes import ALL_SECTIONS, LIBPOD_SECTIONS, Endpoint, section_of
from trioproxy.file.incumbents import READ_WORDS
from trioproxy.file.variables import (
    COMPAT_VARIABLE,
    LIBPOD_ON_BY_DEFAULT,
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    ON_BY_DEFAULT,
    READ_VERBS,
    SWITCHES,
    VERBS,
    VERBS_OF_PODMAN,
    WRITE_VERBS,
)
from trioproxy.judge.rules import READING, Confines, Mode, Policy, Reason, Ruling
from trioproxy.values import value_class

_EXEC = {"ContainerExec": "EXEC", "LibpodContainerExec": "LIBPOD_EXEC"}
"""What prepares a command needs the variable of the section that runs it, too."""


def section_policy(
    flags: Mapping[str, bool], confines: Confines, *, linuxserver: bool
) -> Policy:
    """Let pass what sections, `POST`, methods and verbs open; unset ones by default.

    linuxserver opens ping and version of Podman in every file. Here a file has to speak of
    Podman first, by a `LIBPOD_*` at 1: tecnativa opens neither.
    """
    has_podman = any(flags.get(name) for name in LIBPOD_VARIABLES)
    values = {name: name in ON_BY_DEFAULT for name in SWITCHES}
    values |= dict.fromkeys(READ_VERBS if linuxserver else (), False)
    values |= {n: n in LIBPOD_ON_BY_DEFAULT for n in LIBPOD_SECTIONS if has_podman}
    values |= {
        name: value
        for name, value in flags.items()
        if (has_podman or name not in LIBPOD_VARIABLES)
        and not (value and name in METHOD_SWITCHES)  # which is as if it were unset
    }
    # Of Podman's routes a word refuses that is unset, too: no file for tecnativa has them.
    closing = {
        "CONTAINERS": [verb for verb in READ_WORDS if not values.get(verb, True)],
        "LIBPOD_CONTAINERS": [verb for verb in READ_WORDS if not values.get(verb)],
        "LIBPOD_PODS": [verb for verb in READ_WORDS if not values.get(verb)],
    }
    # At 1 a read verb only lifts its refusal under COMPAT=linuxserver.
    granting = _by_operation(WRITE_VERBS if linuxserver else VERBS)
    podmans = _by_operation(VERBS_OF_PODMAN)
    heard = {**granting, **podmans} if has_podman else granting
    # Of a key that comes again the last is kept: of the verbs that are set the narrowest.
    deciding = {
        operation: verb
        for operation, verbs in heard.items()
        for verb in reversed(verbs)
        if verb in values
    }
    rules = _Sections(
        values=values,
        granting={**granting, **podmans},
        deciding=deciding,
        closing=closing,
    )
    set_lines = {f"{name}={value:d}" for name, value in values.items()}
    return Policy(
        mode=Mode.SECTIONS,
        rules=rules.rule,
        lines=frozenset({*set_lines, f"{COMPAT_VARIABLE}={linuxserver:d}"}),
        sections=frozenset(name for name in ALL_SECTIONS if values.get(name)),
        words={
            section: tuple(READ_WORDS[verb] for verb in verbs)
            for section, verbs in closing.items()
            if verbs
        },
        **confines._asdict(),
    )


@value_class
class _Sections:
    values: Mapping[str, bool]
    """All that is set, or has a default; no `LIBPOD_*` where none of them is 1."""
    granting: Mapping[str, tuple[str, ...]]
    """The verbs that would open an operation whatever else is set, the narrowest first."""
    deciding: Mapping[str, str]
    """The narrowest of them that is set.

    `ALLOW_RESTARTS` names stop, restart and kill, `ALLOW_STOP` stop alone. Whoever writes
    both means an exception by the narrower one, whichever is at 0.
    """
    closing: Mapping[str, list[str]]
    """The read verbs that refuse by a word in the paths of a section."""

    def rule(self, method: str, endpoint: Endpoint | None, path: str) -> Ruling:
        """Decide on a route by its narrowest verb, or by what first refuses it."""
        operation = endpoint.operation if endpoint else ""
        section = section_of(path)
        verb = self.deciding.get(operation, "")
        if self.values.get(verb):
            return Ruling(True, Reason.VERB, verb)
        words = self._words(section, endpoint, path)
        obstacles = [(Reason.VERB, one) for one in (verb, *words) if one]
        others = self._obstacles(method, endpoint, section, words)
        if not obstacles and not others:
            reason = Reason.SECTION if endpoint else Reason.UNKNOWN_ROUTE
            return Ruling(True, reason, section or "")
        # A verb where there is one, for it is narrower; else all that is in the way.
        verbs = self.granting.get(operation)
        if verbs:
            advice = f"set {verbs[0]}=1"
        elif section is None:
            advice = f"no section variable opens it, only {OPERATIONS_VARIABLE}"
        else:
            missing = [*words, *(name for _, name in reversed(others))]
            advice = f"set {' and '.join(f'{name}=1' for name in missing)}"
        names_it = bool(verbs) or section is None
        return Ruling(False, *[*obstacles, *others][0], advice, names_it)

    def _obstacles(
        self,
        method: str,
        endpoint: Endpoint | None,
        section: str | None,
        words: list[str],
    ) -> list[tuple[Reason, str]]:
        """What else refuses a route that no verb opens, each with what would lift it."""
        found, values = list[tuple[Reason, str]](), self.values
        if method in METHOD_SWITCHES and not values.get(method, True):
            found.append((Reason.METHOD, method))
        if not values["POST"] and method not in READING:
            found.append((Reason.METHOD, "POST"))
        elif not values["POST"] and endpoint is not None and endpoint.needs_post:
            # Under COMPAT=linuxserver whoever sets ALLOW_ARCHIVE=1 has asked for just that.
            lifting = {*words, *(verb for verb in READ_VERBS if values.get(verb))}
            if not any(endpoint.operation in READ_VERBS[verb] for verb in lifting):
                found.append((Reason.WRITE_LIKE_READ, "POST"))
        variable = _EXEC.get(endpoint.operation, "") if endpoint else ""
        if variable and not values.get(variable):
            found.append((Reason.EXEC, variable))
        if section is None:
            found.append((Reason.NO_SECTION, OPERATIONS_VARIABLE))
        elif not values.get(section):
            found.append((Reason.SECTION, section))
        return found

    def _words(
        self, section: str | None, endpoint: Endpoint | None, path: str
    ) -> list[str]:
        """The read verbs that refuse a route by a word in its path.

        A grant names whole routes. A refusal is read as widely as in linuxserver's rules,
        so that no file refuses less here: `ALLOW_ARCHIVE=0` stops PUT as well. Its rules
        take the segment behind the name. The Engine takes slashes as part of a name
        (`/containers/PARENT/ALIAS/archive` reaches a container by a legacy link), so there
        the word of the route is elsewhere: it is taken from the template. Where no template
        is known, and of Podman's, each segment behind the first of the name may be the word.
        """
        if not section or not (verbs := self.closing.get(section)):
            return []
        behind = path.lower().split("/")[3 if section == "CONTAINERS" else 4 :]
        if endpoint is not None and section == "CONTAINERS":
            behind = [*behind[:1], *endpoint.template.split("/")[3:]]
        return [
            verb
            for verb in verbs
            if any(segment.startswith(READ_WORDS[verb]) for segment in behind)
        ]


def _by_operation(verbs: Mapping[str, frozenset[str]]) -> Mapping[str, tuple[str, ...]]:
    """Turn a table of verbs around: operation to verbs, the narrowest first."""
    narrowest_first = sorted(verbs, key=lambda verb: len(verbs[verb]))
    return {
        operation: tuple(verb for verb in narrowest_first if operation in verbs[verb])
        for operation in frozenset().union(*verbs.values())
    }
