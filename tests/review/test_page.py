"""The page: whole and alone, with nothing of anybody's in it but text."""

import hashlib
import re
from base64 import b64encode
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.reports import write_grown
from tests.review.given import LEARNED, file, record
from trioproxy import __version__
from trioproxy.api.families import Places
from trioproxy.evidence.seen import Askers, Evidence, Facts, First, Run
from trioproxy.evidence.sight import Sight, route
from trioproxy.limits.grant import Grant
from trioproxy.quoting import visible
from trioproxy.review.markup import VOID
from trioproxy.review.page import BEGINNING, Record, page

RUN = "2026-11-25T17:34:37.278781Z-a9480410"


class Page(HTMLParser):
    """A page as a browser's parser finds it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open = list[str]()
        self.tags = list[tuple[str, dict[str, str | None]]]()
        self.words = list[str]()
        self.style = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a file that grew: it has every section."""
    folder = tmp_path_factory.mktemp("grown")
    write_grown(folder)
    text = {one.name: one.read_bytes() for one in folder.iterdir()}
    return page(
        file(text["runner.env"].decode(), "runner.env"),
        record(text["runner.jsonl"], "runner.jsonl"),
        old=file(text["reviewed.env"].decode(), "reviewed.env"),
        live=record(text["live.jsonl"], "live.jsonl"),
    )


def test_the_order_of_the_page(grown: str) -> None:
    """The answer stands first; then what changed, the lists, and what else it may do."""
    found = Page(grown)
    assert [one.get("id") for one in found.of("h2")] == [
        *("answer", "changes", "news", "arguments", "operations", "attacks"),
        *("left-out", "drift", "provenance"),
    ]
    text = found.text
    assert text.index("Yes, in 1 known way.") < text.index("CREATE_CAPS")
    for words in (
        "That is new: reviewed.env gave no known way.",
        "13\u00d7 in 6 of 6 runs 2026-11-18 to 2026-11-23",
        "{rand8} : exactly 8 letters, digits or _",
        "10 of them were used in runner.jsonl",
        "runner/3.2.0",
        "SystemEvents",
        "It grants 5 more than reviewed.env . Root on the host: new.",
        "ContainerCreate asks for /etc, which CREATE_BINDS does not list HOST-ROOT : is root's own",
        "By some of curl/8.5.0 , runner/3.2.0",
        "CREATE_CAPS=NET_ADMIN Risk no known way to root by itself What that is capabilities",
        "Granted, and not used in 13 s, which proves little",
        "2026-11-18 to 2026-11-23, 6 runs (run 4 failed), watched for",
        f"Written by trioproxy {__version__}.",
    ):
        assert words in text


def test_what_is_new_has_its_days_and_whether_it_is_ready(grown: str) -> None:
    """The days of both files, of what came up on each, and that one more run is wanted."""
    text = Page(grown).text
    for words in (
        "The newest of what reviewed.env grants came up on 2026-11-18, of what runner.env grants on 2026-11-23.",
        "Not ready: nothing new in 0 runs only (last new on 2026-11-23).",
        "2026-11-23 : ImageDelete , NetworkCreate ,",
        "12 others up to 2026-11-18.",
    ):
        assert words in text


def test_what_was_taken_out_has_its_days(tmp_path: Path) -> None:
    """What the older file alone grants came up with what it grants, and not later."""
    write_grown(tmp_path)
    old, new = (tmp_path / name for name in ("runner.env", "reviewed.env"))
    evidence = record((tmp_path / "runner.jsonl").read_bytes())
    text = page(
        file(new.read_text(), "new.env"), evidence, old=file(old.read_text(), "old.env")
    )
    assert (
        "The newest of what old.env grants came up on 2026-11-23, of what new.env grants"
        " on 2026-11-18."
    ) in Page(text).text


def test_each_link_leads_somewhere(grown: str) -> None:
    """The page links to places of its own alone, and each is there once."""
    found = Page(grown)
    places = [str(one["id"]) for _, one in found.tags if "id" in one]
    assert len(places) == len(set(places))
    links = [str(one["href"]) for one in found.of("a")]
    assert {link.removeprefix("#") for link in links} <= set(places)
    referred = [
        name
        for _, one in found.tags
        for name in str(one.get("aria-labelledby") or "").split()
    ]
    assert referred
    assert set(referred) <= set(places)


def test_the_same_files_make_the_same_page(grown: str) -> None:
    """No clock, no order of a set and nothing of this machine is in the page."""
    text = (LEARNED / "docker-compose.env").read_text()
    known = (LEARNED / "docker-compose.jsonl").read_bytes()
    once, again = (page(file(text), record(known)) for _ in range(2))
    assert once == again
    assert grown.startswith(BEGINNING)


def test_the_policy_allows_one_style_and_nothing_else(grown: str) -> None:
    """The policy in the head stands before all that it forbids, and has our style's hash."""
    found = Page(grown)
    digest = b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    policies = [
        one["content"]
        for one in found.of("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'"
    ]
    assert grown.index("Content-Security-Policy") < grown.index("<style>")
    assert grown.index("Content-Security-Policy") < grown.index("<title>")
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert "<" not in found.style


LOADING = {"src", "srcset", "data", "action", "style", "xlink:href", "background"}
ELEMENTS = """
html head meta title style body header main footer section nav
h1 h2 h3 p a ul ol li dl div dt dd table caption thead tbody tr th td
code strong em span mark time br figure figcaption details summary
"""


def check_inert(found: Page) -> None:
    """Nothing in a page runs, loads, or is of an element that we do not write."""
    assert {tag for tag, _ in found.tags} <= set(ELEMENTS.split())
    for _, attributes in found.tags:
        assert not LOADING & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("href") or "#").startswith("#")


def test_nothing_runs_or_loads(grown: str) -> None:
    """A page has no script, no handler, no address of anywhere else."""
    check_inert(Page(grown))


HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("</style><img src=x onerror=alert(1)>", id="style"),
    pytest.param('"\' onmouseover=\'alert(1)" x="', id="quotes"),
    pytest.param("</title></code></svg><svg onload=alert(1)>", id="ends"),
    pytest.param("--><!-- ]]><b>", id="comments"),
    pytest.param("a\u202egpj\u2066.exe\u200b", id="bidi"),
    pytest.param("&lt;b&gt;&#60;script&#62;", id="references"),
    pytest.param("\udcff\x00\x1b[31m", id="bytes"),
]


def hostile_evidence(text: str) -> Evidence:
    """Evidence in which all that a client chooses is this text: the reader of files
    would refuse most of it, and is not asked."""
    evidence = Evidence()
    evidence.runs[RUN] = Run(
        first=1, last=2, files=frozenset({text}), places=Places(text, text, text)
    )
    for operation in ("ContainerList", "ImageDelete", "ContainerCreate"):
        shape = route(operation, "GET", text)
        askers = Askers(*map(frozenset, ({text, f"{text}/{text}"}, {text}, {text})))
        seen = Facts(first=1, last=2, users=askers, triers=askers)
        seen.results["200"] = First(RUN)
        seen.runs[RUN] = {"200": 3, "refused": 1}
        evidence.facts[shape] = seen
    value = text.encode(errors="replace").decode()  # it is UTF-8, wherever it is from
    for variable in ("CREATE_BINDS", "CREATE_OPTIONS"):
        facts = Facts(first=1, last=2)
        facts.results["201"] = First(RUN)
        facts.runs[RUN] = {"201": 1}
        evidence.facts[Sight(variable, value, "ContainerCreate")] = facts
    evidence.granted |= set(map(Grant.of_operation, (text, "ImagePrune")))
    evidence.granted |= {Grant("CREATE_BINDS", value), Grant(text, text)}
    return evidence


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    """Whatever evidence, file names, warnings and values hold, none of it is markup, and
    none of it is hidden."""
    policy = file("ALLOW_OPERATIONS=ContainerList,ContainerCreate\nCREATE_BINDS=/srv\n")
    named = replace(policy, path=text, warnings=(text,))
    known = Record(path=text, digest=text, evidence=hostile_evidence(text))
    old = file("ALLOW_OPERATIONS=ContainerList,GET:/frob/{x}\n", text)
    live = Record(path=text, digest=text, evidence=deepcopy(known.evidence))
    unknown = next(iter(known.evidence.routes.values()))
    known.evidence.facts[route("unknown", text, text)] = unknown
    made = page(named, known, old=old, live=live)
    made.encode()
    found = Page(made)
    check_inert(found)
    shown = " ".join(visible(text).split())
    assert found.text.count(shown) > 10
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\0\x1b]", made)


def test_a_name_cannot_be_told_from_others_by_its_direction() -> None:
    """Names are shown from left to right, whatever letters they have."""
    style = Page(page(file("PING=1\n"))).style
    rule = re.search(r"\ncode \{([^}]*)\}", style)
    assert rule
    assert "direction: ltr; unicode-bidi: isolate" in rule[1]


# --- Colours ------------------------------------------------------------------------

STYLE = (Path(__file__).parents[2] / "trioproxy/review/page.css").read_text()
THEMES = {
    name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text))
    for name, text in zip(
        *(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)),
        strict=True,
    )
}
RISKS = (
    *("host-root", "destructive", "availability", "secret-leak", "info-leak"),
    *("low", "limited"),
)
TEXTS = [
    *((name, "ground") for name in ("ink", "quiet", "link", "yes", "no", *RISKS)),
    *((name, box) for name in ("ink", "link") for box in ("yes-ground", "no-ground")),
    *(("yes", "yes-ground"), ("no", "no-ground"), ("ink", "hole")),
]
MARKS = [(name, "ground") for name in ("focus", *RISKS)]


def _luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2.2."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_contrast(theme: str) -> None:
    """In both themes text has a contrast of 4.5, and what a mark says one of 3; axe
    looks at no pictures, so the colours themselves are looked at."""
    colours = THEMES[theme]
    assert THEMES["light"].keys() == THEMES["dark"].keys()
    for pairs, least in ((TEXTS, 4.5), (MARKS, 3.0)):
        low = [
            f"{one} on {ground}: {found:.2f}"
            for one, ground in pairs
            if (found := contrast(colours[one], colours[ground])) < least
        ]
        assert not low


def test_objects_are_shown() -> None:
    """A file that lists objects says which, and that others are not shown."""
    text = "ALLOW_OPERATIONS=ContainerInspect,ContainerList,NodeList\nONLY_CONTAINERS=web\nONLY_OWNER=a\n"
    old = file(
        "ALLOW_OPERATIONS=ContainerInspect,ContainerList,NodeList\nONLY_CONTAINERS=db\nONLY_OWNER=a\n"
    )
    found = Page(page(file(text), old=old)).text
    assert "ONLY_CONTAINERS containers that requests may name" in found
    assert "Grant ONLY_CONTAINERS=web" in found
    assert "not listed is left out of the answers of ContainerList." in found


def test_what_is_granted_by_half_is_shown_without_evidence() -> None:
    """A file that nobody learned is told of as well where its client would stop half-way."""
    found = Page(page(file("ALLOW_OPERATIONS=ContainerCreate\n")))
    told = "ContainerCreate without ContainerStart : a container can be created but not"
    assert f"Where the client may stop half-way {told}" in found.text
    assert "What came up" not in found.text


def test_what_an_edit_flips_is_shown(grown: str) -> None:
    """Beside an older file a page has what was observed and only one of the two allows."""
    found = Page(grown).text
    _, _, rows = found.partition("only one of the two files allows")
    assert "What ImageDelete Allowed by runner.env Seen 1\u00d7 in 1 of 6 runs" in rows
    assert "By deployer/4.1" in rows.partition("CREATE_")[0]
    told = re.search(r"([0-9]+) of ([0-9]+) operations, values and objects", found)
    assert told is not None
    assert 0 < int(told[1]) <= int(told[2])
