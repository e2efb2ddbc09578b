import re
import shlex
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upgrade import DATA
from trioproxy.api.routes import OPERATIONS
from trioproxy.file import envfile
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.learnedfile import (
    Learned,
    in_tecnativa,
    keep_foreign,
    render,
)
from trioproxy.learning.minimize import opened_operations

WRITTEN_BEFORE = [
    one for one in sorted(DATA.glob("*/*.env")) if "Learned for" in one.read_text()
]
TRAEFIK = Learned(
    name="traefik",
    file="traefik.env",
    operations=["SystemPingHead", "SystemEvents", "ContainerList", "ContainerInspect"],
)

# A list of containers, their streams by WebSocket, events and pings: what these four need.
SECTIONS = {"CONTAINERS": "1", "EVENTS": "1", "PING": "1", "VERSION": "0"}
OPENED = f"{len(opened_operations(SECTIONS, [TECNATIVA]))} operations"

TEXT = f"""\
# Root on the host: no known way.
# Learned for "traefik"; trioproxy explain traefik.env says when, and if it is ready.
#
# reads secrets:
#   ContainerInspect       reads secrets from a container's environment
#   ContainerList          lists containers with their commands and labels
#   SystemEvents           watches what happens, other people's exec commands too
# harmless: SystemPingHead
# not limited: which containers, networks and volumes may be named
# tecnativa: CONTAINERS=1 VERSION=0; opens {OPENED} instead of 4
ALLOW_OPERATIONS=ContainerInspect,ContainerList,SystemEvents,SystemPingHead
"""

CI = Learned(
    name="ci",
    file="ci.env",
    operations=[
        *("ContainerCreate", "ContainerDelete", "ContainerExec", "ContainerInspect"),
        *("ContainerStart", "ExecStart", "ImageCreate", "ImageList", "SystemAuth"),
    ],
    lists={
        "CREATE_BASE": "/srv/app",
        "CREATE_BINDS": "/etc:ro,/tmp/run-*{2},{base}/data",
        "CREATE_CAPS": "NET_ADMIN",
        "EXEC_PRIVILEGED": "",
        "ONLY_CONTAINERS": "@own",
        "ONLY_NETWORKS": "@own,bridge",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": "ci",
    },
    asked=frozenset({"CREATE", "EXEC", "CREATE_BINDS", "CREATE_CAPS", "CREATE_PORTS"}),
)


def changed(learned: Learned, **changes: object) -> Learned:
    values = {name: getattr(learned, name) for name in Learned.__dataclass_fields__}
    return Learned(**{**values, **changes})


def test_what_a_list_opens_is_counted_as_explain_counts_it() -> None:
    """With a GET passes the HEAD of its path, which no line names."""
    policy, _ = parse_policy_file("ALLOW_OPERATIONS=ContainerArchive\n", name="a.env")
    assert len(policy.opened_operations) == 2
    told = "CONTAINERS=1 EVENTS=0 PING=0 VERSION=0; opens 11 operations instead of 2"
    assert in_tecnativa(["ContainerArchive"]) == f"tecnativa: {told}"


def test_text() -> None:
    """The file says what it means, what each operation risks, and its last line alone grants."""
    assert render(TRAEFIK) == TEXT


def test_what_is_limited_and_what_is_root() -> None:
    """Values by which a way to root goes come first; what lists hold is limited, and not
    root; what was asked for or is listed is not told as never asked for; and what nothing limits
    is open."""
    assert (
        render(CI)
        == f"""\
# Root on the host: yes, by ContainerCreate: CREATE_BINDS=/etc:ro.
# Learned for "ci"; trioproxy explain ci.env says when, and if it is ready.
#
# gives root on the host until struck out:
#   CREATE_BINDS=/etc:ro   is root's own
# limited to what is harmless or in the lists:
#   ContainerCreate        makes a container
#   ContainerExec          prepares a command to run in a container
#   ExecStart              runs a prepared command
# removes or replaces things:
#   ContainerDelete        removes a container, running ones with force
#   ImageCreate            pulls or imports an image, replaces tags
# starts, stops or disturbs what runs:
#   ContainerStart         starts a container
# reads secrets:
#   ContainerInspect       reads secrets from a container's environment
# reads about the host and its containers: ImageList
#   SystemAuth             tries registry credentials on any host
# not limited: what ImageCreate may ask for
# never asked for, so refused: devices, host namespaces, privileged, privileged commands
# {in_tecnativa([*CI.operations])}
CREATE_BASE=/srv/app
CREATE_BINDS=/etc:ro,/tmp/run-*{{2}},{{base}}/data
CREATE_CAPS=NET_ADMIN
EXEC_PRIVILEGED=
ONLY_CONTAINERS=@own
ONLY_NETWORKS=@own,bridge
ONLY_VOLUMES=@own
ONLY_OWNER=ci
ALLOW_OPERATIONS=ContainerCreate,ContainerDelete,ContainerExec,ContainerInspect,ContainerStart,ExecStart,ImageCreate,ImageList,SystemAuth
"""
    )
    text = render(changed(CI, asked=frozenset({"CREATE"})))
    assert (
        "\n# never asked for, so refused: devices, host namespaces, ports, privileged\n"
        in text
    )


def test_nothing_learned() -> None:
    """A file without a grant is a whole policy that refuses everything, and limits nothing."""
    text = render(changed(TRAEFIK, operations=[]))
    policy, warnings = parse_policy_file(text, name="f")
    assert (len(policy.opened_operations), warnings) == (0, ())
    assert text.endswith("\nALLOW_OPERATIONS=\n")
    assert "not limited" not in text


def test_what_no_table_knows() -> None:
    """A route that a person wrote stands under a title of its own."""
    text = render(changed(TRAEFIK, operations=["DebugVars", "GET:/frob/{x}"]))
    assert "# not known to this version: GET:/frob/{x}\n" in text
    assert ", and none of its variables opens DebugVars, GET:/frob/{x}\n" in text


# --- What others wrote ----------------------------------------------------------------


def test_lines_of_others_stay() -> None:
    """Comments, settings and unknown variables stay, each block above what it stood above;
    also what looks like the rest of a list, or like the one line of ours that is empty."""
    old = """\
# Ours since 2026.

TZ=UTC
CONTAINERS=1
# why so few:
  # of which the list is
ALLOW_OPERATIONS=ContainerList
# why:
COMPAT=linuxserver
FOO=a b
"""
    head, above, behind = (
        "# Ours since 2026.\n\n",
        "TZ=UTC\nCONTAINERS=1\n# why so few:\n  # of which the list is\n",
        "# why:\nCOMPAT=linuxserver\nFOO=a b\n",
    )
    told, granted = TEXT.removesuffix("\n").rsplit("\n", 1)
    text = render(TRAEFIK, old)
    assert text == f"{head}{behind}{told}\n{above}{granted}\n"
    assert render(TRAEFIK, text) == text
    assert "#     so far\n" in render(CI, f"{render(CI)}#     so far\n")
    for text in (f"# mine\n#\n# all\n{TEXT}", TEXT.replace("# harm", "#\n# harm")):
        assert render(TRAEFIK, text) == text


@pytest.mark.parametrize(
    "comment",
    [
        "# reviewed by Ada",
        "#   - see ticket 7",
        "#     so far",
        "# harmless, I think",
        "# harmless: as Ada says",
        "# reads secrets: ContainerLogs, as Ada says",
        "# open: ticket 7",
        "",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("at", range(1, TEXT.count("\n") + 1))
def test_a_line_among_ours_stays_there(comment: str, at: int) -> None:
    """What a person writes between any two of our lines is there after each learning."""
    lines = TEXT.splitlines(keepends=True)
    old = "".join([*lines[:at], f"{comment}\n", *lines[at:]])
    text = render(TRAEFIK, old)
    if at < len(lines):
        assert text == old
    else:  # below the last line stands nothing
        assert text == f"{comment}\n{TEXT}"
    assert render(TRAEFIK, text) == text


def test_a_comment_goes_where_its_line_goes() -> None:
    """What stood above an operation stands above it under any title, where it is gone above
    the next one, and at the head where there is none."""
    above = "#   ContainerStart  "
    old = render(CI).replace(above, f"# needs no stop\n{above}")
    lists = {k: v for k, v in CI.lists.items() if k.startswith("EXEC")}
    text = render(changed(CI, lists=lists), old)
    assert f"# needs no stop\n{above}" in text
    less = [name for name in CI.operations if name != "ContainerStart"]
    assert "# needs no stop\n# reads secrets:\n" in render(
        changed(CI, operations=less), old
    )
    assert render(TRAEFIK, "# mine\nCREATE_PORTS=80\n") == f"# mine\n{TEXT}"


def test_notes_stay_with_their_rows() -> None:
    """A note behind a row stays on it, and becomes a comment where the row is gone."""
    noted = render(CI)
    for name in ("ContainerInspect", "ContainerStart", "CREATE_BINDS=/etc:ro"):
        line = next(one for one in noted.splitlines() if f"#   {name} " in one)
        noted = noted.replace(line, f"{line}   # of {name}: \u00e9 # 2")
    assert render(CI, noted) == noted
    less = [name for name in CI.operations if name != "ContainerStart"]
    text = render(changed(CI, operations=less), noted)
    assert "\n# ContainerStart: of ContainerStart: \u00e9 # 2\n" in text
    assert text.count("# 2") == noted.count("# 2")
    assert render(changed(CI, operations=less), text) == text
    noted = TEXT.replace(": SystemPingHead", ":\n#   SystemPingHead   # who else?")
    assert render(TRAEFIK, noted) == noted


def test_text_of_another_version_is_no_note() -> None:
    """Our own words change from version to version, and are not taken for a person's."""
    text = render(TRAEFIK).replace("reads secrets from", "shows all that is in")
    assert render(TRAEFIK, text) == render(TRAEFIK)


@pytest.mark.parametrize("file", WRITTEN_BEFORE, ids=lambda one: one.stem)
def test_comments_of_a_released_version_are_ours(file: Path) -> None:
    """Of what 0.2.0 wrote no comment is taken for a person's, and none is there twice."""
    assert keep_foreign(file.read_text()) == ""


def test_a_row_of_each_operation_is_ours() -> None:
    """Else its row would stay as a reviewer's comment, and stand there twice."""
    rows = "".join(f"#   {name}  says\n" for name in OPERATIONS)
    assert not keep_foreign(TEXT.replace("# harmless", f"{rows}# harmless"))


def test_a_list_that_says_the_same_stays_as_it_was_written() -> None:
    """By hand lists have an order, and lines too; only what is granted anew changes one. What
    grants stands last all the same."""
    old = """\
ALLOW_OPERATIONS=ImageList
ONLY_OWNER=ci
ONLY_NETWORKS=bridge,@own
ONLY_CONTAINERS=@own
  CREATE_CAPS=NET_ADMIN
EXEC_PRIVILEGED=
CREATE_BINDS={base}/data,/etc:ro
"""
    assert [one for one in render(CI, old).splitlines() if one[0] != "#"] == [
        "CREATE_BASE=/srv/app",
        "ONLY_OWNER=ci",
        "ONLY_NETWORKS=bridge,@own",
        "ONLY_VOLUMES=@own",
        "ONLY_CONTAINERS=@own",
        "  CREATE_CAPS=NET_ADMIN",
        "EXEC_PRIVILEGED=",
        f"CREATE_BINDS={CI.lists['CREATE_BINDS']}",
        f"ALLOW_OPERATIONS={','.join(CI.operations)}",
    ]


def test_the_name_is_given_once() -> None:
    """Whoever goes on with the file says whose it is as the one who began it."""
    assert render(changed(TRAEFIK, name="app"), TEXT) == TEXT


def test_started_over() -> None:
    """Of a file that is begun anew the lines of others are left, and nothing that grants."""
    assert keep_foreign(f"# mine\nPOST=1\nTZ=UTC\n{TEXT}") == "# mine\nTZ=UTC\n"
    every = changed(CI, operations=[*OPERATIONS, "GET:/frob/{x}"])
    assert keep_foreign(render(every)) == ""


HOSTILE = 'x"\nPOST=1\n$(touch x)`\\\x00\x7f\u2028é, *~#'


def test_hostile_text() -> None:
    """Whatever text comes in as a name, no line, quote or expansion comes of it."""
    text = render(changed(TRAEFIK, name=HOSTILE, file=HOSTILE))
    assert not set(text) & set("$`\\\x00\x7f\u2028é~")
    assert envfile.parse(text, name="f") == envfile.parse(TEXT, name="f")
    assert render(changed(TRAEFIK, name=HOSTILE, file=HOSTILE), text) == text


@pytest.mark.parametrize(
    ("file", "said"),
    [
        pytest.param("my app.env", "my app.env", id="space"),
        pytest.param("bücher.env", "bücher.env", id="umlaut"),
        pytest.param("-x.env", "./-x.env", id="dash"),
        pytest.param(f"{'word ' * 40}.env", f"{'word ' * 40}.env", id="long"),
        pytest.param("a'b.env", "FILE", id="quote"),
        pytest.param("a\nb.env", "FILE", id="line-end"),
    ],
)
def test_what_the_file_says_to_type_is_about_it(file: str, said: str) -> None:
    """The command names the file as a shell takes it and in one line, or says FILE."""
    text = render(changed(TRAEFIK, file=file))
    (line,) = (one for one in text.splitlines() if "trioproxy explain" in one)
    typed = shlex.split(line[line.index("trioproxy") :])
    assert typed[:3] == ["trioproxy", "explain", said]
    assert envfile.parse(text, name="f") == envfile.parse(TEXT, name="f")
    assert render(changed(TRAEFIK, file=file), text) == text


# --- Any file -------------------------------------------------------------------------

granted = st.frozensets(
    st.sampled_from(
        [
            *sorted(OPERATIONS.keys() - {"BuildKitGrpc"}),
            "GET:/images/{x}/y",
            "PUT:/frob",
        ]
    )
)


@given(granted)
def test_what_was_learned_is_allowed(operations: frozenset[str]) -> None:
    """The file grants exactly what was learned, without a warning, and says of root what
    `explain` does."""
    text = render(changed(TRAEFIK, operations=operations))
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
    verdict, _, _ = text.partition('.\n# Learned for "')
    assert re.sub(r"\n#     | ", " ", verdict) == f"# R{meaning_of(policy).answer[1:]}"


@given(granted)
def test_every_line_is_an_assignment_or_a_comment(operations: frozenset[str]) -> None:
    """The file holds comments on lines of their own and plain assignments, nothing else."""
    for line in render(changed(TRAEFIK, operations=operations)).splitlines():
        assert re.fullmatch(r"#[ -~]*|[A-Z_]+=[A-Za-z0-9_./:@{}*+,-]*", line)


@given(granted, st.text(st.sampled_from("#=\n AP1"), max_size=30))
def test_rendering_is_stable(operations: frozenset[str], old: str) -> None:
    """Rendered over its own output, a file stays byte for byte the same."""
    once = render(changed(TRAEFIK, operations=operations), old)
    assert render(changed(TRAEFIK, operations=operations), once) == once


@given(granted, granted, st.data())
def test_no_line_of_others_is_lost(
    before: frozenset[str], after: frozenset[str], data: st.DataObject
) -> None:
    """Wherever a person writes lines into a file, all are there in their order when it
    grants something else, and none of ours is there twice."""
    lines = render(changed(CI, operations=before)).splitlines()
    places = data.draw(st.lists(st.integers(0, len(lines)), max_size=5, unique=True))
    written = {at: f"# note {at}" for at in places if not _is_rest(lines, at)}
    old = [[*([written[at]] if at in written else []), line] for at, line in enumerate([*lines, ""])]  # fmt: skip
    text = render(changed(CI, operations=after), "\n".join(chain(*old)))
    left = [one for one in text.splitlines() if one not in written.values()]
    assert sorted(written.values()) == sorted(
        one for one in text.splitlines() if one in written.values()
    )
    assert left == render(changed(CI, operations=after)).splitlines()


def _is_rest(lines: list[str], at: int) -> bool:
    """Whether a line is the rest of the one above it."""
    return at < len(lines) and lines[at].startswith("#     ")


@pytest.mark.parametrize("old", ["", "\n", "# x", "A=1\n"], ids=ascii)
def test_small_old_files(old: str) -> None:
    """An old file of any small kind keeps its text above ours."""
    above = old.removesuffix("\n") + "\n" if old else ""
    assert render(TRAEFIK, old) == above + render(TRAEFIK)
