"""`trioproxy merge`: what many learners saw, in one file."""

from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.learning.test_only import ID, Named, container, network
from trioproxy.api.families import Kind, Places
from trioproxy.evidence.evidencefile import dump, load
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, route
from trioproxy.file.envfile import LONGEST_LINE
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.rules import Policy
from trioproxy.learning.learnedfile import LEFT_OPEN
from trioproxy.learning.proposal import listed_operations
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish
from trioproxy.limits.grant import Grant

LIST = route("ContainerList", "GET", "CONTAINERS")
EXEC = route("ContainerExec", "POST", "CONTAINERS")
CREATE = route("ContainerCreate", "POST", "CONTAINERS")
IMAGES = route("ImageList", "GET", "IMAGES")
TIME = 1_795_515_300


def seen(run_id: str, *shapes: Sight) -> Evidence:
    """The evidence of one run."""
    evidence = Evidence()
    evidence.begin(run_id, TIME)
    for shape in shapes:
        evidence.observe(shape, "200", When(TIME), Who("app/1", "10.0.0.5", "1.45"))
    return evidence


def learned(path: Path, *parts: Evidence) -> Path:
    """An env file and evidence as learners leave them."""
    store = Store(path, Wish(name=path.stem, file=str(path)))
    for part in parts:
        store.save(part, is_final=True)
    return path


def merge(*paths: Path, out: Path) -> Finished:
    """Run the command."""
    return run("merge", *map(str, paths), "-o", str(out))


def granted(path: Path) -> set[str]:
    """What a file grants."""
    return set(listed_operations(path.read_text(), "x") or ())


def policy_of(path: Path) -> Policy:
    """What a file means."""
    return parse_policy_file(path.read_text(), name="x")[0]


def evidence_of(path: Path) -> Evidence:
    """What lies beside a file."""
    return load(evidence_path(path).read_bytes(), name="x").evidence


def test_two_learners_equal_one_that_saw_both(tmp_path: Path) -> None:
    """Merged files are those of one learner that saw all, but for where it came from."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    two = learned(tmp_path / "two.env", seen("r2", LIST, IMAGES))
    both = learned(
        tmp_path / "both" / "app.env", seen("r1", LIST), seen("r2", LIST, IMAGES)
    )
    merged = set[str]()
    for order, name in (((one, two), "a"), ((two, one), "b")):
        out = tmp_path / name / "app.env"
        done = merge(*order, out=out)
        assert done.status == 0, done.err
        assert out.read_text() == both.read_text()
        evidence = evidence_of(out)
        merged.add(out.read_text() + dump(evidence))
        for one_run in evidence.runs.values():
            one_run.files = frozenset()
        assert dump(evidence) == dump(evidence_of(both))
    assert len(merged) == 1


def test_each_run_keeps_the_file_it_came_from(tmp_path: Path) -> None:
    """The table and `explain` say of each file when something last was new."""
    one = learned(tmp_path / "a" / "app.env", seen("r1", LIST), seen("r3", LIST))
    two = learned(tmp_path / "b" / "app.env", seen("r2", LIST, IMAGES))
    out = tmp_path / "all.env"
    done = merge(one, two, out=out)
    assert "  ImageList      GET /images/json      1x  new\n" in done.err
    last = "last new: a/app.env: run 1 of 2; b/app.env: run 1 of 1\n"
    assert last in done.err
    assert last in run("explain", str(out)).out


def test_what_was_merged_before_keeps_its_first_file(tmp_path: Path) -> None:
    """A file that is merged on does not take the place of those it was made from."""
    one = learned(tmp_path / "a" / "app.env", seen("r1", LIST))
    merge(one, out=tmp_path / "b" / "app.env")
    out = tmp_path / "c" / "app.env"
    done = merge(tmp_path / "b" / "app.env", out=out)
    assert done.status == 0, done.err
    assert {one.files for one in evidence_of(out).runs.values()} == {
        frozenset({"a/app.env"})
    }


def test_merging_again_changes_nothing(tmp_path: Path) -> None:
    """The output may be merged with its inputs any number of times."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    out = tmp_path / "out.env"
    merge(one, out=out)
    before = (out.read_bytes(), evidence_path(out).read_bytes())
    merge(one, out, one, out=out)
    assert (out.read_bytes(), evidence_path(out).read_bytes()) == before


def test_the_output_among_the_files_is_no_other_one(tmp_path: Path) -> None:
    """However its path is spelt, runs of the output itself come from no other file."""
    out = learned(tmp_path / "app.env", seen("r1", LIST))
    (tmp_path / "to").symlink_to(tmp_path)
    other = tmp_path / "x" / ".." / "app.env"
    other.parent.parent.mkdir()
    for path in (out, other, tmp_path / "to" / "app.env"):
        assert merge(path, out=out).status == 0
        assert not evidence_of(out).runs["r1"].files


def test_what_one_never_saw_is_not_declined(tmp_path: Path) -> None:
    """An operation that another learner brings in is new here, not taken out."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    out = learned(tmp_path / "out.env", seen("r2", IMAGES))
    done = merge(one, out=out)
    assert granted(out) == {"ContainerList", "ImageList"}
    assert "declined" not in done.err


def test_a_reviewers_removal_stays(tmp_path: Path) -> None:
    """What was taken out of one of the files does not come back through another."""
    one = learned(tmp_path / "one.env", seen("r1", LIST, EXEC))
    one.write_text("ALLOW_OPERATIONS=ContainerList\n")
    two = learned(tmp_path / "two.env", seen("r2", EXEC, IMAGES))
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert granted(out) == {"ContainerList", "ImageList"}
    assert "declined, not granted (learn --restore NAME): ContainerExec" in done.err
    merge(two, out=out)
    assert granted(out) == {"ContainerList", "ImageList"}


def test_additions_by_hand_are_kept(tmp_path: Path) -> None:
    """What a person wrote into one of the files is in the output."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    one.write_text("ALLOW_OPERATIONS=ContainerList,SystemInfo,GET:/x/{y}\n")
    out = tmp_path / "out.env"
    merge(one, out=out)
    assert granted(out) == {"ContainerList", "SystemInfo", "GET:/x/{y}"}


def test_evidence_alone(tmp_path: Path) -> None:
    """Evidence can be merged without an env file, and learned from later."""
    paths = []
    for number, shape in enumerate((LIST, IMAGES)):
        paths.append(tmp_path / f"{number}.jsonl")
        paths[-1].write_text(dump(seen(f"r{number}", shape)))
    out = tmp_path / "out.jsonl"
    done = merge(paths[0], out=out)
    assert done.err == f"trioproxy: {out} holds 1 run, 1 fact\n"
    done = merge(*paths, out=out)
    assert done.err == f"trioproxy: {out} holds 2 runs, 2 facts\n"
    assert merge(out, out=tmp_path / "app.env").status == 0
    assert granted(tmp_path / "app.env") == {"ContainerList", "ImageList"}


def test_a_file_without_evidence_is_what_a_person_wrote(tmp_path: Path) -> None:
    """Its lists and operations are united with what was learned, and that is said."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    two = tmp_path / "two.env"
    two.write_text("# ours\nCREATE_BINDS=/srv/b\nALLOW_OPERATIONS=ContainerCreate\n")
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert done.status == 0, done.err
    assert f"{two} has no evidence beside it: a person wrote what it lists" in done.err
    assert str(one) not in done.err
    assert granted(out) == {"ContainerCreate", "ContainerList"}
    assert "CREATE_BINDS=/srv/b" in out.read_text().splitlines()
    assert not evidence_path(two).exists()
    assert merge(two, one, out=tmp_path / "other.env").status == 0
    assert policy_of(out) == policy_of(tmp_path / "other.env")


def test_who_names_what_nobody_knows_leaves_the_lists_open(tmp_path: Path) -> None:
    """Of two files that learning left open, one without evidence, lists of objects were begun by what the other named."""
    file = Named()
    file.begin()
    file.make()
    db = container("db", host={"Binds": ["/srv/b:/x"], "CapDrop": ["MKNOD"]})
    file.send("POST", "/v1.45/containers/db/start", None, db, status=204)
    file.write()
    one, two, out = (tmp_path / f"{name}.env" for name in ("one", "two", "out"))
    one.write_text(file.text)
    evidence_path(one).write_text(dump(file.evidence))
    is_open = next(line for line in file.text.split("\n") if LEFT_OPEN in line)
    lines = ("CREATE_BINDS=/srv/b", "ALLOW_OPERATIONS=ContainerCreate,ContainerAttach")
    two.write_text("".join(f"{line}\n" for line in (is_open, *lines)))
    assert merge(one, two, out=out).status == 0
    assert "ONLY_" not in out.read_text()


def test_all_that_one_of_the_files_lets_be_named_stays(tmp_path: Path) -> None:
    """Who looks at whatever a list tells of was refused that, once it was merged with who makes things."""
    monitor, maker = Named(), Named()
    monitor.begin()
    monitor.send("GET", "/v1.45/containers/json")
    monitor.send("GET", f"/v1.45/containers/{ID}/json", None, container("db"))
    front = network("front")
    monitor.send("GET", "/v1.45/networks/front", None, front)
    monitor.write()
    maker.begin()
    maker.make()
    maker.write()
    paths = one, two, out = [tmp_path / f"{name}.env" for name in ("one", "two", "out")]
    for path, file in zip(paths, (monitor, maker), strict=False):
        path.write_text(file.text)
        evidence_path(path).write_text(dump(file.evidence))
    for path in (out, one, out):
        done = merge(one, two, out=path)
        assert "ONLY_CONTAINERS=*" in path.read_text().split()
        assert "which will not" not in done.out + done.err
        known = load(evidence_path(path).read_bytes(), name="").evidence
        # As a person's: who learns on with that file has it, too.
        assert Grant("ONLY_CONTAINERS", "*") not in known.granted


def test_a_file_of_nothing_is_no_part(tmp_path: Path) -> None:
    """What neither grants by name nor was learned is refused, and nothing is written."""
    (tmp_path / "none.env").write_text("# later\n")
    done = merge(tmp_path / "none.env", out=tmp_path / "out.env")
    assert done.status == 2
    assert "has neither ALLOW_OPERATIONS nor evidence beside it" in done.err
    assert not (tmp_path / "out.env").exists()


@pytest.mark.parametrize("torn", ["one.jsonl", "out.jsonl"])
def test_what_is_torn_is_reported(torn: str, tmp_path: Path) -> None:
    """A file that a power cut damaged is merged without its last line, the output too, and told."""
    path = tmp_path / "one.jsonl"
    path.write_text(dump(seen("r1", LIST)))
    with (tmp_path / torn).open("a") as file:
        file.write(dump(seen("r0", LIST)) * (torn != path.name))
        file.write('{"grant": ["ALLOW_OPER')
    done = merge(path, out=tmp_path / "out.jsonl")
    said = f"{torn}:4: the last line is cut off: it is ignored"
    assert (done.status, done.err.count(said)) == (0, 1)


@pytest.mark.parametrize(
    ("files", "out", "said"),
    [
        pytest.param(["none.jsonl"], "out.env", "cannot read", id="missing"),
        pytest.param(["no.env"], "out.env", "cannot read", id="missing-env"),
        pytest.param(["bad.jsonl"], "out.env", "bad.jsonl:2: ", id="damaged"),
        pytest.param(["good.env"], "good.jsonl", "belongs to", id="evidence-of-a-file"),
        pytest.param(["good.env"], "link.env", "symbolic link", id="link"),
    ],
)
def test_bad_input_changes_nothing(
    files: list[str], out: str, said: str, tmp_path: Path
) -> None:
    """What cannot be read or written is one line, and no file is touched."""
    learned(tmp_path / "good.env", seen("r1", LIST))
    (tmp_path / "bad.jsonl").write_text('{"format": 3}\n{"x": 1}\n{"y": 2}\n')
    (tmp_path / "link.env").symlink_to("elsewhere")
    before = {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}
    done = merge(*(tmp_path / name for name in files), out=tmp_path / out)
    assert (done.status, said in done.err) == (2, True), done.err
    after = {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after == before


def asked(run_id: str, *asking: tuple[str, str]) -> Evidence:
    """The evidence of one run that created containers and asked for something."""
    evidence = seen(run_id, CREATE)
    for variable, value in (("CREATE", ""), *asking):
        one = Sight(variable, value, "ContainerCreate")
        evidence.observe(one, "201", When(TIME))
    return evidence


def lists(path: Path) -> dict[str, str]:
    """The lists of a file."""
    lines = path.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line.startswith("CREATE_"))
    return {name: value for name, _, value in pairs}


BIND = "CREATE_BINDS"


def test_learned_lists_unite(tmp_path: Path) -> None:
    """Merged lists are those of one learner that saw all, byte for byte, in any order."""
    a, b = asked("r1", (BIND, "/srv/a")), asked("r2", (BIND, "/srv/b"))
    one, two = learned(tmp_path / "one.env", a), learned(tmp_path / "two.env", b)
    both = learned(tmp_path / "both" / "app.env", a, b)
    texts = set[str]()
    for order, name in (((one, two), "a"), ((two, one), "b")):
        out = tmp_path / name / "app.env"
        done = merge(*order, out=out)
        assert done.status == 0, done.err
        assert out.read_text() == both.read_text()
        texts.add(out.read_text() + dump(evidence_of(out)))
        before = out.read_bytes()
        assert merge(one, two, out, out=out).status == 0
        assert out.read_bytes() == before
    assert len(texts) == 1
    assert lists(both) == {BIND: "/srv/a,/srv/b"}


def test_folders_that_differ_unite(tmp_path: Path) -> None:
    """Where `{base}` is another folder it is written out, and what says the same is listed
    once; the output can be learned on, and the order does not matter."""
    paths = list[Path]()
    for name, base, value in (
        ("one", "/builds/ci", "{base}/data"),
        ("two", "/builds/me", "{base}/data"),
        ("three", "/builds/ci", "/builds/ci/data"),
    ):
        evidence = asked(f"r-{name}", (BIND, value))
        evidence.runs[f"r-{name}"].places = Places(base if "{" in value else "")
        paths.append(learned(tmp_path / f"{name}.env", evidence))
    for order, name in ((paths, "a"), (paths[::-1], "b")):
        out = tmp_path / name / "app.env"
        done = merge(*order, out=out)
        assert done.status == 0, done.err
        assert "CREATE_BASE is /builds/ci: where it differs" in done.err
        assert lists(out) == {
            "CREATE_BASE": "/builds/ci",
            BIND: "/builds/me/data,{base}/data",
        }


def test_the_socket_of_the_proxy_is_kept(tmp_path: Path) -> None:
    """A file that gives this proxy to what its client starts does so when it is merged."""
    one = learned(tmp_path / "one.env", asked("r1", (BIND, "/srv/a")))
    text = one.read_text().replace(f"{BIND}=/srv/a", f"{BIND}=/srv/a,@proxy")
    one.write_text(f"PROXY_SOCKET=/run/trioproxy.sock\n{text}")
    two = learned(tmp_path / "two.env", asked("r2", (BIND, "/srv/b")))
    out = tmp_path / "out" / "app.env"
    done = merge(one, two, out=out)
    assert done.status == 0, done.err
    assert "PROXY_SOCKET=/run/trioproxy.sock\n" in out.read_text()
    assert lists(out)[BIND] == "/srv/a,/srv/b,@proxy"


def test_the_line_of_the_proxys_socket_is_kept(tmp_path: Path) -> None:
    """It stays as it is written, also where no list has `@proxy` so far, and what others list
    as that is meant as they say it."""
    env, other = tmp_path / "one.env", tmp_path / "two.env"
    line = "PROXY_SOCKET=/run/my%20app/proxy.sock"
    granting = "ALLOW_OPERATIONS=ContainerCreate\n"
    env.write_text(f"{line}\nCREATE_BINDS=\n{granting}")
    other.write_text(f"PROXY_SOCKET=/run/it.sock\nCREATE_BINDS=@proxy\n{granting}")
    out = tmp_path / "out.env"
    for files, kept in (((env,), line), ((env, other), "PROXY_SOCKET=/run/it.sock")):
        out.unlink(missing_ok=True)
        done = merge(*files, out=out)
        assert (done.status, f"{kept}\n" in out.read_text()) == (0, True), done.err
    done = merge(other, out=env)
    assert (done.status, f"{line}\n" in env.read_text()) == (0, True), done.err
    said = line.replace("=", " is ")
    assert f"{said}, and in other files /run/it.sock" in done.err


def test_lists_of_a_fleet_are_bounded(tmp_path: Path) -> None:
    """A list that is longer than a line may be holds what there is room for, and it is said."""
    paths = list[Path]()
    for host in range(4):
        binds = ((BIND, f"/srv/{host}/{n:0150}") for n in range(80))
        paths.append(learned(tmp_path / f"h{host}.env", asked(f"r{host}", *binds)))
    out = tmp_path / "out" / "app.env"
    done = merge(*paths, out=out)
    assert done.status == 0, done.err
    assert "CREATE_BINDS has room for " in done.err
    assert len(f"{BIND}={lists(out)[BIND]}") <= LONGEST_LINE


def test_names_of_a_fleet_are_bounded(tmp_path: Path) -> None:
    """A list of objects that is longer than a line may be holds what there is room for, too."""
    lines = "ONLY_OWNER=me\nALLOW_OPERATIONS=ContainerStart\n"
    for host in ("a", "b"):
        names = ",".join(f"{host}-{number:0200}" for number in range(100))
        text = f"CREATE_BINDS=\nONLY_CONTAINERS=@own,{names}\n{lines}"
        (tmp_path / f"{host}.env").write_text(text)
    out = tmp_path / "out" / "app.env"
    done = merge(tmp_path / "a.env", tmp_path / "b.env", out=out)
    assert done.status == 0, done.err
    assert "ONLY_CONTAINERS has room for 162 of 201 items" in done.err
    assert len(policy_of(out).objects.by_kind[Kind.CONTAINER].items) == 162


def test_lists_by_hand_are_kept(tmp_path: Path) -> None:
    """What a person listed in one of the files is in the output, marked as such."""
    one = learned(tmp_path / "one.env", asked("r1", (BIND, "/srv/a")))
    two = learned(tmp_path / "two.env", asked("r2"))
    two.write_text(f"{two.read_text()}CREATE_CAPS=NET_ADMIN\n")
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert done.status == 0, done.err
    assert lists(out) == {BIND: "/srv/a", "CREATE_CAPS": "NET_ADMIN"}
    assert out.read_text().splitlines()[-1].startswith("ALLOW_OPERATIONS=")
    assert "widens" not in done.err
    out.write_text(out.read_text().replace("CREATE_CAPS=NET_ADMIN\n", ""))
    assert merge(one, two, out=out).status == 0
    assert lists(out)["CREATE_CAPS"] == "NET_ADMIN"  # no run of ours had listed it


def test_an_open_family_stays_open_and_is_told(tmp_path: Path) -> None:
    """A file that limits nothing is not limited by being merged with one that does."""
    one = learned(tmp_path / "one.env", asked("r1", (BIND, "/srv/a")))
    two = learned(tmp_path / "two.env", seen("r2", CREATE))
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert lists(out) == {}
    assert f"CREATE_* is open, because {two} grants ContainerCreate" in done.err
    alone = tmp_path / "alone.jsonl"
    alone.write_text(dump(seen("r3", CREATE)))
    done = merge(one, alone, out=tmp_path / "second.env")
    assert lists(tmp_path / "second.env") == {}
    assert f"CREATE_* is open, because {alone} grants" in done.err


def test_a_value_that_was_taken_out_stays_out(tmp_path: Path) -> None:
    """What a reviewer took out of one list does not come back through another file."""
    one = learned(tmp_path / "one.env", asked("r1", (BIND, "/srv/a"), (BIND, "/etc")))
    one.write_text(one.read_text().replace(f"{BIND}=/etc,/srv/a", f"{BIND}=/srv/a"))
    two = learned(tmp_path / "two.env", asked("r2", (BIND, "/etc"), (BIND, "/srv/b")))
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert done.status == 0, done.err
    assert lists(out) == {BIND: "/srv/a,/srv/b"}
    assert f"declined, not listed (learn --restore NAME): {BIND}=/etc" in done.err
    merge(two, out=out)
    assert lists(out) == {BIND: "/srv/a,/srv/b"}


def test_an_output_that_is_there_is_united_with_its_lists(tmp_path: Path) -> None:
    """What the output listed already stays, and what others list is added."""
    one = learned(tmp_path / "one.env", asked("r1", (BIND, "/srv/a")))
    out = learned(tmp_path / "out.env", asked("r2", (BIND, "/srv/b")))
    out.write_text(f"{out.read_text()}CREATE_CAPS=NET_ADMIN\n# a note\n")
    assert merge(one, out=out).status == 0
    assert lists(out) == {BIND: "/srv/a,/srv/b", "CREATE_CAPS": "NET_ADMIN"}
    assert "# a note" in out.read_text()


def with_redact(path: Path, words: str, *parts: Evidence) -> Path:
    """A file that was learned, and that a person had redact."""
    learned(path, *parts)
    path.write_text(f"REDACT={words}\n{path.read_text()}")
    return path


def test_what_all_hide_is_hidden(tmp_path: Path) -> None:
    """The result hides what each file hides; what one of them shows is shown, and said."""
    one = with_redact(tmp_path / "one.env", "env,labels", seen("r1", LIST))
    two = with_redact(tmp_path / "two.env", "env", seen("r2", IMAGES))
    out = tmp_path / "out.env"
    done = merge(one, two, out=out)
    assert done.status == 0, done.err
    assert policy_of(out).hidden_words == "env"
    assert "REDACT=labels is in " in done.err
    assert str(one) in done.err
    plain = learned(tmp_path / "plain.env", seen("r3", LIST))
    done = merge(one, plain, out=tmp_path / "all.env")
    assert policy_of(tmp_path / "all.env").hides is None
    assert "REDACT=env is in " in done.err


def test_learning_on_keeps_what_is_hidden(tmp_path: Path) -> None:
    """A line that a person wrote stays in a file that is learned on, and its comments know of it;
    what can never pass beside it is not granted, for the file would not load."""
    inspected = route("ContainerInspect", "GET", "CONTAINERS")
    path = tmp_path / "app.env"
    with_redact(path, "env,commands,labels", seen("r1", inspected))
    kube = route("LibpodGenerateKube", "GET", "LIBPOD_GENERATE")
    store = Store(path, Wish(name="app", file=str(path)))
    store.open()
    saved = store.save(seen("r2", inspected, LIST, kube), is_final=True)
    text = path.read_text()
    assert "REDACT=env,commands,labels\n" in text
    assert "reads secrets" not in text
    assert granted(path) == {"ContainerInspect", "ContainerList"}
    assert saved.proposal.capped == {"LibpodGenerateKube"}


def test_an_output_in_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the working folder is gone, that nothing can be written there is one line."""
    one = learned(tmp_path / "one.env", seen("r1", LIST))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = merge(one, out=Path("app.env"))
    assert done.status == 2
    assert "cannot write app.env: No such file or directory\n" in done.err
