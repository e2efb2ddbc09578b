"""Evidence and env file on disk while learning."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
from trio._core import _thread_cache

from tests.patience import PATIENCE
from trioproxy.errors import ConfigError, TrioProxyError
from trioproxy.evidence import journal as journal_module
from trioproxy.evidence import seen as seen_module
from trioproxy.evidence.evidencefile import HEADER, load
from trioproxy.evidence.journal import Journal
from trioproxy.evidence.ledger import Saved, evidence_path
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, route
from trioproxy.learning.proposal import listed_operations
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish

LIST = route("ContainerList", "GET", "CONTAINERS")
EXEC = route("ContainerExec", "POST", "CONTAINERS")
IMAGES = route("ImageList", "GET", "IMAGES")
WHO = Who("docker/26", "10.0.0.5", "1.45")


def learner(run: str = "2026-11-24T10:15:00Z-1", *shapes: Sight) -> Evidence:
    """The evidence of a run in which these shapes worked."""
    evidence = Evidence()
    evidence.begin(run, 1_795_515_300)
    for shape in shapes:
        evidence.observe(shape, "200", When(1_795_515_300), WHO)
    return evidence


@dataclass(kw_only=True)
class Files:
    """A store, and what a person sees of it."""

    env: Path
    fresh: bool = False
    wish: Wish = field(default=Wish(name="app", file="app.env"))

    @property
    def store(self) -> Store:
        return Store(self.env, self.wish, fresh=self.fresh)

    @property
    def evidence(self) -> Evidence:
        path = evidence_path(self.env)
        loaded = load(path.read_bytes(), name=str(path))
        assert not loaded.damage
        return loaded.evidence

    @property
    def granted(self) -> frozenset[str]:
        return listed_operations(self.env.read_text(), "app.env") or frozenset()

    @property
    def lines(self) -> list[str]:
        return evidence_path(self.env).read_text().splitlines()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(env=tmp_path / "learned" / "app.env")


def test_evidence_lies_beside_the_env_file() -> None:
    """The two files share a name, and neither can be taken for the other."""
    assert evidence_path(Path("learned/app.env")) == Path("learned/app.jsonl")
    assert evidence_path(Path("policy")) == Path("policy.jsonl")
    with pytest.raises(ConfigError, match="the name of an evidence file"):
        evidence_path(Path("app.jsonl"))
    with pytest.raises(ConfigError, match="'-' is no file name"):
        evidence_path(Path("-"))
    with pytest.raises(ConfigError, match="no file name"):
        evidence_path(Path())


def test_evidence_of_another_file_is_no_other_ones(files: Files) -> None:
    """`-o app` beside app.env would have its evidence, and what one used be declined in the other."""
    files.env.parent.mkdir()
    files.env.touch()
    with pytest.raises(ConfigError, match=r"app\.jsonl belongs to .*app\.env"):
        Store(files.env.with_suffix(""), files.wish).open()
    files.env.unlink()
    older = replace(files, env=files.env.with_suffix(""))
    older.store.save(learner("r1", LIST), [LIST], is_final=True)
    with pytest.raises(ConfigError, match=r"app\.jsonl belongs to .*app$") as caught:
        files.store.open()
    assert caught.value.hint == f"write -o {older.env}"
    assert older.store.open().evidence.runs
    older.env.write_bytes(b"\x7fELF\xff")  # a program is no file of ours
    assert files.store.open().evidence.runs


def test_a_first_save_makes_both_files(files: Files) -> None:
    """What was seen is in the evidence, in the env file, and marked as granted."""
    files.store.save(learner("r1", LIST), [LIST])
    assert files.lines[0] == HEADER
    assert files.granted == {"ContainerList"}
    assert files.evidence.granted_operations == {"ContainerList"}
    assert set(files.evidence.routes) == {LIST}


def test_news_are_appended(files: Files) -> None:
    """A new shape adds lines and leaves those before it untouched."""
    evidence = learner("r1", LIST)
    files.store.save(evidence, [LIST])
    before = files.lines
    evidence.observe(IMAGES, "200", When(1_795_515_301), WHO)
    files.store.save(evidence, [IMAGES])
    assert files.lines[: len(before)] == before
    assert files.granted == {"ContainerList", "ImageList"}


def test_counts_do_not_touch_the_env_file(files: Files) -> None:
    """While nothing new is granted, the env file stays the same file, also at the end."""
    evidence = learner("r1", LIST)
    files.store.save(evidence, [LIST])
    before = files.env.stat().st_ino
    evidence.observe(LIST, "200", When(1_795_515_399), WHO)
    files.store.save(evidence)
    assert files.evidence.facts[LIST].count() == 2
    assert files.env.stat().st_ino == before
    files.store.save(evidence, is_final=True)
    assert files.env.stat().st_ino == before


def test_what_failed_is_kept_and_not_granted(files: Files) -> None:
    """A failure is evidence, and no word of the file."""
    evidence = learner("r1", LIST)
    evidence.observe(EXEC, "404", When(1_795_515_300), WHO)
    files.store.save(evidence, is_final=True)
    assert files.granted == {"ContainerList"}
    assert "ContainerExec" not in files.env.read_text()
    assert files.evidence.granted_operations == {"ContainerList"}


def test_learners_side_by_side_unite(files: Files) -> None:
    """Two learners that know nothing of each other leave what one would that saw both."""
    one, two = learner("r1", LIST), learner("r2", IMAGES)
    first, second = files.store, files.store
    first.save(one, [LIST])
    second.save(two, [IMAGES])
    one.observe(LIST, "200", When(1_795_515_399), WHO)
    first.save(one, is_final=True)
    second.save(two, is_final=True)
    assert files.granted == {"ContainerList", "ImageList"}
    assert set(files.evidence.runs) == {"r1", "r2"}
    assert files.evidence.facts[LIST].count() == 2


def test_a_removal_while_learning_is_respected(files: Files) -> None:
    """What a person takes out, even meanwhile, does not come back."""
    evidence = learner("r1", LIST, EXEC)
    files.store.save(evidence, [LIST, EXEC])
    text = files.env.read_text().replace("ContainerExec,", "")
    files.env.write_text(text)
    saved = files.store.save(evidence, is_final=True)
    assert saved.proposal.declined == {"ContainerExec"}
    assert files.granted == {"ContainerList"}


def test_a_crash_before_the_env_file_declines_nothing(files: Files) -> None:
    """What is in the evidence alone was never offered to a reviewer, so it is granted."""
    files.store.save(learner("r1", LIST), [LIST])
    before = files.env.read_bytes()
    files.store.save(learner("r1", LIST, EXEC), [EXEC])
    files.env.write_bytes(before)
    path = evidence_path(files.env)
    kept = [line for line in files.lines if '"granted"' not in line]
    path.write_text("".join(f"{line}\n" for line in kept))
    files.store.save(learner("r2", IMAGES), [IMAGES])
    assert files.granted == {"ContainerExec", "ContainerList", "ImageList"}


def test_a_torn_line_is_reported_and_mended(files: Files) -> None:
    """After a power cut the next save writes the evidence anew, without the torn line."""
    files.store.save(learner("r1", LIST), [LIST])
    with evidence_path(files.env).open("a") as file:
        file.write('{"operation": "Contai')
    store = files.store
    assert "the last line is cut off" in store.open().damage
    saved = store.save(learner("r2", IMAGES), [IMAGES])
    assert "the last line is cut off" in saved.damage
    assert set(files.evidence.routes) == {LIST, IMAGES}


def test_a_missing_newline_is_mended(files: Files) -> None:
    """A line is never appended to the end of another."""
    files.store.save(learner("r1", LIST), [LIST])
    path = evidence_path(files.env)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    files.store.save(learner("r2", IMAGES), [IMAGES])
    assert set(files.evidence.routes) == {LIST, IMAGES}


def test_damaged_evidence_is_never_overwritten(files: Files) -> None:
    """A damaged line before the last stops everything, and both files stay as they are."""
    files.store.save(learner("r1", LIST), [LIST])
    path = evidence_path(files.env)
    path.write_text(path.read_text().replace('"section"', '"sectoin"', 1))
    before = (path.read_bytes(), files.env.read_bytes())
    with pytest.raises(ConfigError, match=r"app.jsonl:3: "):
        files.store.open()
    with pytest.raises(ConfigError, match=r"app.jsonl:3: "):
        files.store.save(learner("r2", IMAGES), is_final=True)
    assert (path.read_bytes(), files.env.read_bytes()) == before


def test_a_link_in_place_of_the_env_file_is_not_read(files: Files) -> None:
    """Lines of a file that only we may read do not come into the env file by a link."""
    secret = files.env.parent.parent / "secret"
    secret.write_text("TOKEN=hunter2\n")
    store = files.store
    store.open()
    files.env.parent.mkdir()
    files.env.symlink_to(secret)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        store.save(learner("r", LIST), [LIST])
    assert files.env.is_symlink()
    assert secret.read_text() == "TOKEN=hunter2\n"


def test_a_link_in_place_of_the_evidence_is_not_read(files: Files) -> None:
    """Nor is evidence read or written through one."""
    other = files.env.parent.parent / "other.jsonl"
    other.write_text(f"{HEADER}\n")
    store = files.store
    store.open()
    files.env.parent.mkdir()
    evidence_path(files.env).symlink_to(other)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        store.save(learner("r", LIST), [LIST])
    assert other.read_text() == f"{HEADER}\n"


def test_a_broken_env_file_costs_no_evidence(files: Files) -> None:
    """A file that a person is just editing is left alone; what was seen is kept."""
    files.store.save(learner("r1", LIST), [LIST])
    files.env.write_text("ALLOW_OPERATIONS='ContainerList'\n")
    with pytest.raises(ConfigError, match=r"app.env, line 1"):
        files.store.save(learner("r2", IMAGES), [IMAGES])
    assert files.env.read_text() == "ALLOW_OPERATIONS='ContainerList'\n"
    assert set(files.evidence.routes) == {LIST, IMAGES}


def test_an_env_file_that_is_no_text(files: Files) -> None:
    """Bytes that are no UTF-8 are an error that names the file."""
    files.env.parent.mkdir()
    files.env.write_bytes(b"\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        files.store.read_env()


def test_fresh_starts_over_once(files: Files) -> None:
    """The first save forgets what was there, but not what others wrote; later ones add."""
    files.store.save(learner("r1", LIST, EXEC), is_final=True)
    files.env.write_text("TZ=UTC\n" + files.env.read_text())
    files.fresh = True
    store = files.store
    assert store.open().evidence.routes == {}
    evidence = learner("r2", IMAGES)
    store.save(evidence, [IMAGES])
    files.store.save(learner("r3", LIST), is_final=True)
    assert files.granted == {"ContainerList"}
    files.fresh = False
    store.save(evidence, is_final=True)
    assert files.granted == {"ContainerList", "ImageList"}
    assert files.env.read_text().startswith("TZ=UTC\n")


def test_a_file_that_nobody_else_wrote_is_not_read_again(files: Files) -> None:
    """As long as inode, size and date are those that we left, a save does not look into it."""
    store, evidence = files.store, learner("r1", LIST)
    store.save(evidence, [LIST])
    path = evidence_path(files.env)
    left = path.stat()
    path.write_bytes(b"?" * left.st_size)
    os.utime(path, ns=(left.st_atime_ns, left.st_mtime_ns))
    evidence.observe(IMAGES, "200", When(1_795_515_301), WHO)
    saved = store.save(evidence, is_final=True)
    assert saved.others.facts == {}
    assert set(files.evidence.facts) == {LIST, IMAGES}


def test_what_another_learner_wrote_meanwhile_is_read(files: Files) -> None:
    """Two learners that save in turn both know all, and neither loses what it had."""
    one, two = files.store, files.store
    one.save(learner("r1", LIST), [LIST])
    assert set(two.save(learner("r2", IMAGES), [IMAGES]).others.facts) == {LIST}
    saved = one.save(learner("r1", EXEC), [EXEC])
    assert set(saved.evidence.facts) == {LIST, IMAGES, EXEC}
    assert IMAGES in saved.others.facts
    assert set(files.evidence.facts) == {LIST, IMAGES, EXEC}


def test_evidence_that_is_gone_is_written_again(files: Files) -> None:
    """Whoever removes the file while it is learned into loses nothing by it."""
    store = files.store
    store.save(learner("r1", LIST), [LIST])
    evidence_path(files.env).unlink()
    store.save(learner("r1", IMAGES), [IMAGES])
    assert set(files.evidence.facts) == {LIST, IMAGES}
    store = files.store
    store.open()
    evidence_path(files.env).unlink()
    store.save(learner("r2", EXEC), [EXEC])
    assert set(files.evidence.facts) == {LIST, IMAGES, EXEC}


def test_what_others_left_no_room_for_is_left_out(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that another learner has filled meanwhile takes nothing more, and all else is saved."""
    monkeypatch.setattr(seen_module, "VALUES_KEPT", 1)
    one, other = (
        Sight("CREATE_BINDS", path, "ContainerCreate") for path in ("/a", "/b")
    )
    for run, sight in (("r1", one), ("r2", other)):
        evidence = learner(run, LIST)
        evidence.observe(sight, "201", When(1_795_515_300))
        files.store.save(evidence, [sight, LIST])
        evidence.merge(files.evidence)
        assert evidence.part().facts.keys() == {sight, LIST} - {other}
    assert set(files.evidence.facts) == {one, LIST}


def test_a_run_that_goes_on_while_many_newer_ones_end_is_saved(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who learns for weeks, or by a clock that is behind, was no run of the file any more, and ended in a crash."""
    monkeypatch.setattr(seen_module, "RUNS_LISTED", 2)
    monkeypatch.setattr(seen_module, "RUNS_KEPT", 2)
    store = files.store
    store.save(learner("r1", LIST), [LIST])
    for run in ("r2", "r3", "r4"):
        files.store.save(learner(run, LIST), is_final=True)
    store.save(learner("r1", LIST, IMAGES), [IMAGES])
    assert files.evidence.runs.keys() >= {"r1", "r3", "r4"}
    store.save(learner("r1", LIST, IMAGES), is_final=True)
    assert files.evidence.runs.keys() == {"r1", "r3", "r4"}
    assert any('"r1": {"200": 1}' in line for line in files.lines)
    assert files.granted == {"ContainerList", "ImageList"}


def test_a_symbolic_link_stops_the_start(files: Files) -> None:
    """Neither of the two files may be a link."""
    files.env.parent.mkdir()
    evidence_path(files.env).symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="symbolic link"):
        files.store.open()


@dataclass(kw_only=True)
class Heard:
    """What a journal told."""

    shapes: list[Sight] = field(default_factory=list)
    on_disk: list[bool] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    told: trio.Event = field(default_factory=trio.Event)

    def tell(self, shapes: Sequence[Sight], saved: Saved) -> None:
        self.shapes += shapes
        self.told.set()

    def complain(self, error: TrioProxyError) -> None:
        self.complaints.append(str(error))
        self.told.set()


async def test_news_are_told_when_they_are_on_disk(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The announcement comes after the write, which waits for no count: who reads it finds the
    shape in the file."""
    monkeypatch.setattr(journal_module, "COUNTS_EVERY", 3_600)
    evidence, heard = learner("r1"), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        evidence.observe(LIST, "200", When(1_795_515_300), WHO)
        journal.wake()
        with trio.fail_after(PATIENCE):
            await heard.told.wait()
        assert heard.shapes == [LIST]
        assert set(files.evidence.routes) == {LIST}
        nursery.cancel_scope.cancel()


async def test_counts_are_written_now_and_then(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was only counted is written without anything new to wake the writer."""
    monkeypatch.setattr(journal_module, "COUNTS_EVERY", 0.01)
    evidence, heard = learner("r1", LIST), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    await journal.save()
    heard.told = trio.Event()
    evidence.observe(LIST, "200", When(1_795_515_300), WHO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        with trio.fail_after(PATIENCE):
            await heard.told.wait()
        nursery.cancel_scope.cancel()
    assert files.evidence.facts[LIST].count() == 2
    assert not evidence.unsaved


async def test_trouble_is_told_once_and_tried_again(files: Files) -> None:
    """A disk that fails does not end the learning; when it works again nothing is lost."""
    evidence, heard = learner("r1", LIST), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    files.env.parent.write_text("in the way")
    assert await journal.save() is None
    assert await journal.save() is None
    assert len(heard.complaints) == 1
    files.env.parent.unlink()
    assert await journal.save(is_final=True) is not None
    assert heard.shapes == [LIST]
    assert files.granted == {"ContainerList"}


async def test_it_is_saved_where_no_thread_can_be_started(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and nobody's connection, where the host has no process left for us."""
    evidence, heard = learner("r1", LIST), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    monkeypatch.setattr(_thread_cache, "THREAD_CACHE", _thread_cache.ThreadCache())
    threading.stack_size(1 << 46)
    try:
        assert await journal.save() is not None
    finally:
        threading.stack_size(0)
    assert heard.shapes == [LIST]
    assert files.granted == {"ContainerList"}


async def test_want_of_memory_is_trouble(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learning goes on where a save finds no memory, and what was learned is written later."""
    evidence, heard = learner("r1", LIST), Heard()
    store = files.store
    journal = Journal(store, evidence, tell=heard.tell, complain=heard.complain)
    with monkeypatch.context() as patch:
        patch.setattr(store, "save", lambda *_, **__: bytearray(1 << 60))
        assert await journal.save() is None
    assert [str(one) for one in heard.complaints] == [
        "no memory is left to write what was learned"
    ]
    assert await journal.save() is not None
    assert files.granted == {"ContainerList"}


async def test_trouble_does_not_make_the_evidence_grow(files: Files) -> None:
    """While the env file cannot be written, the same lines are not added each time."""
    evidence, heard = learner("r1", LIST), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    await journal.save()
    evidence.observe(IMAGES, "200", When(1_795_515_300), WHO)
    files.env.write_text("ALLOW_OPERATIONS='x'\n")
    sizes = set()
    for _ in range(4):
        await journal.save()
        sizes.add(len(files.lines))
    assert sizes == {7, 5}
    assert heard.shapes == [LIST]


async def test_what_others_saw_is_learned_from_them(files: Files) -> None:
    """After a save a learner knows what the others had written, and tells only its own."""
    files.store.save(learner("r0", EXEC), is_final=True)
    evidence, heard = learner("r1", LIST), Heard()
    journal = Journal(files.store, evidence, tell=heard.tell, complain=heard.complain)
    await journal.save()
    assert evidence.used_operations() == {"ContainerExec", "ContainerList"}
    assert heard.shapes == [LIST]
