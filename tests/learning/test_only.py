"""Which objects requests name becomes the lists of the file: learned, reviewed, learned again.

As in `test_lists`, each test goes the whole way but for sockets and disks. What the
Engine has stands in a table, by kind and name.
"""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge.judging import found_of, judged, outcome_of
from tests.learning.test_lists import WISH, File
from trioproxy.api.decoding import Json
from trioproxy.api.families import OBJECTS, Kind, Places
from trioproxy.errors import TrioProxyError
from trioproxy.evidence import evidencefile
from trioproxy.evidence.seen import VALUES_KEPT, Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.file.envfile import parse
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, NeedThings
from trioproxy.learning.proposal import env_text, excess
from trioproxy.learning.wish import Strangers, new_owner
from trioproxy.limits.grant import Grant
from trioproxy.limits.objects import OWNER_LABEL, own_alone
from trioproxy.limits.things import Missing, Thing, describe

GONE = Missing(404, "No such thing")
CREATE = ("POST", "/v1.45/containers/create")
ID = "1" * 64


def container(
    name: str,
    *,
    owner: str = "",
    project: str = "",
    inherited: Mapping[str, str] | None = None,
    host: Json = None,
) -> Thing:
    """A container as the Engine describes it."""
    labels: dict[str, Json] = {OWNER_LABEL: owner} if owner else {}
    if project:
        labels["com.docker.compose.project"] = project
        labels["com.docker.compose.container-number"] = "1"
    value: dict[str, Json] = {
        "Id": ID,
        "Name": f"/{name}",
        "Config": {"Labels": labels},
        "HostConfig": host or {},
        "Image": "sha256:0",
    }
    thing = describe(Kind.CONTAINER, value)
    return thing._replace(inherited={} if inherited is None else inherited)


def network(name: str, owner: str = "") -> Thing:
    return Thing(Kind.NETWORK, name, (name,), {OWNER_LABEL: owner} if owner else {})


def volume(name: str, owner: str = "") -> Thing:
    return Thing(Kind.VOLUME, name, (name,), {OWNER_LABEL: owner} if owner else {})


OWN = container("mine", owner="app")
DB = container("db")
WEB = container("shop-web-1", project="shop")


class Named(File):
    """A file of which objects are learned too."""

    def __init__(self, strangers: Strangers = Strangers.SAME) -> None:
        wish = replace(WISH, objects=strangers)
        super().__init__(wish, gate=Gate.learning(objects=own_alone("app")))

    def send(
        self,
        method: str,
        target: str,
        body: Json = None,
        *things: Thing,
        status: int = 200,
    ) -> None:
        """A request, and what the Engine has under the names in it, or its ids."""
        known: dict[tuple[Kind, str], Thing | Missing] = {
            (kind, name): one
            for one in things
            for kind in (one.kind, Kind.EXEC)
            for name in (*one.names, one.id)
        }
        raw = target.encode()
        found = found_of(self.gate, method, raw, body=body, is_read=True)
        if isinstance(found, NeedThings):
            for one in found.references:
                known.setdefault((one.kind, one.text), GONE)
        verdict = judged(self.gate, method, raw, body=body, is_read=True, known=known)
        assert verdict.decision.allowed
        self.recorder.note(outcome_of(verdict.in_words(), status))

    def run(self, *sent: tuple[str, str, Thing]) -> str:
        """A run of requests that name something; the file's text after it."""
        self.begin()
        for method, target, thing in sent:
            self.send(method, target, None, thing)
        return self.write()

    def make(self) -> None:
        """Make a container, and look at it."""
        self.send(*CREATE, {"Image": "nginx"}, status=201)
        self.send("GET", "/v1.45/containers/mine/json", None, OWN)

    @property
    def objects(self) -> dict[str, str]:
        """The lines that list objects."""
        variables = parse(self.text, name="app.env")
        return {name: variables[name] for name in variables if name.startswith("ONLY_")}

    def listed(self) -> str:
        """What containers are listed."""
        return self.objects["ONLY_CONTAINERS"]


def inspect(thing: Thing) -> tuple[str, str, Thing]:
    return "GET", f"/v1.45/containers/{thing.names[0]}/json", thing


def execute(thing: Thing) -> tuple[str, str, Thing]:
    return "POST", f"/v1.45/containers/{thing.names[0]}/start", thing


def test_all_its_own() -> None:
    """Who named nothing but what he made gets `@own` for all kinds, untouched ones too."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    assert file.objects == {
        "ONLY_CONTAINERS": "@own",
        "ONLY_NETWORKS": "@own,bridge",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": "app",
    }
    assert (
        file.proposal.objects.counted["ONLY_CONTAINERS"]
        == "all that were named were its own"
    )
    file.send("POST", "/v1.45/networks/create", {"Name": "n"}, status=201)
    file.write()
    assert file.proposal.objects.counted["ONLY_NETWORKS"] == (
        "all that were named were its own, but for bridge"
    )


def test_strangers_that_stay_are_listed_by_name() -> None:
    """One container of others that each run names is listed beside its own, and told."""
    file = Named()
    for _ in range(2):
        file.begin()
        file.make()
        file.send("GET", "/v1.45/containers/db/json", None, DB)
        file.write()
        assert file.objects["ONLY_CONTAINERS"] == "@own,db"
        assert file.objects["ONLY_VOLUMES"] == "@own"
        counted = file.proposal.objects.counted["ONLY_CONTAINERS"]
        assert counted == "1 of 2 was its own; db was not"
    assert not file.proposal.has_news


def test_who_begins_to_make_things_may_name_them() -> None:
    """Lists that were learned before it made any get `@own`, whatever kind it makes first."""
    file = Named()
    file.run(inspect(DB))
    assert file.listed() == "db"
    file.begin()
    file.send("POST", "/v1.45/volumes/create", {"Name": "v"}, status=201)
    file.write()
    assert file.listed() == "@own,db"


def test_the_new_name_of_a_stranger_is_listed() -> None:
    """Who renames what is not its own names both: without the new one it would be refused."""
    file = Named()
    rename = ("POST", "/containers/db/rename?name=db-old", DB)
    assert "\nONLY_CONTAINERS=db,db-old\n" in file.run(rename)
    assert "\nONLY_CONTAINERS=@own\n" in Named().run(
        ("POST", "/containers/mine/rename?name=other", OWN)
    )


def test_strangers_that_vary_open_their_kind_alone() -> None:
    """Where others are named in other runs, that kind stays open, and the file says so; a
    run of none of them proves nothing if it failed, or is not over."""
    file = Named()
    for number in range(3):
        file.begin()
        file.make()
        file.send("GET", f"/v1.45/containers/job-{number}/json", None, container(f"job-{number}"))  # fmt: skip
        file.write()
    assert file.objects["ONLY_CONTAINERS"] == "*"
    assert file.objects["ONLY_NETWORKS"] == "@own,bridge"
    assert "# not limited: which containers may be named\n" in file.text
    counted = file.proposal.objects.counted["ONLY_CONTAINERS"]
    assert counted == "1 of 2 was its own; job-2 was not; others in other runs"
    proposed = "ONLY_CONTAINERS=@own,job-0,job-1,job-2"
    assert (Strangers.NAMES, proposed) in file.proposal.objects.proposed


def test_a_run_that_is_not_over_takes_no_name_back() -> None:
    """What a run has not named yet, or did not reach before it failed, is not missed."""
    file = Named()
    file.run(inspect(DB), inspect(WEB))
    file.begin()
    file.send("GET", "/v1.45/containers/db/json", None, DB)
    file.write(going_on="2026-0002")
    assert file.listed() == "db,shop-web-1"
    file.evidence.runs["2026-0002"].status = 1
    file.write()
    assert file.listed() == "db,shop-web-1"


def test_who_follows_events_is_held_by_no_names() -> None:
    """A client that goes by whatever comes would be refused the next one by a list."""
    file = Named()
    file.begin()
    file.send("GET", "/v1.45/events", None)
    file.send("GET", "/v1.45/containers/db/json", None, DB)
    file.write()
    assert not file.objects
    counted = file.proposal.objects.counted["ONLY_CONTAINERS"]
    assert counted == "db was not its own; it follows events, and so others may come"


def test_who_goes_by_ids_is_held_by_no_names() -> None:
    """An id is known from an answer alone: a monitor that looks at all that it finds would be
    held to what stood there while it was learned. One that was named as well is known."""
    file = Named()
    for _ in range(2):
        file.begin()
        file.send("GET", f"/v1.45/containers/{DB.id}/json", None, DB)
        file.write()
    assert not file.objects
    counted = file.proposal.objects.counted["ONLY_CONTAINERS"]
    assert counted == "db was not its own; by their ids, which it found"
    file.run(inspect(DB))  # as the docker command does: by its name first
    assert file.listed() == "db"


def test_strangers_alone_that_vary_limit_nothing() -> None:
    """Where all that is named varies, and nothing is made, there are no lists, and names
    are proposed."""
    file = Named()
    file.run(inspect(DB))
    text = file.run(inspect(WEB))
    assert not file.objects
    assert (
        "# not limited: which containers, networks and volumes may be named\n" in text
    )
    assert (
        Strangers.NAMES,
        "ONLY_CONTAINERS=db,shop-web-1",
    ) in file.proposal.objects.proposed


def test_what_a_person_narrowed_to_names_is_extended_by_names() -> None:
    """Names in place of a `*` that was learned are a choice: no later run takes it back."""
    file = Named()
    for thing in (DB, WEB):
        file.begin()
        file.make()
        file.send("GET", f"/v1.45/containers/{thing.names[0]}/json", None, thing)
        file.write()
    assert file.listed() == "*"
    file.wish = replace(WISH, objects=Strangers.NAMES)
    file.run(inspect(DB))
    assert file.listed() == "@own,db,shop-web-1"
    file.wish = WISH
    file.run(inspect(container("cache")))
    assert file.listed() == "@own,cache,db,shop-web-1"


@pytest.mark.parametrize(
    ("strangers", "listed"),
    [(Strangers.NAMES, "db,shop-web-1"), (Strangers.PROJECTS, "@project:shop,db")],
)
def test_strangers_are_listed_where_that_is_wished(
    strangers: Strangers, listed: str
) -> None:
    """By names, or by projects and the names of those that have none; nothing else is."""
    file = Named(strangers)
    file.run(inspect(DB), inspect(WEB))
    assert file.objects == {
        "ONLY_CONTAINERS": listed,
        "ONLY_NETWORKS": "",
        "ONLY_VOLUMES": "",
    }
    file.begin()
    file.make()
    file.write()
    assert file.listed() == f"@own,{listed}"


def test_names_stay_names_in_later_runs() -> None:
    """A list of names that a person wished is extended by names, without being asked for
    it again, whether they vary or not."""
    file = Named(Strangers.NAMES)
    file.run(inspect(DB))
    file.wish = WISH
    file.run(inspect(WEB))
    file.run(inspect(container("cache")))
    assert file.listed() == "cache,db,shop-web-1"


def test_a_label_from_an_image_is_none_of_ours() -> None:
    """A container that has the owner's label from its image is a stranger's."""
    file = Named(Strangers.NAMES)
    forged = container("forged", owner="app", inherited={OWNER_LABEL: "app"})
    file.run(inspect(forged))
    assert file.listed() == "forged"


def test_another_owner_is_a_stranger() -> None:
    """What another file's client made is not this one's own."""
    file = Named(Strangers.NAMES)
    file.run(inspect(container("theirs", owner="other")))
    assert file.listed() == "theirs"


def test_what_is_made_gets_the_label() -> None:
    """While objects are learned, creations carry the label, volumes and networks too."""
    gate = Gate.learning(objects=own_alone("app"))
    bodies: dict[str, dict[str, Json]] = {
        "/v1.45/containers/create": {"Image": "x"},
        "/v1.45/networks/create": {"Name": "n"},
        "/v1.45/volumes/create": {"Name": "v"},
    }
    known = {(Kind.VOLUME, "v"): GONE}
    for target, body in bodies.items():
        verdict = judged(
            gate, "POST", target.encode(), body=body, is_read=True, known=known
        )
        assert verdict.asked is not None
        sent = verdict.asked.sent().body
        assert sent is not None
        assert sent["Labels"] == {OWNER_LABEL: "app"}
    plain = judged(Gate.learning(), "POST", CREATE[1].encode(), body={}, is_read=True)
    assert plain.asked is not None
    sent = plain.asked.sent().body
    assert sent is not None
    assert sent["Labels"] == {OWNER_LABEL: ""}


def test_what_is_missing_passes() -> None:
    """While learning the Engine says itself that it has nothing under a name."""
    file = Named()
    file.begin()
    file.send("DELETE", "/v1.45/containers/old", None, status=404)
    file.send(
        *CREATE,
        {"Image": "x", "HostConfig": {"NetworkMode": "gone"}},
        status=201,
    )
    file.make()
    file.write()
    assert file.listed() == "@own"


def test_what_is_reached_into_must_be_within_the_limits() -> None:
    """Beside limits on creations, a list would refuse to reach into a container that has
    more: then there is none, and the file says why."""
    file = Named()
    file.begin()
    file.make()
    file.send("POST", "/v1.45/volumes/create", {"Name": "v"}, status=201)
    mounted = container("db", host={"Binds": ["/etc:/x"]})
    older = {**mounted.value, "Created": "1970-01-01T00:00:42Z"}
    mounted = mounted._replace(value=older)
    file.send("POST", "/v1.45/containers/db/start", None, mounted, status=204)
    file.write()
    assert not file.objects
    assert "reached into db, which has CREATE_BINDS=/etc" in file.proposal.objects.open
    # Nobody took it out: a later run says the same.
    file.begin()
    file.make()
    file.write()
    assert "reached into db" in file.proposal.objects.open


@pytest.mark.parametrize(
    ("what", "owner", "host", "is_open"),
    [
        ("archive?path=/x", "", {}, True),
        ("archive?path=/x", "", {"CapDrop": ["MKNOD"]}, False),
        ("json", "", {}, False),
        ("archive?path=/x", "app", {}, False),
        ("archive?path=/x", "app", {"Runtime": "oci"}, True),
    ],
    ids=["with nodes", "without", "nothing is packed", "its own", "its own on Podman"],
)
def test_what_makes_nodes_is_reached_into_without_lists(
    what: str, owner: str, host: Json, is_open: bool
) -> None:
    """Beside what packs files a list would refuse that; its own is made without, and Podman does not say so."""
    file = Named()
    file.begin()
    file.make()
    db = container("db", owner=owner, host=host)
    file.send("GET", f"/v1.45/containers/db/{what}", None, db, status=200)
    file.send("POST", "/v1.45/containers/db/restart", None, db, status=204)
    file.write()
    assert bool(file.objects) is not is_open
    assert ("which has CREATE_CAPS=MKNOD" in file.proposal.objects.open) is is_open


def test_what_makes_nodes_is_reached_into_by_a_client_of_compose() -> None:
    """Where a project is known, a client that reached into a container of others got 500 for it."""
    file = Named()
    file.places = Places(project="shop")
    file.begin()
    file.make()
    file.send("POST", "/v1.45/containers/db/restart", None, DB, status=204)
    file.write()
    assert file.listed() == "@own,db"


def test_a_capability_that_no_list_holds_is_no_list_s() -> None:
    """Whoever reaches into what has one is refused beside lists, whatever is packed."""
    file = Named()
    file.begin()
    file.make()
    db = container("db", host={"CapAdd": ["CAP_OF_LATER"], "CapDrop": ["MKNOD"]})
    file.send("POST", "/v1.45/containers/db/restart", None, db, status=204)
    file.write()
    assert "reached into db" in file.proposal.objects.open


def test_a_prune_needs_no_item() -> None:
    """Who prunes names nothing, and beside lists it removes what is listed: they stay."""
    file = Named()
    file.begin()
    file.make()
    file.send("POST", "/v1.45/networks/create", {"Name": "n"}, status=201)
    file.send("POST", "/v1.45/networks/prune", None)
    file.write()
    assert file.objects["ONLY_NETWORKS"] == "@own,bridge"
    assert file.objects["ONLY_CONTAINERS"] == "@own"


def test_what_was_taken_out_stays_out() -> None:
    """Lists that a person removed do not come back but by `--restore`, and are told of."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    for line in ("ONLY_CONTAINERS=@own", "ONLY_NETWORKS=@own,bridge", "ONLY_VOLUMES=@own", "ONLY_OWNER=app"):  # fmt: skip
        file.edit(line, "")
    file.begin()
    file.make()
    file.write()
    assert file.proposal.objects.open.endswith(
        "the file has none of these lists; to learn them, add ONLY_CONTAINERS=@own and ONLY_OWNER=app"
    )
    for restored in ("CREATE_IMAGES=nginx:latest", "ONLY_CONTAINERS=@own"):
        assert not file.objects
        file.wish = replace(WISH, restore=frozenset({Grant.parse(restored)}))
        file.begin()
        file.make()
        file.write()
    assert file.listed() == "@own"


def test_one_name_that_was_taken_out_stays_out() -> None:
    """Of a list of names, what a person removed is declined when it is named again."""
    file = Named(Strangers.NAMES)
    file.run(inspect(DB), inspect(WEB))
    file.edit("db,shop-web-1", "shop-web-1")
    file.run(inspect(DB))
    assert file.listed() == "shop-web-1"
    declined = file.proposal.objects.declined
    assert declined == {Grant("ONLY_CONTAINERS", "db")}
    file.wish = replace(WISH, restore=declined)
    file.run(inspect(DB))
    assert file.listed() == "db,shop-web-1"


def test_its_own_that_was_taken_out_stays_out() -> None:
    """`@own` that a person struck from a list is declined, as a name is, whatever the client
    makes; it was told to be, and written again."""
    file = Named()
    for edited in ("", "db"):
        file.begin()
        file.make()
        file.send("GET", "/v1.45/containers/db/json", None, DB)
        file.write()
        assert file.listed() == (edited or "@own,db")
        if not edited:
            file.edit("ONLY_CONTAINERS=@own,db", "ONLY_CONTAINERS=db")
    declined = file.proposal.objects.declined
    assert declined == {Grant("ONLY_CONTAINERS", "@own")}
    file.wish = replace(WISH, restore=declined)
    file.run(inspect(DB))
    assert file.listed() == "@own,db"


def test_what_only_a_declined_operation_named_stays_listed() -> None:
    """While an operation is declined nothing names its network, which stays in the list all the
    same: left out it would count as declined, and be refused when the operation is restored."""
    file = Named()
    for _ in range(2):
        file.begin()
        file.make()
        file.send("GET", "/v1.45/networks/host", None, network("host"))
        file.write()
        assert file.objects["ONLY_NETWORKS"] == "@own,bridge,host"
        file.edit(",NetworkInspect", "")
        file.run(inspect(OWN))
        restored = frozenset({Grant.of_operation("NetworkInspect")})
        file.wish = replace(WISH, restore=restored)
    file.wish = WISH
    file.edit(",NetworkInspect", "")
    file.begin()
    file.send("GET", "/v1.45/networks/lan", None, network("lan"))
    file.write()
    assert file.objects["ONLY_NETWORKS"] == "@own,bridge,host"


def test_a_line_that_is_gone_lists_its_own() -> None:
    """One line of three that a person removed means `@own`, and on networks those of all: that
    is not told to be declined, nor is a network refused that was used."""
    file = Named()
    for _ in range(2):
        file.begin()
        file.make()
        file.send("GET", "/v1.45/networks/bridge", None, network("bridge"))
        file.write()
        assert file.objects["ONLY_NETWORKS"] == "@own,bridge"
        file.edit("ONLY_NETWORKS=@own,bridge", "")
    assert not file.proposal.objects.declined


def test_what_a_person_wrote_stays() -> None:
    """A list that somebody wrote is extended by what was named, and nothing of it goes; nor
    does the network of what names none."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    file.edit("ONLY_CONTAINERS=@own", "ONLY_CONTAINERS=@own,cache-*,@label:team=web")
    file.edit("ONLY_NETWORKS=@own", "CREATE_NETWORK=lan\nONLY_NETWORKS=@own,lan")
    file.run(inspect(container("cache-1")), inspect(DB))
    assert file.listed() == "@own,cache-*,@label:team=web,db"
    assert "\nCREATE_NETWORK=lan\n" in file.text
    file = Named()
    file.text = (
        "ONLY_CONTAINERS=*\nONLY_NETWORKS=*\nONLY_VOLUMES=*\nALLOW_OPERATIONS=\n"
    )
    file.run(inspect(DB))
    assert file.listed() == "*"


def test_a_list_without_room_is_not_made_to_be_all() -> None:
    """What finds no room in a list of the file is left out of it, and told; all else stays there."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    names = ",".join(f"{one:0200}" for one in range(162))
    file.edit("ONLY_CONTAINERS=@own", f"ONLY_CONTAINERS=@own,{names}")
    file.run(inspect(container("e" * 200)), inspect(DB))
    assert set(file.listed().split(",")) == {"@own", "db", *names.split(",")}
    assert file.proposal.objects.refused == "what has no room in ONLY_CONTAINERS"


def test_the_owner_of_the_file_stays() -> None:
    """An owner that a person chose is kept, whatever the file is called."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    file.edit("ONLY_OWNER=app", "ONLY_OWNER=team-a")
    file.begin()
    file.make()
    file.write()
    assert file.objects["ONLY_OWNER"] == "team-a"


def test_what_was_never_looked_at_is_not_limited() -> None:
    """An operation of which only logs or older versions speak leaves all open, and says so."""
    file = Named()
    file.begin()
    verdict = judged(
        Gate.learning(), "POST", b"/v1.45/containers/x/restart", is_read=True
    )
    file.recorder.note(outcome_of(verdict, 204))
    file.make()
    file.write()
    assert not file.objects
    assert file.proposal.objects.open == (
        "nothing is known of which objects ContainerRestart named"
    )


def test_lists_that_are_there_survive_what_was_never_looked_at() -> None:
    """A log that is learned from later opens no list that is there."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    file.begin()
    verdict = judged(
        Gate.learning(), "POST", b"/v1.45/containers/x/restart", is_read=True
    )
    file.recorder.note(outcome_of(verdict, 204))
    file.write()
    assert file.listed() == "@own"


def test_a_ceiling_of_objects_holds() -> None:
    """What a ceiling does not list is refused and not learned, and no list is wider."""
    ceiling, _ = parse_policy(
        {
            "CONTAINERS": "1",
            "POST": "1",
            "ONLY_CONTAINERS": "db,web-*",
            "ONLY_NETWORKS": "",
            "ONLY_VOLUMES": "",
        }
    )
    wish = replace(WISH, ceiling=ceiling)
    file = Named()
    file.wish, file.gate = wish, Gate.learning(ceiling, objects=own_alone("app"))
    file.run(inspect(DB))
    assert file.listed() == "db"
    file.run(inspect(container("web-1")))
    assert file.listed() == "db,web-*"


def test_where_nothing_is_named_a_ceilings_lists_hold() -> None:
    """Without them answers would tell of all, and the file would go beyond its ceiling."""
    ceiling, _ = parse_policy(
        {"CONTAINERS": "1", "ONLY_CONTAINERS": "@own,db", "ONLY_OWNER": "corp"}
    )
    file = Named()
    file.wish, file.gate = replace(WISH, ceiling=ceiling), Gate.learning(ceiling)
    for _ in range(2):
        file.begin()
        file.send("GET", "/v1.45/containers/json")
        file.write()
        assert not excess(file.text, file.wish)
    assert file.objects == {
        "ONLY_CONTAINERS": "@own,db",
        "ONLY_NETWORKS": "@own,bridge,default,none",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": "corp",
    }
    assert not file.proposal.has_news


def held_to(owner: str, ceiling: Mapping[str, str]) -> Named:
    """A file within a ceiling that lists what an owner made."""
    policy, _ = parse_policy({**ceiling, "ONLY_OWNER": owner})
    file = Named()
    file.wish = replace(WISH, ceiling=policy)
    file.gate = Gate.learning(policy, objects=own_alone(owner))
    return file


STARTS = ("POST", "/v1.45/containers/db/start")
EXECS = ("POST", f"/v1.45/exec/{ID}/start")


def runs(command: str, *, privileged: bool) -> Thing:
    """A container of others in which others have made an exec."""
    run: Json = {"entrypoint": command, "privileged": privileged, "user": ""}
    return DB._replace(value={**DB.value, "ProcessConfig": run})


@pytest.mark.parametrize(
    ("sent", "thing", "lists"),
    [
        (STARTS, DB, {"CREATE_BINDS": ""}),
        (STARTS, container("db", host={"Binds": ["/srv/a:/x"]}), {"CREATE_BINDS": "/srv/a"}),
        (STARTS, container("db", host={"CapAdd": ["SYS_PTRACE"]}), {"CREATE_CAPS": "SYS_PTRACE"}),
        (EXECS, runs("sh", privileged=False), {"CREATE_BINDS": "", "EXEC_COMMANDS": "sh,true"}),
        (EXECS, runs("sh", privileged=True), {"CREATE_BINDS": "", "EXEC_COMMANDS": "sh,true", "EXEC_PRIVILEGED": "1"}),
    ],
    ids=["started", "with a bind", "with a capability", "exec", "privileged"],
)  # fmt: skip
def test_what_is_reached_into_stays_within_a_ceiling(
    sent: tuple[str, str], thing: Thing, lists: Mapping[str, str]
) -> None:
    """Who only started what others made got the ceiling's lists of objects without its lists of values, or none."""
    ceiling = {
        "ONLY_CONTAINERS": "db",
        "CREATE_BINDS": "/srv/a,/srv/b",
        "CREATE_CAPS": "KILL,SYS_PTRACE",
        "EXEC_COMMANDS": "sh,true",
        "EXEC_PRIVILEGED": "1",
        "ALLOW_OPERATIONS": "ContainerStart,ExecStart",
    }
    file = held_to("corp", ceiling)
    for _ in range(2):
        file.begin()
        file.send(*sent, {"Detach": True}, thing, status=204)
        file.write()
        assert file.lists() == lists
        assert file.listed() == "db"
        assert not excess(file.text, file.wish)


@pytest.mark.parametrize("is_privileged", [True, False])
def test_execs_that_others_made_are_started_without_lists(is_privileged: bool) -> None:
    """Lists that would refuse to start an exec of others, which asks for more than was asked for here, are left out."""
    file = Named()
    file.begin()
    file.send("POST", "/v1.45/containers/db/exec", {"Cmd": ["ls"]}, DB, status=201)
    file.send(*EXECS, {}, runs("ls", privileged=is_privileged))
    file.write()
    assert bool(file.objects) is not is_privileged
    has = "ExecStart reached into db, which has EXEC_PRIVILEGED=1, and"
    assert (has in file.proposal.objects.open) is is_privileged
    file.send(*EXECS, {}, runs("sh", privileged=False))
    file.write()
    assert not file.objects


@pytest.mark.parametrize(
    ("granted", "sent"),
    [
        ("ContainerExport", ("GET", "/v1.45/containers/db/export")),
        ("ContainerStart", ("POST", f"/v1.45/containers/{ID}/start")),
    ],
    ids=["what a list would refuse", "who goes by ids"],
)
def test_lists_stay_within_a_ceiling_of_all_containers(
    granted: str, sent: tuple[str, str]
) -> None:
    """What makes nodes is reached into beside such a ceiling, and not beside a list of names; who makes nothing and goes
    by ids has no use for names. There was no list then, which is beyond the ceiling."""
    file = held_to("a", {"ALLOW_OPERATIONS": granted, "CREATE_BINDS": "", "ONLY_CONTAINERS": "*"})  # fmt: skip
    for _ in range(2):
        file.begin()
        file.send(*sent, None, DB)
        file.write()
        assert file.listed() == "*"
        assert not excess(file.text, file.wish)


def test_what_names_nothing_needs_nothing_of_a_ceiling() -> None:
    """Whoever was first seen with a ping, as each CLI is, kept all that the ceiling lists."""
    file = held_to("corp", {"CONTAINERS": "1", "POST": "1", "ALLOW_START": "1", "ONLY_CONTAINERS": "db,web"})  # fmt: skip
    file.begin()
    file.send("GET", "/_ping")
    file.write(going_on="2026-0001")
    assert not file.objects
    assert not excess(file.text, file.wish)
    file.send("POST", "/v1.45/containers/db/start", None, DB, status=204)
    for _ in range(2):
        file.write()
        assert file.listed() == "db"
        assert not excess(file.text, file.wish)


def test_a_ceiling_of_labels_holds() -> None:
    """What a ceiling lists by a label is learned as that label: names tell nothing of it."""
    ceiling, _ = parse_policy(
        {
            "CONTAINERS": "1",
            "ONLY_CONTAINERS": "@label:team=web",
            "ONLY_NETWORKS": "",
            "ONLY_VOLUMES": "",
        }
    )
    file = Named()
    file.wish = replace(WISH, ceiling=ceiling, objects=Strangers.NAMES)
    file.gate = Gate.learning(ceiling, objects=own_alone("app"))
    labelled = container("db")._replace(labels={"team": "web"}, inherited={})
    file.run(inspect(labelled))
    assert file.listed() == "@label:team=web"


def test_no_objects() -> None:
    """Without objects nothing is looked up, nothing labelled, and lists stay as they are."""
    file = Named()
    file.begin()
    file.make()
    before = file.write()
    assert before
    lists = file.objects
    file.wish = replace(WISH, objects=None)
    file.gate = Gate.learning()
    file.begin()
    file.send("GET", "/v1.45/containers/db/json", None)
    file.write()
    assert file.objects == lists
    # Nor does it count what earlier runs named: a person may have taken it out.
    file.edit("ONLY_CONTAINERS=@own", "ONLY_CONTAINERS=web")
    file.write()
    assert file.listed() == "web"


def test_names_that_no_list_can_hold() -> None:
    """A name of other letters than a list has stands for any of its kind."""
    file = Named(Strangers.NAMES)
    file.begin()
    file.make()
    odd = Thing(Kind.NETWORK, "n" * 64, ("of: others", "x"))
    file.send("GET", "/v1.45/networks/x", None, odd)
    file.write()
    assert file.objects["ONLY_NETWORKS"] == "*"


def test_bounds() -> None:
    """At most so many objects of a kind are kept, and what has no room is told."""
    file = Named(Strangers.NAMES)
    file.begin()
    for number in range(VALUES_KEPT + 5):
        file.send("GET", f"/v1.45/containers/c{number}/json", None, container(f"c{number}"))  # fmt: skip
    file.write()
    assert len(file.evidence.objects) == VALUES_KEPT
    assert file.evidence.dropped() > 0


STEPS = st.lists(
    st.sampled_from(
        [
            inspect(OWN),
            inspect(DB),
            inspect(WEB),
            execute(OWN),
            ("GET", "/v1.45/networks/front", network("front")),
            ("GET", "/v1.45/networks/mine", network("mine", "app")),
            ("GET", "/v1.45/volumes/data", volume("data")),
            ("DELETE", "/v1.45/volumes/mine", volume("mine", "app")),
        ]
    ),
    min_size=1,
    max_size=8,
)


def test_the_order_of_requests_takes_no_list_away() -> None:
    """Its own container, then a stranger, then its own network, each written down before
    the next: the lists are there, and nobody is said to have taken them out."""
    file = Named()
    file.begin()
    file.make()
    file.write(going_on="2026-0001")
    file.send("GET", "/v1.45/containers/db/json", None, DB)
    file.write(going_on="2026-0001")
    file.send("POST", "/v1.45/networks/create", {"Name": "n"}, status=201)
    file.write(going_on="2026-0001")
    file.write()
    assert file.objects == {
        "ONLY_CONTAINERS": "@own,db",
        "ONLY_NETWORKS": "@own,bridge",
        "ONLY_VOLUMES": "@own",
        "ONLY_OWNER": "app",
    }
    assert not file.proposal.objects.open


REACHING = [
    *(inspect(OWN), inspect(DB), inspect(WEB), execute(OWN)),
    execute(container("host", host={"Binds": ["/etc:/x"]})),
    ("GET", "/v1.45/networks/front", network("front")),
    ("GET", "/v1.45/networks/mine", network("mine", "app")),
    ("DELETE", "/v1.45/volumes/mine", volume("mine", "app")),
    (*CREATE, OWN),
]


@pytest.mark.deep
@settings(deadline=None, max_examples=by_depth(20, 100))
@given(data=st.data(), strangers=st.sampled_from(Strangers), is_twice=st.booleans())
def test_the_order_of_requests_shows_nowhere(
    data: st.DataObject, strangers: Strangers, is_twice: bool
) -> None:
    """Whatever a run asks for first, and however often it is written down meanwhile, the
    file is the same in the end, byte for byte; so is that of a second run."""
    steps = data.draw(st.lists(st.sampled_from(REACHING), min_size=1, max_size=7))
    texts = list[str]()
    for is_shuffled in (False, True):
        file = Named(strangers)
        for _ in range(1 + is_twice):
            file.begin()
            run = f"2026-{file.runs:04}"
            mine = data.draw(st.permutations(steps)) if is_shuffled else steps
            for method, target, thing in mine:
                body: Json = {"Image": "nginx"} if method == CREATE[0] and target == CREATE[1] else None  # fmt: skip
                file.send(method, target, body, thing, status=201)
                if is_shuffled and data.draw(st.booleans()):
                    file.write(going_on=run)
            file.write()
        texts.append(file.text)
    assert texts[0] == texts[1]


@pytest.mark.deep
@settings(deadline=None, max_examples=by_depth(20, 60))
@given(steps=STEPS, cut=st.integers(0, 8), strangers=st.sampled_from(Strangers))
def test_runs_may_be_cut_anywhere(
    steps: list[tuple[str, str, Thing]], cut: int, strangers: Strangers
) -> None:
    """One run or two, whatever is named in which: the lists hold all that was named, and
    are the same where it was told how strangers are listed."""
    whole, parts = Named(strangers), Named(strangers)
    whole.run(*steps)
    parts.run(*steps[:cut])
    parts.run(*steps[cut:])
    assert whole.objects == parts.objects or strangers is Strangers.SAME
    for file in (whole, parts):
        policy, _ = parse_policy(parse(file.text, name="app.env"))
        for _, _, thing in steps:
            only = policy.objects.by_kind.get(thing.kind)
            assert only is None or only.holds(thing)


def test_what_an_earlier_run_left_is_told_apart() -> None:
    """What its own label says and a date before the run is counted apart, and what such a
    thing has shows no need: no list goes for it, whoever forgot what it was made with."""
    left = container("left", owner="app", host={"Binds": ["/etc:/x"]})
    left = left._replace(value={**left.value, "Created": "1970-01-01T00:00:42.5Z"})
    file = Named()
    file.begin()  # at 100 s
    file.make()
    file.send("POST", "/v1.45/containers/left/start", None, left, status=204)
    file.write()
    assert file.objects["ONLY_CONTAINERS"] == "@own"
    told = file.proposal.objects.counted["ONLY_CONTAINERS"]
    assert told == "all that were named were its own; 1 was left by an earlier run"
    # The same, made in this run by somebody else's hand, is what the client reaches into.
    mine = left._replace(value={**left.value, "Created": "1970-01-01T00:02:42.5Z"})
    file.send("POST", "/v1.45/containers/left/start", None, mine, status=204)
    file.write()
    assert "which has CREATE_BINDS=/etc" in file.proposal.objects.open


def test_what_it_asked_for_is_not_reached_into() -> None:
    """What its own container has because its creation asked for that is no news when it starts,
    nor is what an exec was made with when that starts; what nobody asked for is both times."""
    mine = container("mine", owner="app", host={"Binds": ["/srv:/x"]})
    mine = mine._replace(value={**mine.value, "Created": "1970-01-01T00:02:42.5Z"})
    run: Json = {"entrypoint": "id", "privileged": True}
    ran = DB._replace(value={**DB.value, "ProcessConfig": run})
    asks: Json = {"Cmd": ["id"], "Privileged": True}
    cases: list[tuple[Json, Json, set[str]]] = [
        ({"Binds": ["/srv:/x"]}, asks, set()),
        ({}, {}, {"CREATE_BINDS=/srv", "EXEC_PRIVILEGED=1", "EXEC_COMMANDS=id"}),
    ]
    for host, command, has in cases:
        file = Named()
        file.begin()
        file.send(*CREATE, {"Image": "nginx", "HostConfig": host}, status=201)
        file.send("POST", "/v1.45/containers/mine/start", None, mine, status=204)
        file.send("POST", "/v1.45/containers/db/exec", command, DB, status=201)
        file.send("POST", f"/v1.45/exec/{ID}/start", None, ran)
        assert {one.has for one in file.evidence.objects} - {"CREATE_NODES=", ""} == has


def test_what_was_named_in_vain_is_not_listed() -> None:
    """A stranger that never started is none of the file's, which is written all the same."""
    file = Named()
    file.begin()
    file.make()
    file.send("POST", "/v1.45/containers/mine/start", None, OWN, status=204)
    file.send("POST", "/v1.45/containers/db/start", None, DB, status=500)
    file.write()
    assert file.listed() == "@own"


def test_lists_that_refuse_what_was_named_are_a_bug() -> None:
    """The replay stops a file whose lists of objects would refuse one that was named."""
    file = Named()
    file.run(inspect(DB), inspect(OWN))
    values = {**file.proposal.objects.values, "ONLY_CONTAINERS": "@own"}
    objects = replace(file.proposal.objects, values=values)
    proposal = replace(file.proposal, objects=objects)
    with pytest.raises(TrioProxyError, match="would refuse container db, which Contai"):
        env_text(file.evidence, proposal, "", file.wish)


def test_lists_that_learning_left_out_come_back() -> None:
    """Where learning itself wrote no lists, it writes them as soon as it can; where a person
    took them out, they stay out, also over a run that learns nothing of objects."""
    file = Named()
    file.begin()
    file.make()
    file.write()
    mounted = container("host", host={"Binds": ["/srv:/x"]})
    file.begin()
    file.send("POST", "/v1.45/containers/host/start", None, mounted, status=204)
    file.write()
    assert not file.objects
    file.edit(
        "CREATE_IMAGES=nginx:latest", "CREATE_IMAGES=nginx:latest\nCREATE_BINDS=/srv"
    )
    file.begin()
    file.make()
    file.write()
    assert file.listed() == "@own,host"
    assert file.objects["ONLY_NETWORKS"] == "@own,bridge"
    lists = [line for line in file.text.split("\n") if line.startswith("ONLY_")]
    for line in lists:
        file.edit(line, "")
    file.wish = replace(WISH, objects=None)
    file.begin()
    file.send("GET", "/v1.45/_ping", None)
    file.write()
    file.wish = WISH
    file.begin()
    file.make()
    file.write()
    assert not file.objects
    assert "none of these lists" in file.proposal.objects.open
    words = file.text.replace("\n#     ", " ")
    assert "may be named, as their lists are not wanted\n" in words


def test_an_owner_stays() -> None:
    """An owner that was given once is the file's for good, with lists or without."""
    file = Named()
    file.wish = replace(WISH, owner="app-7f3k")
    file.gate = Gate.learning(objects=own_alone("app-7f3k"))
    file.begin()
    file.make()
    reached = container("db", host={"Binds": ["/etc:/x"]})
    file.send("POST", "/v1.45/containers/db/start", None, reached, status=204)
    file.write()
    assert not file.objects
    for line in ("CREATE_IMAGES=nginx:latest\nCREATE_BINDS=/etc", None):
        if line:
            file.edit("CREATE_IMAGES=nginx:latest", line)
        file.wish = replace(WISH, owner="app-else")
        file.begin()
        file.make()
        file.write()
        assert file.objects["ONLY_OWNER"] == "app-7f3k"


@pytest.mark.parametrize(
    ("name", "end", "owner"),
    [
        ("ci", b"", "ci"),
        ("ci", bytes([5, 13, 1, 18]), "ci-7f3k"),
        ("my app", b"\0\0\0\0", "my-app-2222"),
        ("x" * 300, b"\0\0\0\0", f"{'x' * 120}-2222"),
        ("", b"", "client"),
    ],
)
def test_owners(name: str, end: bytes, owner: str) -> None:
    """An owner is what a file is called, in letters that labels take, and a random end."""
    assert new_owner(name, end) == owner
    assert own_alone(owner).owner == owner


def test_evidence_of_objects_is_read_back() -> None:
    """Names, projects and what was reached into survive a round trip; other keys do not."""
    file = Named()
    file.begin()
    file.make()
    mounted = container("db", project="shop", host={"Binds": ["/etc:/x"]})
    file.send("POST", "/v1.45/containers/db/start", None, mounted, status=204)
    text = evidencefile.dump(file.evidence)
    assert '["ONLY_CONTAINERS", "db"]' in text
    assert '"project": "shop"' in text
    assert '"has": "CREATE_BINDS=/etc"' in text
    again = evidencefile.load(text.encode(), name="x").evidence
    assert again.objects == file.evidence.objects
    assert again.runs == file.evidence.runs
    assert {OBJECTS[f"ONLY_{kind.upper()}S"] for kind in again.runs["2026-0001"].own} == {Kind.CONTAINER}  # fmt: skip


EDITS = ("", "@own", "*", "db", "@own,shop-*", "@project:shop", "@own,@label:a=b")
ROUNDS = st.lists(
    st.tuples(STEPS, st.sampled_from(Strangers), st.none() | st.sampled_from(EDITS)),
    min_size=1,
    max_size=4,
)


@pytest.mark.deep
@settings(deadline=None, max_examples=by_depth(25, 80))
@given(rounds=ROUNDS)
def test_whatever_a_person_writes_in_between_is_learned_on(
    rounds: list[tuple[list[tuple[str, str, Thing]], Strangers, str | None]],
) -> None:
    """Runs, wishes and edits in any order: what is written is read back, holds what a person
    wrote, and refuses nothing that was named but what he took out."""
    file = Named()
    for steps, strangers, edit in rounds:
        file.wish = replace(WISH, objects=strangers)
        file.run(*steps)
        if edit is None or not file.objects:
            continue
        before = f"ONLY_CONTAINERS={file.listed()}"
        lines = [
            f"ONLY_CONTAINERS={edit}" if line == before else line
            for line in file.text.split("\n")
        ]
        if "ONLY_OWNER=app" not in lines:
            lines.insert(0, "ONLY_OWNER=app")
        file.text = "\n".join(lines)
        file.begin()
        file.write()
        kept = set(filter(None, edit.split(",")))
        listed = set(file.listed().split(",")) if file.objects else {"*"}
        assert listed == {"*"} or kept <= listed or kept <= {"@own", "*"}


LIST = ("GET", "/v1.45/containers/json?all=1")
BY_ID = ("GET", f"/v1.45/containers/{ID}/json")


def looks_around(file: Named, lists: tuple[str, str] = LIST) -> None:
    """What docker-py does for `containers.list()`: it inspects each that is listed."""
    file.send(*lists)
    file.send(*BY_ID, None, DB)


def told(file: Named) -> str:
    return file.proposal.objects.counted["ONLY_CONTAINERS"]


def test_what_a_list_told_of_is_not_what_it_needs() -> None:
    """Who makes something, and looks at strangers because a list told of them, gets `@own`, and one
    line says at which it looked: the list will not tell of them. The next run is no news."""
    file = Named()
    for _ in range(2):
        file.begin()
        file.make()
        looks_around(file)
        file.write()
        assert file.listed() == "@own"
        assert told(file) == (
            "all that were named were its own; it looked at db because a list told of them,"
            " which will not"
        )
    assert not file.proposal.has_news


def test_what_a_list_told_of_hides_no_other_names() -> None:
    """Who looks at all that a list tells of, and stops another one by its name in each run, has no
    two names: with those the third run was refused."""
    file = Named()
    for thing in (DB, WEB):
        file.begin()
        file.make()
        looks_around(file)
        file.send(*BY_ID, None, WEB)
        stop = f"/v1.45/containers/{thing.names[0]}/stop"
        file.send("POST", stop, None, thing, status=204)
        file.write()
    assert file.listed() == "*"
    assert told(file) == "1 of 2 was its own; shop-web-1 was not; others in other runs"


def test_what_a_file_says_is_its_own_needs_no_evidence() -> None:
    """A file with `@own` whose evidence is lost keeps that, however early in the run it is written."""
    file = Named()
    file.begin()
    file.make()
    looks_around(file)
    text = file.write()
    file.evidence = Evidence()
    file.begin()
    looks_around(file)
    file.write(going_on="2026-0002")
    file.make()
    assert file.write() == text


def test_what_a_network_told_before_a_list_did_is_no_need() -> None:
    """Docker's libraries inspect the network that they made: who lists containers after that, and
    looks at them, gets `@own` as without it."""
    file = Named()
    file.begin()
    file.make()
    file.send("GET", "/v1.45/networks/net", None, network("net", owner="app"))
    looks_around(file)
    file.write()
    assert file.listed() == "@own"


@pytest.mark.parametrize(
    "lists",
    [
        pytest.param(("GET", f"/v1.45/containers/json?filters=%7B%22{key}%22%3A%5B%22x%22%5D%7D"), id=key)
        for key in ("name", "id", "label")
    ]
    + [pytest.param(("GET", "/v1.45/volumes"), id="volumes"), pytest.param(("GET", "/v1.45/version"), id="no list")],
)  # fmt: skip
def test_what_it_asked_for_by_itself_is_needed(lists: tuple[str, str]) -> None:
    """A list that was filtered by what the client knows already tells nothing, nor does one of
    something else: a stranger that is then inspected counts."""
    file = Named()
    file.begin()
    file.make()
    looks_around(file, lists)
    file.write()
    assert file.listed() == "*"


def test_what_it_names_by_its_name_is_needed() -> None:
    """No list tells a client how it is going to call a stranger: by its name it is named, and so is
    one whose logs are read, be it by the id from a list."""
    for method, target in (
        ("GET", "/v1.45/containers/db/json"),
        ("GET", f"/v1.45/containers/{ID}/logs"),
    ):
        file = Named()
        file.begin()
        file.make()
        looks_around(file)
        file.send(method, target, None, DB)
        file.write()
        assert file.listed() == ("@own,db" if "db" in target else "*")


def test_who_is_about_others_looks_at_them() -> None:
    """Who makes nothing, and lists and inspects, would be shown nothing by `@own`: which it names
    stays open, for it found them."""
    file = Named()
    file.begin()
    looks_around(file)
    file.write()
    assert file.objects == {}


def test_evidence_of_what_was_told_reads_back() -> None:
    """It is a line as any other, by the operation that told of it."""
    file = Named()
    file.begin()
    file.make()
    looks_around(file)
    text = evidencefile.dump(file.evidence)
    again = evidencefile.load(text.encode(), name="x.jsonl").evidence
    assert evidencefile.dump(again) == text
    assert '"by": "ContainerList"' in text


def test_what_follows_from_a_would_be_refusal_is_no_need() -> None:
    """In a shadow a creation that would be refused goes on unlabelled. What then names that
    container would be refused as well, as a consequence: it is not proposed. A stranger that
    is named is, and so is what the creation asked for."""
    policy, _ = parse_policy(
        {
            "ALLOW_OPERATIONS": "ContainerCreate,ContainerStart",
            "CREATE_BINDS": "/srv/a",
            "ONLY_CONTAINERS": "@own",
            "ONLY_OWNER": "app",
        }
    )
    file = Named()
    file.gate = Gate.trying(policy)
    file.begin()  # at 100 s, and so are all its requests
    body: Json = {"Image": "nginx", "HostConfig": {"Binds": ["/srv/b:/x"]}}
    file.send(*CREATE, body, status=201)

    def start(name: str, made: str, labels: Mapping[str, str]) -> None:
        thing = container(name)
        value = {**thing.value, "Created": made}
        thing = thing._replace(value=value, labels={**thing.labels, **labels})
        file.send("POST", f"/v1.45/containers/{name}/start", None, thing, status=204)

    start("unlabelled", "1970-01-01T00:01:40.2Z", {})
    start("older", "1970-01-01T00:00:40Z", {})
    start("of-others", "1970-01-01T00:01:40.2Z", {OWNER_LABEL: "other"})
    named = {one.item for one in file.evidence.objects if one.variable == "ONLY_CONTAINERS"}  # fmt: skip
    assert named == {"", "@own", "older", "of-others"}
    asked = {(one.variable, one.item) for one in file.evidence.arguments}
    assert ("CREATE_BINDS", "/srv/b") in asked
    # Without a refusal in front of it, what was made just now is a stranger like any other.
    file.gate = Gate.trying(policy)
    file.begin()
    start("unlabelled", "1970-01-01T00:03:20.2Z", {})
    assert Sight("ONLY_CONTAINERS", "unlabelled", "ContainerStart", is_named=True) in file.evidence.objects  # fmt: skip
