"""How learning goes on, in lines: counted from the evidence when somebody looks."""

from trioproxy.commands.live import Watching
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, route
from trioproxy.learning.proposal import Quiet

LIST = route("ContainerList", "GET", "CONTAINERS")
CREATE = route("ContainerCreate", "POST", "CONTAINERS")
INFO = route("SystemInfo", "GET", "INFO")
BEGUN = 1_764_000_000


class Watched:
    """Evidence that is gathered while a clock stands where it is put."""

    def __init__(self, until: Quiet | None = None) -> None:
        self.now = 0.0
        self.evidence = Evidence()
        self.begin("run1")
        recorder = Recorder(
            self.evidence, now=lambda: BEGUN, wake=print, clock=lambda: self.now
        )
        self.recorder = recorder
        self.watching = Watching(recorder, until, clock=lambda: self.now)

    def begin(self, run: str) -> None:
        self.evidence.begin(run, BEGUN + int(self.now))

    def see(self, shape: Sight, result: str = "200", times: int = 1) -> None:
        when = When(BEGUN, int(self.now))
        for _ in range(times):
            self.evidence.observe(shape, result, when, Who("app/1", "10.0.0.7"))
        self.recorder.clients.add("10.0.0.7")

    def told(self, label: str) -> str:
        rows = self.watching.rows("a.env")
        return {row[2:12].strip(): row[14:] for row in rows}[label]


def test_nothing_was_seen() -> None:
    """Before the first request all is said to be nothing."""
    seen = Watched(Quiet(seconds=60))
    assert seen.watching.rows("a.env") == [
        "  learning    a.env for 0 s",
        "  requests    none yet",
        "  operations  none yet",
        "  last new    none in this run",
        "  quiet       nothing was used yet",
    ]


def test_what_was_seen() -> None:
    """Requests of this run, operations of all, the newest and how long ago."""
    seen = Watched(Quiet(seconds=600))
    seen.see(LIST, times=3)
    seen.now = 30
    seen.see(CREATE)
    seen.now = 100
    seen.see(LIST)
    seen.see(INFO, "500")
    assert seen.watching.rows("a.env") == [
        "  learning    a.env for 1 min",
        "  requests    6, 0.1 a second",
        "  operations  2",
        "  last new    ContainerCreate, 1 min ago (POST /containers/create)",
        "  quiet       1 min of 10 min",
        "  clients     10.0.0.7",
    ]


def test_of_two_within_a_second_the_later_is_the_newest() -> None:
    """The clock of the evidence has seconds; the order of the requests has more."""
    seen = Watched()
    for shape in (LIST, INFO, CREATE, INFO):
        seen.see(shape)
    assert "ContainerCreate" in seen.told("last new")


def test_a_look_before_the_first_save_is_not_the_last_word() -> None:
    """An item of a list is new when the file gets it, be it in the run's first second."""
    seen = Watched()
    seen.see(CREATE)
    seen.see(Sight("ONLY_NETWORKS", "bridge", "ContainerCreate"))
    assert "ContainerCreate" in seen.told("last new")
    seen.evidence.runs["run1"].news = 0
    assert seen.told("last new") == "ONLY_NETWORKS=bridge, 0 s ago"


def test_an_earlier_run_knew_it_all() -> None:
    """What is not new in this run is counted among the operations, and not as new."""
    seen = Watched()
    seen.see(CREATE)
    seen.begin("run2")
    seen.see(CREATE)
    assert seen.told("requests").startswith("1,")
    assert seen.told("operations") == "1"
    assert seen.told("last new") == "none in this run"


def test_a_rate_is_of_the_last_seconds() -> None:
    """A burst is over after five seconds."""
    seen = Watched()
    seen.see(LIST, times=100)
    seen.now = 1
    assert seen.told("requests") == "100, 100 a second"
    for second in range(2, 8):
        seen.now = second
        seen.watching.rows("a.env")
    assert seen.told("requests") == "100, 0.0 a second"


def test_what_could_not_be_read_is_said() -> None:
    """Requests that were refused as they are not plain are told of, not counted in."""
    seen = Watched()
    seen.recorder.unread["a reason"] = 3
    assert "requests    0, 0.0 a second, 3 not understood" in str(
        seen.watching.rows("a.env")
    )


def test_many_clients_are_a_number() -> None:
    """Some are named, and the rest is counted."""
    seen = Watched()
    seen.recorder.clients.update(f"10.0.0.{number}" for number in range(10, 40))
    assert seen.watching.rows("x")[-1].endswith("10.0.0.17 and 22 more")
