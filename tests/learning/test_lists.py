"""What requests asked for becomes the lists of the file: learned, reviewed, learned again.

Each test goes the whole way but for sockets and disks: bodies are judged and recorded,
the evidence is dumped and read, the file is written, read back, and judges bodies itself.
"""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge.judging import judged, outcome_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import NOWHERE, Family, Kind, Places
from trioproxy.errors import ConfigError
from trioproxy.evidence import evidencefile
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import VALUES_KEPT, Evidence
from trioproxy.file.envfile import parse
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.gate import Gate
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.proposal import (
    Proposal,
    env_text,
    propose,
    refuse_excess,
    refuse_restore,
)
from trioproxy.learning.wish import Wish
from trioproxy.limits.grant import Grant
from trioproxy.limits.things import Missing, Thing

WISH = Wish(name="app", file="app.env")
CREATE = "/v1.45/containers/create"
EXEC = "/v1.45/containers/x/exec"


def create(host: Json = None, **others: Json) -> tuple[str, Json]:
    return CREATE, {"Image": "nginx", "HostConfig": host, **others}


def execute(*words: str, **others: Json) -> tuple[str, Json]:
    return EXEC, {"Cmd": list(words), **others}


def bind(*sources: str) -> tuple[str, Json]:
    return create({"Binds": [f"{one}:/x" for one in sources]})


class File:
    """An env file and its evidence, learned run by run."""

    def __init__(self, wish: Wish = WISH, *, places: Places = NOWHERE, gate: Gate | None = None) -> None:  # fmt: skip
        self.wish = wish
        self.places = places
        self.text = ""
        self.evidence = Evidence()
        self.proposal = Proposal()
        self.runs = 0
        self.images: dict[tuple[Kind, str], Thing | Missing] = {}
        """What the Engine has under the ids that requests name."""
        self.gate = gate or Gate.learning(wish.ceiling, learns_arguments=wish.arguments)

    def learn(self, *requests: tuple[str, Json], status: int = 201) -> str:
        """One run; the file's text after it."""
        self.begin()
        for request in requests:
            self.ask(request, status)
        return self.write()

    def begin(self) -> None:
        self.runs += 1
        self.evidence.begin(f"2026-{self.runs:04}", 100 * self.runs)
        self.recorder = Recorder(
            self.evidence,
            now=lambda: 100.0 * self.runs,
            wake=lambda: None,
            clock=lambda: 0.0,
            places=self.places,
        )

    def ask(self, request: tuple[str, Json], status: int = 201) -> None:
        target, body = request
        verdict = judged(
            *(self.gate, "POST", target.encode()),
            body=body,
            is_read=True,
            known=self.images,
        )
        # As the proxy tells it: the body has gone on by then.
        self.recorder.note(outcome_of(verdict.in_words(), status))

    def write(self, *, going_on: str = "") -> str:
        """Save as `Store` does: evidence, file, then what the file listed."""
        self.proposal = propose(self.evidence, self.text, self.wish, going_on=going_on)
        self.text = env_text(self.evidence, self.proposal, self.text, self.wish)
        self.evidence.granted |= self.proposal.grants
        dumped = evidencefile.dump(self.evidence).encode()
        again = evidencefile.load(dumped, name="app.jsonl").evidence
        assert evidencefile.dump(again).encode() == dumped
        return self.text

    def lists(self) -> dict[str, str]:
        """The lines that limit."""
        prefixes = ("CREATE_", "EXEC_", "PULL_", "BUILD_")
        return {
            name: value
            for name, value in parse(self.text, name="app.env").items()
            if name.startswith(prefixes)
        }

    def edit(self, old: str, new: str) -> None:
        """Do as a reviewer does, in the lines that count; an empty line goes."""
        before, lines = self.text, list[str]()
        for line in self.text.split("\n"):
            changed = line if line.startswith("#") else line.replace(old, new)
            if changed or not line:
                lines.append(changed)
        self.text = "\n".join(lines)
        assert self.text != before

    def allows(self, request: tuple[str, Json]) -> bool:
        target, body = request
        gate = Gate.enforcing(parse_policy_file(self.text, name="app.env")[0])
        return judged(gate, "POST", target.encode(), body=body, is_read=True).decision.allowed  # fmt: skip


def test_what_was_asked_for_is_listed_and_nothing_else_passes() -> None:
    """A file that was learned from a create allows that one, and closes the family."""
    file = File()
    wanted = create({"Binds": ["/srv/app:/a:ro"], "CapAdd": ["net_admin"]})
    file.learn(wanted)
    assert file.proposal.lists.added == {*file.proposal.lists.items()}
    assert file.lists() == {
        "CREATE_BINDS": "/srv/app:ro",
        "CREATE_CAPS": "NET_ADMIN",
        "CREATE_IMAGES": "nginx:latest",
    }
    assert file.allows(wanted)
    others: list[Json] = [{"Binds": ["/srv/app:/a"]}, {"Privileged": True}, {"New": 1}]
    for host in others:
        assert not file.allows(create(host))


def test_a_family_of_which_nothing_was_asked_for_is_closed() -> None:
    """Harmless creates and execs leave an empty list, hence a closed family."""
    file = File()
    file.learn(
        ("/networks/create", {"Name": "n"}),
        ("/exec/x/start", {"Detach": False}),
        ("/build?q=1", None),
    )
    assert file.lists() == {"CREATE_BINDS": "", "EXEC_PRIVILEGED": "", "BUILD_OPTIONS": ""}  # fmt: skip
    assert not file.allows(("/networks/create", {"Driver": "macvlan"}))
    assert "\nCREATE_BINDS=\n" in file.text


def test_when_a_file_was_saved_does_not_show() -> None:
    """The empty list that closed a family goes when there is one that closes it."""
    file = File()
    file.begin()
    file.ask(("/networks/create", {"Name": "n"}))
    file.write(going_on=file.evidence.run)
    assert file.lists() == {"CREATE_BINDS": ""}
    file.ask(create({"CapAdd": ["NET_ADMIN"]}))
    file.write()
    assert set(file.lists()) == {"CREATE_CAPS", "CREATE_IMAGES"}


def test_what_varies_is_listed_with_a_hole_after_the_second_run() -> None:
    """One run makes no hole; two do, and take the place of what the first one listed."""
    file = File()
    file.learn(bind("/tmp/tmpab12cd34", "/srv"))
    assert file.lists()["CREATE_BINDS"] == "/srv,/tmp/tmpab12cd34"
    file.learn(bind("/tmp/tmpzz9_81kq", "/srv"))
    assert file.lists()["CREATE_BINDS"] == "/srv,/tmp/tmp{rand8}"
    assert file.proposal.lists.holes == {Grant("CREATE_BINDS", "/tmp/tmp{rand8}")}
    assert file.allows(bind("/tmp/tmp00000000", "/srv"))
    assert not file.allows(bind("/tmp/tmp000000000"))
    file.learn(bind("/tmp/tmpq1w2e3r4", "/srv"))
    assert file.lists()["CREATE_BINDS"] == "/srv,/tmp/tmp{rand8}"
    for port in ("9001", "9002"):
        file.learn(create({"PortBindings": {"1/tcp": [{"HostPort": port}]}}))
    assert file.lists()["CREATE_PORTS"] == "9001-9002"


def test_one_long_run_of_many_creations_makes_a_hole() -> None:
    """What was made up for each creation of a single run is told by its shape, once it is over."""
    file = File()
    file.begin()
    file.ask(bind("/tmp/tmpab12cd34", "/srv"))
    file.ask(bind("/tmp/tmpzz9_81kq", "/srv"))
    file.write(going_on=file.evidence.run)
    assert file.lists()["CREATE_BINDS"] == "/srv,/tmp/tmpab12cd34,/tmp/tmpzz9_81kq"
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/srv,/tmp/tmp{rand8}"


def test_a_hole_where_others_write_is_told_as_what_it_is() -> None:
    """A link that somebody on the host planted under a name that fits passes, and the verdict
    says who can do that."""
    file = File()
    for made in ("ab12cd", "zz99yy"):
        file.learn(bind(f"/tmp/build-{made}"))
    assert file.lists()["CREATE_BINDS"] == "/tmp/build-{rand6}"
    assert file.allows(bind("/tmp/build-aaaaaa"))  # which may be a link to /etc
    policy, _ = parse_policy_file(file.text, name="app.env")
    assert "except for who may write to /tmp on the host" in meaning_of(policy).answer


def test_what_was_asked_for_each_time_is_no_hole_of_one_run() -> None:
    """Two names of one creation, and of each, were not made up for it; nor were two ports of
    each run."""
    file = File()
    file.learn(bind("/tmp/tmpab12cd34", "/tmp/tmpzz9_81kq"))
    assert file.lists()["CREATE_BINDS"] == "/tmp/tmpab12cd34,/tmp/tmpzz9_81kq"
    file = File()
    two = create({"PortBindings": {f"{n}/tcp": [{"HostPort": f"900{n}"}] for n in (1, 2)}})  # fmt: skip
    for others in ([], [create()]):
        file.learn(two, *others)
        assert file.lists()["CREATE_PORTS"] == "9001,9002"


def test_names_with_other_letters_are_written_so_that_they_are_read() -> None:
    """Spaces, `@` and `%` stand beside a hole as escapes, and the file reads them back."""
    file = File()
    file.learn(bind("/srv/j/job@2", "/srv/my app 1", "/srv/100%-7"))
    file.learn(bind("/srv/j/job@3", "/srv/my app 2", "/srv/100%-8"))
    assert file.lists()["CREATE_BINDS"] == (
        "/srv/100%25-{num},/srv/j/job%40{num},/srv/my%20app%20{num}"
    )
    assert file.allows(bind("/srv/j/job@17", "/srv/my app 0", "/srv/100%-9"))
    assert not file.allows(bind("/srv/j/job17"))
    assert not file.allows(bind("/srv/j/job@2%200"))


def test_a_run_that_is_not_over_makes_no_hole() -> None:
    """What a run has not asked for yet, it may still: that shows nothing varies."""
    file = File()
    file.learn(bind("/srv/data-a1", "/srv/data-b2"))
    file.begin()
    file.ask(bind("/srv/data-a1", "/srv/data-c3"))
    file.write(going_on=file.evidence.run)
    assert file.lists()["CREATE_BINDS"] == "/srv/data-a1,/srv/data-b2,/srv/data-c3"
    file.ask(bind("/srv/data-b2"))
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/srv/data-a1,/srv/data-b2,/srv/data-c3"


def test_paths_below_the_folder_of_the_command_fit_another_checkout() -> None:
    """They are learned from `{base}` on; one line moves them."""
    file = File(places=Places("/home/me/app"))
    file.learn(bind("/home/me/app", "/home/me/app/data", "/home/me/apple", "/srv"))
    assert file.lists()["CREATE_BINDS"] == "/home/me/apple,/srv,{base},{base}/data"
    assert file.lists()["CREATE_BASE"] == "/home/me/app"
    file.edit("CREATE_BASE=/home/me/app", "CREATE_BASE=/ci/checkout")
    assert file.allows(bind("/ci/checkout/data"))
    assert not file.allows(bind("/home/me/app/data"))
    file.learn(bind("/home/me/app/data"))
    assert file.lists()["CREATE_BASE"] == "/ci/checkout"


def test_a_checkout_below_root_is_one_like_any_other() -> None:
    """What varies in it gets its holes, the verdict says root, and beside it nothing opens."""
    file = File(places=Places("/root/app", "/root/tmp"))
    for made in ("Ab12Cd34Ef", "Zz98Yy76Xx"):
        file.learn(bind(f"/root/app/runs/x-{made}", f"/root/tmp/tmp.{made}", f"/root/x-{made}"))  # fmt: skip
    own = "{base}/runs/x-{rand10},{tmp}/tmp.{rand10}"
    assert file.lists()["CREATE_BINDS"] == f"/root/x-Ab12Cd34Ef,/root/x-Zz98Yy76Xx,{own}"  # fmt: skip
    policy, _ = parse_policy_file(file.text, name="app.env")
    assert meaning_of(policy).is_root
    for variable, place in {
        "CREATE_BASE": "/srv/app",
        "CREATE_TMP": "/scratch",
    }.items():
        file.edit(f"{variable}={file.lists()[variable]}", f"{variable}={place}")
    assert file.allows(bind("/srv/app/runs/x-Qq55Ww66Ee", "/scratch/tmp.Qq55Ww66Ee"))
    file = File(places=Places("/home/me", "/tmp"))
    for made in ("ab12cd7", "zz99yy1"):  # `/tmp/{rand7}` may be `/tmp/screens`
        file.learn(bind(f"/tmp/{made}", f"/home/me/.ssh/{made}"))
    own = "{base}/.ssh/ab12cd7,{base}/.ssh/zz99yy1,{tmp}/ab12cd7,{tmp}/zz99yy1"
    assert file.lists()["CREATE_BINDS"] == own


MOVED = Places("/home/me/shop", "/scratch/a1", "shop")


def test_all_that_moves_fits_another_checkout() -> None:
    """The folder of temporary files and the Compose project are lines as the base is: with
    them edited the same session passes elsewhere, and there alone."""
    file = File(places=MOVED)

    def session(places: Places, made: str) -> list[tuple[str, Json]]:
        binds: list[Json] = [f"{places.base}/conf:/c:ro", f"{places.tmp}/tmp.{made}:/t"]
        image = f"{places.project}-web"
        return [create({"Binds": binds}, Image=image), create(None, Image="redis")]

    for made in ("Ab12Cd34Ef", "Zz98Yy76Xx"):
        file.learn(*session(MOVED, made))
    assert file.lists() == {
        "CREATE_BASE": "/home/me/shop",
        "CREATE_TMP": "/scratch/a1",
        "CREATE_PROJECT": "shop",
        "CREATE_BINDS": "{base}/conf:ro,{tmp}/tmp.{rand10}",
        "CREATE_IMAGES": "redis:latest,{project}-web:latest",
    }
    other = Places("/ci/build-7", "/var/run-9/tmp", "build-7")
    assert not any(map(file.allows, session(other, "Qq55Ww66Ee")[:1]))
    file.edit("CREATE_BASE=/home/me/shop", f"CREATE_BASE={other.base}")
    file.edit("CREATE_TMP=/scratch/a1", f"CREATE_TMP={other.tmp}")
    file.edit("CREATE_PROJECT=shop", f"CREATE_PROJECT={other.project}")
    assert all(map(file.allows, session(other, "Qq55Ww66Ee")))
    assert not any(map(file.allows, session(MOVED, "Qq55Ww66Ee")[:1]))
    # A run there brings nothing new.
    lists, file.places = file.lists(), other
    file.learn(*session(other, "Rr12Tt34Yy"))
    assert file.lists() == lists
    assert not file.proposal.has_news


def test_the_project_is_the_one_that_compose_says() -> None:
    """What a folder is called is a guess, which the label of what Compose makes corrects."""
    file = File(places=Places("/home/me/app", "", "app"))
    labels: Json = {"com.docker.compose.project": "other"}
    file.learn(
        create(None, Image="app-old"),
        create(None, Image="other-web", Labels=labels),
        create(None, Image="app-web"),
    )
    images = "app-web:latest,{project}-old:latest,{project}-web:latest"
    assert file.lists()["CREATE_IMAGES"] == images


def test_an_item_may_be_what_is_moving_by_now() -> None:
    """An image that was learned before its project was known, and is named by it now, stays as it
    is listed; the file says which project that is."""
    file = File()
    file.learn(create(None, Image="app-web"))
    file.places = Places("/home/me/app", "", "app")
    file.learn(create(None, Image="app-web"))
    assert file.lists()["CREATE_IMAGES"] == "app-web:latest"
    assert file.lists()["CREATE_PROJECT"] == "app"


def test_a_place_is_said_for_what_is_listed_alone() -> None:
    """Of a value that a person took out its folder or project is of no use to the file."""
    file = File(places=Places(base="/home/me/app", project="shop"))
    host: Json = {"Binds": ["/home/me/app/x:/x", "/srv:/y"]}
    file.learn(create(host, Image="shop-web"))
    file.text = "CREATE_BINDS=/srv\nALLOW_OPERATIONS=ContainerCreate\n"
    file.write()
    assert file.lists() == {"CREATE_BINDS": "/srv"}


def test_what_only_failed_is_not_listed() -> None:
    """A bind that the Engine refused is told, and granted on request alone."""
    file = File()
    file.learn(bind("/srv"))
    file.learn(bind("/nowhere"), status=400)
    assert file.lists()["CREATE_BINDS"] == "/srv"
    assert file.proposal.lists.failed == {Grant("CREATE_BINDS", "/nowhere")}
    file.wish = replace(WISH, include_failed=True)
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/nowhere,/srv"
    file.wish = WISH
    file.write()
    assert not file.proposal.lists.failed | file.proposal.lists.declined
    file = File()
    file.text = "ALLOW_OPERATIONS=ContainerCreate\n"
    file.learn(bind("/nowhere"), status=400)
    assert {one.item for one in file.proposal.lists.failed} == {
        "/nowhere",
        "nginx:latest",
    }


def test_what_was_only_refused_is_not_told_as_what_failed() -> None:
    """To include what failed lists nothing of it; once a person said no for good, it is told
    as declined, and restoring lists it."""
    ceiling = parse_policy_file(
        "CREATE_BINDS=/srv\nALLOW_OPERATIONS=ContainerCreate\n", name="c.env"
    )[0]
    file = File(gate=Gate.learning(ceiling, learns_arguments=True))
    file.learn(bind("/srv"), bind("/etc"))
    file.wish = replace(WISH, include_failed=True)
    file.write()
    etc = Grant("CREATE_BINDS", "/etc")
    assert not file.proposal.lists.failed
    assert file.proposal.lists.refused == {etc}
    file.evidence.granted.add(etc)  # as `approve` remembers a no
    file.write()
    assert not file.proposal.lists.refused
    assert file.proposal.lists.declined == {etc}
    file.wish = replace(WISH, restore=frozenset({etc}))
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/etc,/srv"


def test_what_a_reviewer_took_out_stays_out() -> None:
    """A value, a hole, a whole line: learned again, none of them comes back."""
    file = File()
    for number in ("17", "9"):
        file.learn(create({"Binds": ["/etc:/e", f"/tmp/run-{number}:/r"], "Privileged": True}))  # fmt: skip
    file.edit("CREATE_BINDS=/etc,/tmp/run-{num}", "CREATE_BINDS=")
    file.edit("CREATE_PRIVILEGED=1", "CREATE_CAPS=NET_ADMIN")
    file.learn(create({"Binds": ["/etc:/e", "/tmp/run-123:/r", "/srv:/s"], "Privileged": True}))  # fmt: skip
    assert file.lists() == {
        "CREATE_BINDS": "/srv",
        "CREATE_CAPS": "NET_ADMIN",
        "CREATE_IMAGES": "nginx:latest",
    }
    assert file.proposal.lists.declined == {
        Grant("CREATE_BINDS", "/etc"),
        Grant("CREATE_BINDS", "/tmp/run-{num}"),
        Grant("CREATE_PRIVILEGED", "1"),
    }
    assert file.proposal.lists.by_hand == {Grant("CREATE_CAPS", "NET_ADMIN")}
    file.wish = replace(WISH, restore=frozenset({Grant("CREATE_BINDS", "/etc")}))
    refuse_restore(file.evidence, file.text, file.wish)
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/etc,/srv"


@pytest.mark.parametrize("is_granted", [True, False])
@pytest.mark.parametrize(
    "line", ["CREATE_BINDS=/srv", "CREATE_IMAGES=nginx:latest"], ids=str
)
def test_what_is_restored_closes_a_family_without_lists(
    line: str, *, is_granted: bool
) -> None:
    """`--restore` brings an item back where no list of its family is left, and no other one;
    before the operation, too, which is limited when that comes back."""
    file = File()
    file.learn(bind("/srv"))
    if not is_granted:
        file.edit("ALLOW_OPERATIONS=ContainerCreate", "ALLOW_OPERATIONS=")
    file.edit("CREATE_BINDS=/srv", "")
    file.edit("CREATE_IMAGES=nginx:latest", "")
    variable, _, item = line.partition("=")
    file.wish = replace(WISH, restore=frozenset({Grant(variable, item)}))
    file.write()
    assert file.lists() == {variable: item}
    assert not file.allows(create({"Privileged": True}))


def test_restoring_a_value_that_was_never_listed_stops() -> None:
    """The error names what was declined, also what else is to be restored."""
    file = File()
    file.learn(bind("/etc", "/srv"))
    file.edit("/etc,/srv", "/srv")
    named = {Grant("CREATE_BINDS", item) for item in ("/etc", "/etcc")}
    wish = replace(WISH, restore=frozenset(named))
    with pytest.raises(ConfigError) as caught:
        refuse_restore(file.evidence, file.text, wish)
    assert caught.value.hint == "declined are: CREATE_BINDS=/etc"


@pytest.mark.deep
def test_a_list_that_is_full_keeps_what_it_has() -> None:
    """What finds no room in a line is said to be in no list, and not to have been taken out by
    a person; what a person wrote stays, whatever its place in the alphabet."""
    file = File()
    file.learn(bind("/srv/a"))
    file.text = file.text.replace("CREATE_BINDS=/srv/a", "CREATE_BINDS=/srv/a,/zoo/b")
    folders = [f"/srv/{'-'.join(3 * [one])}" for one in map(_word, range(900))]
    for _ in range(2):
        file.learn(*(bind(one) for one in folders))
        listed = parse(file.text, name="app.env")["CREATE_BINDS"]
        assert len(listed) < 32 * 1024
        assert {"/srv/a", "/zoo/b"} < set(listed.split(",")) < {"/zoo/b", "/srv/a", *folders}  # fmt: skip
        assert "CREATE_BINDS" in file.proposal.lists.unlisted
        assert not file.proposal.lists.declined


def _word(number: int) -> str:
    """A word of nine letters, another one for each number, in which no digit varies."""
    parts = ["ba", "co", "du", "fe", "gi", "ha", "jo", "ku", "le", "mi"]
    return "".join(parts[int(one)] for one in f"{number:05}")


def test_a_hole_brings_nothing_back_that_was_taken_out() -> None:
    """It would let pass what a person struck out."""
    file = File()
    file.learn(bind("/tmp/tmpab12cd34", "/srv"))
    file.edit("/srv,/tmp/tmpab12cd34", "/srv")
    file.learn(bind("/tmp/tmpzz9_81kq", "/srv"))
    assert file.lists()["CREATE_BINDS"] == "/srv"
    assert file.proposal.lists.declined == {Grant("CREATE_BINDS", "/tmp/tmpab12cd34")}


def test_what_a_reviewer_widened_or_narrowed_counts() -> None:
    """A wider item covers what is learned, and is needed for it; a narrower one is not widened
    again, and that is told."""
    file = File()
    file.learn(bind("/srv/a", "/etc"))
    file.edit("/etc,/srv/a", "/etc:ro,/srv/*")
    file.learn(bind("/srv/a", "/srv/b", "/etc"))
    assert file.lists()["CREATE_BINDS"] == "/etc:ro,/srv/*"
    assert file.proposal.lists.declined == {Grant("CREATE_BINDS", "/etc")}
    assert file.proposal.lists.by_hand == {Grant("CREATE_BINDS", "/etc:ro")}
    file.edit("CREATE_IMAGES=nginx:latest", "CREATE_IMAGES=*")
    file.learn(create(None, Image="busybox"))
    assert file.lists()["CREATE_IMAGES"] == "*"


def test_a_family_whose_lists_were_taken_out_stays_open() -> None:
    """Who takes them all out wants none; the file says how to close it again."""
    file = File()
    file.learn(bind("/srv"), execute("ls"))
    file.edit("CREATE_BINDS=/srv", "")
    file.edit("CREATE_IMAGES=nginx:latest", "")
    file.learn(bind("/etc"))
    assert not any(name.startswith("CREATE_") for name in file.lists())
    assert "# not limited: what ContainerCreate may ask for" in file.text
    assert file.proposal.lists.open == {
        Family.CREATE: "the file has none of its lists; to close it, add CREATE_BINDS="
    }
    assert file.allows(create({"Privileged": True}))
    file.text = f"{file.text}CREATE_BINDS=\n"
    file.learn(bind("/srv"))
    assert file.lists()["CREATE_BINDS"] == "/etc"  # what was asked for meanwhile


def test_what_is_not_granted_is_not_left_open() -> None:
    """Who takes out what creates, and its lists, is not told to close what is closed."""
    file = File()
    file.learn(bind("/srv"), execute("ls"))
    file.edit("ContainerCreate,", "")
    file.edit("CREATE_BINDS=/srv", "")
    file.edit("CREATE_IMAGES=nginx:latest", "")
    file.learn(execute("ls"))
    assert file.proposal.lists.open == {}


def test_a_list_of_images_that_was_taken_out_is_not_begun_anew() -> None:
    """Any image is harmless unless some are listed; a list of the newest alone would refuse the rest."""
    file = File()
    file.learn(bind("/srv"))
    file.edit("CREATE_IMAGES=nginx:latest", "")
    file.learn(create(None, Image="busybox"))
    assert "CREATE_IMAGES" not in file.lists()
    assert file.allows(create(None, Image="nginx"))


def test_routes_learned_without_arguments_leave_their_family_open() -> None:
    """What nobody has read cannot be listed, and the file says so."""
    file = File(replace(WISH, arguments=False))
    file.learn(bind("/etc"))
    assert file.lists() == {}
    assert "# not limited: what ContainerCreate may ask for" in file.text
    file.wish, file.gate = WISH, Gate.learning()
    file.learn(execute("ls"))
    assert set(file.lists()) == {"EXEC_COMMANDS", "EXEC_USERS"}
    assert file.proposal.lists.open == {
        Family.CREATE: "nothing is known of what ContainerCreate asked for"
    }
    file.learn(bind("/srv"))
    assert file.lists()["CREATE_BINDS"] == "/srv"


def test_without_arguments_lists_stay_as_they_are() -> None:
    """`--learn routes` extends routes alone, and loses no line; a file that is begun anew
    has none, whatever was read before."""
    file = File()
    file.learn(bind("/srv"))
    before = file.lists()
    file.wish = replace(WISH, arguments=False)
    file.gate = Gate.learning(learns_arguments=False)
    file.learn(bind("/etc"), execute("ls"))
    assert file.lists() == before
    assert "ContainerExec" in file.text
    file.text = ""
    file.write()
    assert file.lists() == {}


def test_what_is_not_granted_asks_for_nothing() -> None:
    """Of an operation that a person took out no value is told to be refused or to have failed."""
    file = File()
    file.learn(bind("/srv"), execute("ls"))
    file.edit(",ContainerExec", "")
    file.learn(execute("rm"), status=500)
    assert file.proposal.declined == {"ContainerExec"}
    assert not file.proposal.lists.failed | file.proposal.lists.refused
    file.learn(execute("ps"))
    assert file.lists()["EXEC_COMMANDS"] == "ls"


def test_a_ceiling_caps_values() -> None:
    """What it refuses is not learned; what it began to refuse is not listed. Of what it does
    not limit what varies is a hole, and what nobody uses of it has no list."""
    text = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv/*,/tmp/x-a1\nCREATE_IMAGES=*\nEXEC_USERS=a\n"  # fmt: skip
    ceiling, _ = parse_policy_file(text, name="ceiling.env")
    file = File(replace(WISH, ceiling=ceiling))
    file.learn(bind("/srv/a"))
    file.learn(bind("/etc"))
    for tag in ("3fa8b21", "9c04d7e"):
        file.learn(create(None, Image=f"app:{tag}"))
    images = "app:{hex7},nginx:latest"
    assert file.lists() == {"CREATE_BINDS": "/srv/a", "CREATE_IMAGES": images}
    for folder in ("/srv/tmpab12cd34", "/srv/tmpx9_81kq0"):
        file.learn(bind(folder))
    assert file.lists()["CREATE_BINDS"] == "/srv/a,/srv/tmpab12cd34,/srv/tmpx9_81kq0"
    file = File()
    file.learn(bind("/etc", "/srv/a", "/tmp/x-a1"))
    file.learn(bind("/etc", "/srv/a", "/tmp/x-b2"))
    file.text = ""
    file.wish = replace(WISH, ceiling=ceiling)
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/srv/a,/tmp/x-a1"
    assert file.proposal.lists.capped == {
        Grant("CREATE_BINDS", one) for one in ("/etc", "/tmp/x-b2")
    }


@pytest.mark.parametrize("line", ["CREATE_BINDS=", "CREATE_BASE=/srv/app"])
def test_a_line_that_a_person_wrote_stays(line: str) -> None:
    """An empty list went with the second run, as if learning had written it, and with the
    second merge; a base stays, though no item has it."""
    file = File()
    file.text = f"{line}\nCREATE_CAPS=KILL\nALLOW_OPERATIONS=ContainerCreate\n"
    texts = [file.learn(create({"CapAdd": ["KILL"]})) for _ in range(3)]
    assert f"\n{line}\n" in texts[0]
    assert texts == texts[:1] * 3


@pytest.mark.parametrize("objects", ["", "ONLY_CONTAINERS=db\nONLY_OWNER=a\n"])
def test_execs_of_others_are_started_as_a_ceiling_lists_them(objects: str) -> None:
    """Beside lists of objects a file of which nobody had an exec made let every one be started, beyond its ceiling."""
    text = f"{objects}EXEC_COMMANDS=echo\nALLOW_OPERATIONS=ContainerExec,ExecStart\n"
    ceiling, _ = parse_policy_file(text, name="ceiling.env")
    file = File()
    file.wish = replace(WISH, ceiling=ceiling)
    for _ in range(2):
        file.learn(("/v1.45/exec/x/start", {"Detach": True}), status=200)
        listed = {"EXEC_COMMANDS": "echo"} if objects else {"EXEC_PRIVILEGED": ""}
        assert file.lists() == listed


def test_a_ceiling_caps_what_its_base_means_elsewhere() -> None:
    """`{base}/conf` of another folder is none that the ceiling lists, a hole in it neither."""
    lines = (
        "CREATE_BINDS={base}/conf,{base}/t/{rand8}\nALLOW_OPERATIONS=ContainerCreate\n"
    )
    within = {
        base: parse_policy_file(f"CREATE_BASE={base}\n{lines}", name="ceiling.env")[0]
        for base in ("/srv/a", "/srv/b")
    }
    file = File(places=Places(base="/srv/a"))
    file.learn(bind("/srv/a/conf", "/srv/a/t/x9k2m4q7"))
    file.learn(bind("/srv/a/conf", "/srv/a/t/b7w1z8c3"))
    for base, listed in (("/srv/a", "{base}/conf,{base}/t/{rand8}"), ("/srv/b", "")):
        file.text = ""
        file.wish = replace(WISH, ceiling=within[base])
        file.write()
        assert file.lists().get("CREATE_BINDS", "") == listed


def test_the_proxys_socket_is_within_a_ceiling_that_lists_it() -> None:
    """`@proxy` has no path of its own to be compared."""
    socket = "PROXY_SOCKET=/run/proxy.sock\n"
    ceiling, _ = parse_policy_file(
        f"{socket}CREATE_BINDS=@proxy\nALLOW_OPERATIONS=ContainerCreate\n",
        name="ceiling.env",
    )
    file = File()
    file.learn(create())
    file.text = f"{socket}{file.text}"
    proxy = frozenset({Grant("CREATE_BINDS", "@proxy")})
    file.wish = replace(WISH, ceiling=ceiling, restore=proxy)
    file.write()
    assert file.lists()["CREATE_BINDS"] == "@proxy"
    assert not file.proposal.lists.capped


def test_what_is_restored_stays_below_the_ceiling() -> None:
    """`--restore` of what the ceiling refuses grants nothing, and that is told."""
    ceiling, _ = parse_policy_file(
        "CREATE_BINDS=/srv\nALLOW_OPERATIONS=ContainerCreate\n", name="ceiling.env"
    )
    file = File()
    file.learn(bind("/etc", "/srv"))
    file.edit("CREATE_BINDS=/etc,/srv", "CREATE_BINDS=/srv")
    etc = Grant("CREATE_BINDS", "/etc")
    file.wish = replace(WISH, ceiling=ceiling, restore=frozenset({etc}))
    file.write()
    assert file.lists()["CREATE_BINDS"] == "/srv"
    assert file.proposal.lists.capped == {etc}


def test_a_ceiling_that_refuses_every_image_closes_the_list() -> None:
    """A list that would only be there when set is there, for without it any image passes."""
    text = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_IMAGES=alpine\n"
    ceiling, _ = parse_policy_file(text, name="ceiling.env")
    file = File()
    file.learn(create())
    file.text = ""
    file.wish = replace(WISH, ceiling=ceiling)
    file.write()
    assert file.lists()["CREATE_IMAGES"] == ""


def test_a_file_that_lists_more_than_its_ceiling_stops() -> None:
    """Learning goes on below a ceiling only where the file is below it."""
    ceiling, _ = parse_policy_file(
        "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv\n", name="ceiling.env"
    )
    text = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS={}\n"
    wish = replace(WISH, ceiling=ceiling, within="ceiling.env")
    refuse_excess(text.format("/srv"), wish)
    with pytest.raises(ConfigError, match="CREATE_BINDS=/etc"):
        refuse_excess(text.format("/etc,/srv"), wish)


def test_what_no_list_can_hold_is_told() -> None:
    """Fields at the top, commands with a whole line in one word, ids that vary."""
    file = File()
    file.learn((CREATE, {"Image": "x", "Binds": ["/etc:/x"]}), execute("sh -c TOKEN=1"))
    file.learn(execute("ls"))
    assert file.lists() == {"CREATE_IMAGES": "x:latest", "EXEC_USERS": "@default"}
    assert file.allows(execute("anything"))
    assert dict(file.proposal.lists.unlisted) == {
        "CREATE_OPTIONS": frozenset({"ContainerCreate"}),
        "EXEC_COMMANDS": frozenset({"ContainerExec"}),
    }


def test_an_image_by_its_id_is_listed_by_its_name() -> None:
    """The id is another one after each build; a name that was used elsewhere comes first."""
    file = File()
    names = {"a": ("app:1", "app:dev"), "b": ("app:dev", "app:2"), "c": ()}
    for letter, tags in names.items():
        full = f"sha256:{letter * 64}"
        file.images[Kind.IMAGE, full] = Thing(Kind.IMAGE, full, tags)
    file.learn(create(None, Image="app:dev"), create(None, Image=f"sha256:{'a' * 64}"))
    file.learn(create(None, Image=f"sha256:{'b' * 64}"))
    assert file.lists()["CREATE_IMAGES"] == "app:dev"
    file = File()
    file.images[Kind.IMAGE, "abc123"] = Missing(404, "No such image: abc123")
    file.images[Kind.IMAGE, "c" * 64] = Thing(Kind.IMAGE, f"sha256:{'c' * 64}", ())
    file.learn(create(None, Image="abc123"), status=404)
    (record,) = file.evidence.routes.values()
    assert set(record.results) == {"404"}
    file.learn(create(None, Image="c" * 64))
    assert "CREATE_IMAGES" not in file.lists()


def test_a_client_that_makes_up_values_without_end_is_bounded() -> None:
    """Beyond a thousand values of a variable none is added, and that is told."""
    file = File()
    many = [f"/srv/{number}" for number in range(VALUES_KEPT + 5)]
    file.begin()
    for at in range(0, len(many), 100):
        file.ask(bind(*many[at : at + 100]))
    file.write()
    assert len(file.evidence.arguments) < VALUES_KEPT + 5
    assert file.evidence.dropped() == 5
    assert file.allows(bind(many[0]))


def test_a_line_has_room_for_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that would be too long for readers of env files is cut, and that is told."""
    file = File()
    file.learn(*(bind(f"/srv/{'x' * 200}{number}x") for number in range(200)))
    assert all(len(line) <= 32 * 1024 for line in file.text.split("\n"))
    assert "CREATE_BINDS" in file.proposal.lists.unlisted


def test_a_line_that_is_as_long_as_may_be_stays() -> None:
    """A list whose line has as many characters as readers take keeps each of its items."""
    file = File()
    file.learn(bind("/srv/a"))
    many = ",".join(
        ["CREATE_BINDS=/srv/a", *(f"/zoo/{one:0200}" for one in range(158))]
    )
    line = f"{many},/zoo/{'z' * (32 * 1024 - len(many) - len(',/zoo/'))}"
    file.text = file.text.replace("CREATE_BINDS=/srv/a", line)
    file.learn(bind("/srv/a"))
    assert line in file.text.split("\n")


def test_notes_of_reviewers_stay() -> None:
    """What a person wrote behind a row, or above a list, is there after the next run."""
    file = File()
    file.learn(bind("/srv", "/etc"))
    row = "#   CREATE_BINDS=/etc      is root's own"
    line = "CREATE_BINDS=/etc,/srv"
    file.text = file.text.replace(f"{row}\n", f"{row}   # for the clock, ticket 7\n")
    file.text = file.text.replace(f"{line}\n", f"# the data, ticket 8\n{line}\n")
    for path in ("/srv", "/srw"):
        file.learn(bind(path, "/etc"))
        assert f"\n{row}   # for the clock, ticket 7\n" in file.text
        assert f"\n# the data, ticket 8\n{line}" in file.text


def test_a_run_that_saw_nothing_new_changes_nothing() -> None:
    """Files in version control stay quiet."""
    file = File(places=Places("/home/me/app"))
    session = [bind("/home/me/app/x", "/etc"), execute("sh", User="root")]
    file.learn(*session)
    before = file.learn(*session)
    assert file.learn(*session) == before


VALUES = st.sampled_from(["/srv/a", "/srv/b", "/etc", "/tmp/tmpab12cd34", "/tmp/tmpzz12cd34", "/tmp/tmpq_12cd34", "/home/me/app/x"])  # fmt: skip
BODIES = st.builds(
    lambda binds, caps, privileged, port: create(
        {
            "Binds": [f"{one}:/x" for one in binds],
            "CapAdd": caps,
            "Privileged": privileged,
            "PortBindings": {"80/tcp": [{"HostPort": port}]} if port else {},
        }
    ),
    st.lists(VALUES, max_size=3),
    st.lists(st.sampled_from(["SYS_ADMIN", "net_admin", "CHOWN"]), max_size=2),
    st.booleans(),
    st.sampled_from(["", "8080", "40001", "40002"]),
)
SESSIONS = st.lists(st.lists(BODIES, min_size=1, max_size=3), min_size=1, max_size=4)


@pytest.mark.deep
@settings(max_examples=by_depth(15, 40))
@given(SESSIONS)
def test_learned_lists_allow_what_they_were_learned_from(
    sessions: Sequence[Sequence[tuple[str, Json]]],
) -> None:
    """Whatever the runs, each request of them passes; and what passed after one run
    passes after the next."""
    file = File(places=Places("/home/me/app"))
    allowed: list[tuple[str, Json]] = []
    for session in sessions:
        file.learn(*session)
        allowed += session
        for request in allowed:
            assert file.allows(request), request


@pytest.mark.deep
@settings(max_examples=by_depth(20, 150))
@given(SESSIONS, st.data())
def test_the_file_changes_only_where_it_grants_anew(
    sessions: Sequence[Sequence[tuple[str, Json]]], data: st.DataObject
) -> None:
    """Whatever the runs, also those that failed: where nothing is granted anew, each byte
    of the file stays, but for what was never asked for until then."""
    file = File(places=Places("/home/me/app"))
    for session in (*sessions, sessions[-1], sessions[-1]):
        before = file.text
        file.learn(*session, status=data.draw(st.sampled_from([201, 400])))
        if _deciding(file.text) == _deciding(before):
            assert _without(file.text, "# never asked for, so refused: ") == _without(
                before, "# never asked for, so refused: "
            )


def _deciding(text: str) -> list[str]:
    return [one for one in text.splitlines() if not one.startswith("#")]


def _without(text: str, title: str) -> str:
    """That text without what stands behind a title, be it more than a line."""
    return re.sub(rf"(?m)^{title}.*\n(?:#     .*\n)*", "", text)


def test_evidence_of_two_hosts_is_united() -> None:
    """The union of two learners lists what both saw, in any order."""
    one, other = File(), File()
    one.learn(bind("/srv/a"))
    other.runs = 5
    other.learn(bind("/srv/b"))
    there, back = deepcopy(one.evidence), deepcopy(other.evidence)
    there.merge(other.evidence)
    back.merge(one.evidence)
    assert evidencefile.dump(there) == evidencefile.dump(back)
    assert propose(there, "", WISH).lists.values["CREATE_BINDS"] == "/srv/a,/srv/b"


def test_names_of_an_execs_environment_are_learned() -> None:
    """Beside commands each is listed, however odd, and never what stands behind it."""
    file = File()
    names = ["BASH_FUNC_x%%", "A B", "\u00e9,\n#", "PYTHONPATH", ""]
    env: list[Json] = [f"{name}=hunter2" for name in names]
    wanted: tuple[str, Json] = (
        "/containers/x/exec",
        {"Cmd": ["sh"], "User": "app", "Env": env},
    )
    text = file.learn(wanted)
    assert "hunter2" not in text
    assert file.lists()["EXEC_COMMANDS"] == "sh"
    assert file.lists()["EXEC_OPTIONS"].count("ContainerExec:Env.") == len(names)
    assert file.allows(wanted)
    target, body = wanted
    assert isinstance(body, dict)
    assert not file.allows((target, body | {"Env": ["BASH_ENV=x"]}))
    assert file.allows((target, body | {"Env": ["PYTHONPATH=other"]}))
