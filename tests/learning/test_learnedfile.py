import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy import __version__
from trioproxy.api.families import Family
from trioproxy.api.routes import OPERATIONS
from trioproxy.file import envfile
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy_file
from trioproxy.file.variables import ON_BY_DEFAULT
from trioproxy.learning.learnedfile import (
    Learned,
    foreign_lines,
    in_tecnativa,
    render,
)
from trioproxy.learning.lists import Lists
from trioproxy.learning.minimize import opened_operations

TRAEFIK = Learned(
    name="traefik",
    runs=3,
    first="2026-11-24",
    last="2026-11-26",
    watched="3 h 20 min",
    last_new_run=2,
    operations=["SystemPingHead", "SystemEvents", "ContainerList", "ContainerInspect"],
)

# A list of containers, their streams by WebSocket, events and pings: what these four need.
SECTIONS = {"CONTAINERS": "1", "EVENTS": "1", "PING": "1", "VERSION": "0"}
OPENED = f"{len(opened_operations(SECTIONS, [TECNATIVA]))} operations"

TEXT = f"""\
# trioproxy {__version__} learned "traefik" in 3 runs, 2026-11-24 to 2026-11-26, watched for 3 h 20 min, last new operation in run 2
#
#   ContainerInspect         GET    /containers/{{id}}/json        secret-leak: reads secrets from a container's environment
#   ContainerList            GET    /containers/json             secret-leak: lists containers with commands, labels and mounts
#   SystemEvents             GET    /events                      secret-leak: watches all that happens, other people's exec commands too
#   SystemPingHead           HEAD   /_ping
#
# tecnativa: CONTAINERS=1 VERSION=0; opens {OPENED}
ALLOW_OPERATIONS=ContainerInspect,ContainerList,SystemEvents,SystemPingHead
"""


def learned(**changes: object) -> Learned:
    values = {name: getattr(TRAEFIK, name) for name in Learned.__dataclass_fields__}
    return Learned(**{**values, **changes})


def test_text() -> None:
    """The file names run and operations, and its last line alone grants."""
    assert render(TRAEFIK) == TEXT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "in 3 runs, ", id="live"),
        pytest.param({"log_runs": 3}, "from logs, routes only, in 3 runs, ", id="logs"),
        pytest.param(
            {"log_runs": 1}, "in 3 runs (1 from logs, routes only), ", id="mixed"
        ),
        pytest.param(
            {"log_runs": 1, "failed_runs": 2},
            "in 3 runs (2 failed, 1 from logs, routes only), ",
            id="failed",
        ),
        pytest.param({"runs": 0}, "in 0 runs, ", id="none"),
    ],
)
def test_where_it_was_learned(changes: dict[str, object], words: str) -> None:
    """The first line says how many runs were read from logs, which show routes only."""
    first = render(learned(**changes)).splitlines()[0]
    assert f'learned "traefik" {words}2026-11-24' in first


def test_what_no_log_proves() -> None:
    """What logs show without a status is listed, and the list is ours to write anew."""
    text = render(learned(unproven=["ImageList"]))
    title = "in logs that do not say how they ended, so not granted"
    assert re.search(rf"\n#\n# {title};.*\n#   ImageList +GET +/images/json\n", text)
    assert render(learned(), text) == render(TRAEFIK)


def test_nothing_learned() -> None:
    """A file without a grant is a whole policy that refuses everything."""
    text = render(learned(operations=[], runs=1, last_new_run=0))
    policy, warnings = parse_policy_file(text, name="f")
    assert (len(policy.opened_operations), warnings) == (0, ())
    assert (
        "in 1 run, 2026-11-24 to 2026-11-26, watched for 3 h 20 min, last new operation in run 0\n"
        in text
    )
    assert "ALLOW_OPERATIONS=\n" in text


def test_comments() -> None:
    """What is not granted, and what no variable opens, is told in comments."""
    text = render(
        learned(
            last="2026-11-24",
            operations=["DebugVars", "GET:/frob/{x}", "ContainerCreate", "ImageDelete"],
            failed=["ContainerKill"],
            declined=["ImagePrune", "ContainerTop"],
            unknown=[("GET", "CONTAINERS"), ("POST", "")],
        )
    )
    sections = {"CONTAINERS": "1", "IMAGES": "1", "POST": "1"}
    opened = opened_operations(
        {**dict.fromkeys(ON_BY_DEFAULT, "0"), **sections}, [TECNATIVA]
    )
    assert ", 2026-11-24, watched" in text
    assert [line for line in text.splitlines()[1:] if line.startswith("#")] == [
        "#",
        f"#   ContainerCreate          POST   /containers/create           HOST-ROOT: {OPERATIONS['ContainerCreate'][0].summary}",
        "#   DebugVars                GET    /debug/vars",
        "#   GET:/frob/{x}",
        f"#   ImageDelete              DELETE /images/{{name}}               DESTRUCTIVE: {OPERATIONS['ImageDelete'][0].summary}",
        "#",
        "# only ever failed, so not granted (a 403 from now on); --include-failed grants them:",
        "#   ContainerKill            POST   /containers/{id}/kill",
        "#",
        "# declined, so not granted; --restore NAME grants one again:",
        "#   ContainerTop             GET    /containers/{id}/top",
        "#   ImagePrune               POST   /images/prune",
        "#",
        "# routes that this version does not know, not granted: GET in CONTAINERS, POST in no section",
        "#",
        f"# tecnativa: CONTAINERS=1 IMAGES=1 POST=1 EVENTS=0 PING=0 VERSION=0; opens {len(opened)} operations, and none of its variables opens DebugVars, GET:/frob/{{x}}",
    ]


def test_a_run_without_news_changes_one_line() -> None:
    """A further run that saw nothing new changes the first line and no other."""
    before = render(TRAEFIK).splitlines()
    after = render(learned(runs=4, last="2026-12-01"), "\n".join(before)).splitlines()
    assert [
        n for n, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1
    ] == [0]


def test_lines_of_others_stay() -> None:
    """Comments, settings and unknown variables of the old file stay, in their order, above."""
    old = "# Ours since 2026.\n\nTZ=UTC\nPOST=1\n# why:\nCOMPAT=linuxserver\n ALLOW_LOGS=1\n#   a note\nFOO=a b"
    text = render(TRAEFIK, old)
    kept = "# Ours since 2026.\n\nTZ=UTC\n# why:\nCOMPAT=linuxserver\n#   a note\nFOO=a b\n"
    assert text == kept + TEXT
    assert render(TRAEFIK, text) == text
    assert render(TRAEFIK, TEXT + kept) == text


def test_a_comment_among_ours_stays() -> None:
    """A line that a person wrote between our comments is kept."""
    old = render(TRAEFIK).replace("#\n", "#\n# reviewed by Ada\n", 1)
    assert foreign_lines(old) == ["# reviewed by Ada"]
    assert render(TRAEFIK, old) == f"# reviewed by Ada\n{TEXT}"


def test_what_earlier_versions_wrote_goes() -> None:
    """Their section lines, and how they said their price, are not kept beside the new lines."""
    first, rest = TEXT.split("\n", 1)
    for said in (
        "# price: 4 operations used; under section variables alone this file opens 14 (1 of them writes)",
        "# 4 operations used; in tecnativa/docker-socket-proxy the same file would open 14 operations, 1 of them writes\n#\n# no section variable opens these:",
    ):
        old = (
            f"{first}\n{said}\n{rest}CREATE_CAPS=\nCONTAINERS=1\nALLOW_LOGS=1\nPOST=0\n"
        )
        assert render(TRAEFIK, old) == TEXT


def test_old_comments_go() -> None:
    """Each comment that we write is known again and replaced."""
    text = render(
        learned(
            operations=[*OPERATIONS, "GET:/frob/{x}"],
            failed=OPERATIONS,
            declined=OPERATIONS,
            unknown=[("OTHER", "IMAGES")],
        )
    )
    assert foreign_lines(text) == []


HOSTILE = 'x"\nPOST=1\n$(touch x)`\\\x00\x7f\u2028é, *~#'


def test_hostile_text() -> None:
    """Whatever text comes in as a name or a value, no line, quote or expansion comes of it."""
    text = render(
        learned(
            name=HOSTILE,
            first=HOSTILE,
            last=HOSTILE,
            watched=HOSTILE,
            unknown=[(HOSTILE, HOSTILE)],
        )
    )
    assert not set(text) & set("$`\\\x00\x7f\u2028é~")
    assert text.count("\n") == render(TRAEFIK).count("\n") + 2
    assert envfile.parse(text, name="f") == envfile.parse(render(TRAEFIK), name="f")


granted = st.frozensets(
    st.sampled_from(
        [
            *sorted(OPERATIONS.keys() - {"BuildKitGrpc"}),
            "GET:/images/{x}/y",
            "PUT:/frob",
        ]
    )
)


@given(granted, granted)
def test_what_was_learned_is_allowed(
    operations: frozenset[str], failed: frozenset[str]
) -> None:
    """The file grants exactly what was learned, without a warning."""
    text = render(learned(operations=operations, failed=failed))
    policy, warnings = parse_policy_file(text, name="f")
    assert warnings == ()
    assert {*policy.operations, *map(str, policy.routes)} == operations
    heads = {
        "ContainerArchive": "ContainerArchiveInfo",
        "LibpodContainerArchive": "LibpodContainerArchiveInfo",
        "LibpodPing": "LibpodPingHead",
        "SystemPing": "SystemPingHead",
    }
    known = operations & OPERATIONS.keys()
    assert policy.opened_operations == known | {
        heads[name] for name in known if name in heads
    }


@given(granted)
def test_every_line_is_an_assignment_or_a_comment(operations: frozenset[str]) -> None:
    """The file holds comments on lines of their own and plain assignments, nothing else."""
    for line in render(learned(operations=operations)).splitlines():
        assert re.fullmatch(r"#[ -~]*|[A-Z_]+=[A-Za-z0-9_./:@{}*+,-]*", line)


@given(granted, st.text(st.sampled_from("#=\n AP1"), max_size=30))
def test_rendering_is_stable(operations: frozenset[str], old: str) -> None:
    """Rendered over its own output, a file stays byte for byte the same."""
    once = render(learned(operations=operations), old)
    assert render(learned(operations=operations), once) == once


@pytest.mark.parametrize("old", ["", "\n", "# x", "A=1\n"], ids=ascii)
def test_small_old_files(old: str) -> None:
    """An old file of any small kind keeps its text above ours."""
    above = old.removesuffix("\n") + "\n" if old else ""
    assert render(TRAEFIK, old) == above + render(TRAEFIK)


def test_notes_stay_with_their_operations() -> None:
    """A note is kept wherever its operation is listed, and once only."""
    text = render(learned(failed=["ContainerKill"], declined=["ImagePrune"]))
    noted = text
    for name in ("ContainerKill", "ContainerList", "ImagePrune", "ContainerInspect"):
        line = next(line for line in noted.splitlines() if f"#   {name} " in line)
        noted = noted.replace(line, f"{line}   # of {name}: \u00e9 #2")
    again = render(learned(failed=["ContainerKill"], declined=["ImagePrune"]), noted)
    assert again.split() == noted.split()
    assert (
        render(learned(failed=["ContainerKill"], declined=["ImagePrune"]), again)
        == again
    )
    moved = render(
        learned(operations=["ImagePrune"], declined=["ContainerList"]), noted
    )
    kept = [line.partition("   # ")[2] for line in moved.splitlines()]
    assert list(filter(None, kept)) == [
        "of ImagePrune: \u00e9 #2", "of ContainerList: \u00e9 #2",
    ]  # fmt: skip


LISTS = Lists(
    values={
        "CREATE_BASE": "/srv/app",
        "CREATE_BINDS": "/etc,/tmp/run-*{2},{base}/data",
        "CREATE_CAPS": "NET_ADMIN",
        "EXEC_PRIVILEGED": "",
    },
    declined=frozenset({"CREATE_PRIVILEGED=1"}),
    capped=frozenset({"CREATE_BINDS=/root"}),
    failed=frozenset({"CREATE_BINDS=/nowhere"}),
    by_hand=frozenset({"CREATE_CAPS=NET_ADMIN"}),
    unlisted={"CREATE_OPTIONS": frozenset({"ContainerCreate", "VolumeCreate"})},
    open={Family.PULL: "nothing is known of what ImageCreate asked for"},
    holes={"CREATE_BINDS=/tmp/run-*{2}": (5, 3)},
)


def test_lists() -> None:
    """Each item has a line that says why it should be looked at; what is not listed has one too."""
    text = render(learned(operations=["ContainerCreate", "ImageCreate"], lists=LISTS))
    begin = text.index("# what requests may")
    told = text[begin:]
    assert (
        told
        == f"""\
# what requests may ask for beyond what is harmless:
#   CREATE_BINDS      /etc                         HOST-ROOT: is /etc
#   CREATE_BINDS      /tmp/run-*{{2}}                varies: 5 values in 3 runs
#   CREATE_BINDS      {{base}}/data
#   CREATE_CAPS       NET_ADMIN                    added by hand
#   EXEC_*            nothing
#
# asked for, and not listed:
#   CREATE_PRIVILEGED 1                            declined
#   CREATE_BINDS      /root                        beyond the ceiling
#   CREATE_BINDS      /nowhere                     only ever failed
#   CREATE_OPTIONS    what no list can hold, by ContainerCreate and VolumeCreate
#
# left open:
#   PULL_* nothing is known of what ImageCreate asked for
#
# {in_tecnativa(["ContainerCreate", "ImageCreate"])}
CREATE_BASE=/srv/app
CREATE_BINDS=/etc,/tmp/run-*{{2}},{{base}}/data
CREATE_CAPS=NET_ADMIN
EXEC_PRIVILEGED=
ALLOW_OPERATIONS=ContainerCreate,ImageCreate
"""
    )
    assert foreign_lines(text) == []
    assert render(learned(operations=["ContainerCreate"], lists=LISTS), text) == render(
        learned(operations=["ContainerCreate"], lists=LISTS)
    )


def test_text_of_an_older_version_is_no_note() -> None:
    """Our own words change from version to version, and are not taken for a person's."""
    text = render(TRAEFIK).replace("reads secrets from", "shows all that is in")
    assert render(TRAEFIK, text) == render(TRAEFIK)


def test_what_is_said_of_files_and_states_stays_in_its_lines() -> None:
    """Names of files and states are part of comments that are written anew each time."""
    changes: dict[str, object] = {
        "failed_runs": 1,
        "groups": ["a/app.env: run 1 of 2", "b\nPOST=1: run 2 of 2"],
        "unseen": [("ImageCreate", "missing image")],
        "by_hand": ["ContainerList", "SystemPingHead"],
    }
    text = render(learned(**changes))
    assert "in 3 runs (1 failed), " in text
    assert "operation in a/app.env: run 1 of 2; b%0APOST%3D1: run 2 of 2\n" in text
    assert "HEAD   /_ping                       added by hand\n" in text
    assert "added by hand: secret-leak: " in text
    assert render(learned(**changes), text) == text
    assert render(TRAEFIK, text) == render(TRAEFIK)
