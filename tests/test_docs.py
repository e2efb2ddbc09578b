"""The documents: what they say can be done is done, and what they name is there."""

import ast
import fnmatch
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

from tests.depth import IS_DEEP
from tests.engine import Engine, ScratchEngine
from tests.markdown import KINDS, ROOT, Document, documents
from tests.messages import (
    ANY,
    BEGIN,
    PAGE,
    Program,
    beginnings,
    page,
    rows,
)
from tests.shell import (
    SECONDS,
    Command,
    Runner,
    Shell,
    check_transcript,
    commands,
    parameters,
    transcripts,
)
from trioproxy.api.families import VARIABLES, Places
from trioproxy.api.routes import ENDPOINTS, Risk
from trioproxy.cli import group
from trioproxy.commands.enforce import read_config
from trioproxy.evidence.seen import Run
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.file.variables import LIBPOD_VARIABLES
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.proposal import listed_operations

DOCUMENTS = documents()
IMAGE = "trioproxy"


def of_kind(*kinds: str) -> list[Any]:
    """The documents that have such blocks, as parameters."""
    return [
        pytest.param(document, id=str(document))
        for document in DOCUMENTS
        if any(block.kind in kinds for block in document.blocks)
    ]


every_document = pytest.mark.parametrize(
    "document", [pytest.param(document, id=str(document)) for document in DOCUMENTS]
)


# -- commands that are run ---------------------------------------------------------


@every_document
def test_runners(document: Document) -> None:
    """Each command that is shown is run by a test: `tests/shell.py` says by which."""
    lost = [f"{one}: {one.text}" for one in commands(document) if one.runner is None]
    assert not lost, "\n".join(lost)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("document", transcripts(Runner.SHELL))
def test_transcripts(
    scratch: ScratchEngine, tmp_path: Path, document: Document
) -> None:
    """Each command of a transcript writes what is shown below it."""
    check_transcript(document, Shell(folder=tmp_path, engine=scratch))


CLIENT = "docker ps"
OTHER = "docker images"
USED = {"ContainerList", "SystemPingHead"}
"""What CLIENT uses, and OTHER not alone."""
SUITE = f"""
import subprocess

def test_client():
    assert subprocess.run({CLIENT.split()}).returncode == 0
"""


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("command", parameters(Runner.SHELL))
def test_commands_run(scratch: ScratchEngine, tmp_path: Path, command: Command) -> None:
    """Each command works as it stands, and the file that it names holds what was used.

    One that serves is used by a client, and ended by SIGTERM.
    """
    shell = Shell(folder=tmp_path, engine=scratch)
    shell.program("the-client", CLIENT)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_client.py").write_text(SUITE)
    (tmp_path / "reviewed.env").write_text(f"ALLOW_OPERATIONS={','.join(USED)}\n")
    for written in shell.run(_with_clients(command.text)):
        assert written.status == 0, written
    for file in re.findall(r"(?:-o |--docker-learn=)(\S+)", command.text):
        text = (tmp_path / file).read_text()
        assert set(listed_operations(text, file) or ()) == USED


def _with_clients(command: str) -> list[str]:
    """The command; if it serves, also those who use it and what ends it."""
    serves = re.search(r"--listen tcp://[\d.]+:(\d+)", command)
    if not serves or " -- " in command:
        return [command]
    loopback = f"--host=tcp://127.0.0.1:{serves[1]}"
    asked = [CLIENT.replace("docker", f"docker {loopback}")]
    if only := re.search(r"--from (\S+)", command):
        # Who is asked at an address of this machine is asked from that address.
        asked = [
            CLIENT.replace("docker", f"docker --host=tcp://{only[1]}:{serves[1]}"),
            OTHER.replace("docker", f"docker {loopback}"),
        ]
    return [f"{command} &", *asked, "kill $! && wait $!"]


STORIES = {one.values[0].text: one for one in parameters(Runner.MAKE_RUN)}
"""Two documents say the same: it is run once."""


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("command", STORIES.values())
def test_make_run(engine: Engine, command: Command) -> None:
    """`make run` tells its story to the end, on this machine's Engine."""
    ran = make(command, environ=engine.environment())
    assert f"at {engine.url}" in ran.replace("\n   ", " ")
    assert "is not\n       allowed: add ImageList to ALLOW_OPERATIONS" in ran


@pytest.mark.parametrize("command", parameters(Runner.MAKE_TEST))
def test_make_test(command: Command) -> None:
    """`make test` runs this, `make quick` a part of it: both have the parts that are said."""
    ran = dry_run(command.text)
    for part in ("ruff format", "ruff check", "mypy", "lint-imports", "-m pytest"):
        assert part in ran


def test_make_quick_names_what_it_leaves_out() -> None:
    """Each test is in a folder that `make quick` runs, or among what it says it left out."""
    _, ran, left_out = re.split(r"-m pytest|Left out", dry_run("make quick"))
    run, named = (re.findall(r"tests/[\w/.]+", part) for part in (ran, left_out))
    assert not set(run) & set(named)
    for file in (ROOT / "tests").rglob("test_*.py"):
        path = file.relative_to(ROOT)
        assert {str(path), str(path.parent)} & {*run, *named}, path


LATER = {
    *("answers", "asking", "fleet", "metrics", "practices"),
    *("redacting", "service", "stack", "upgrade", "walk"),
}
"""The pages that came with one feature each."""
MOST_WORDS = 32_000
MOST_OF_A_PAGE = 900


def test_the_pages_stay_short() -> None:
    """Who reads all of it reads 32,000 words, and 900 for each feature that came later."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    words = [(file.stem, len(file.read_text().split())) for file in files]
    later = [count for name, count in words if name in LATER]
    assert len(later) == len(LATER)
    assert max(later) <= MOST_OF_A_PAGE
    assert sum(count for _, count in words) - sum(later) <= MOST_WORDS


def test_ci_measures_what_is_run() -> None:
    """`make ci` runs the tests once: measured, those that `make test-deep` has in full left to it."""
    lines = dry_run("make ci").splitlines()
    ran = [one for one in lines if "pytest" in one and "--collect-only" not in one]
    measured, deep, *_ = ran
    assert "coverage run" in measured
    assert '-m "not clients and not deep"' in measured
    assert "DEPTH=deep" in deep
    assert '-m "deep or clients"' in deep
    assert "mark\\.(deep|clients)" in deep
    assert '-m "deep"' in dry_run("make test-deep")
    alone = dry_run("make test")
    assert "coverage" not in alone
    assert '-m "not clients and not slow"' in alone
    assert "coverage report" in dry_run("make coverage")


CHOICE = ("--only", "--who")
FEW, BRIEF = "--who haproxy,trio-sections", "--rounds 1 --seconds 1 --only list-1"
"""Options before and behind those that are shown: of two the later one counts."""
if not IS_DEEP:  # whom else a command names is looked up, and not measured
    BRIEF += f" {FEW}"


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.engine
@pytest.mark.usefixtures("scratch")  # where that is, are the programs that it measures
@pytest.mark.parametrize("command", parameters(Runner.MAKE_BENCH))
def test_make_bench(command: Command) -> None:
    """Each `make bench` takes its options, names what there is, and prints a table.

    It measures one scenario for a second: all of them would take half an hour.
    """
    given = [
        word.removeprefix("BENCH=")
        for word in shlex.split(command.text, comments=True)
        if word.startswith("BENCH=")
    ]
    options = " ".join(given)
    listing = make(command, f"BENCH={options} --list")
    listed = [line.split()[0] for line in listing.splitlines()]
    for name, patterns in pairwise(options.split()):
        for pattern in patterns.split(",") if name in CHOICE else ():
            assert fnmatch.filter(listed, pattern), pattern
    ran = make(command, f"BENCH={FEW} {options} {BRIEF}")
    assert re.search(r"(?m)^\| [^|]+ \|( [\d.,]+( \([\d.]+\))? \|)+$", ran), ran


def dry_run(command: str) -> str:
    """What that `make` would run."""
    return made(command, "--dry-run")


def make(command: Command, *more: str, environ: Mapping[str, str] = os.environ) -> str:
    """Run a `make` of the documents."""
    return made(command.text, *more, environ=environ)


def made(text: str, *more: str, environ: Mapping[str, str] = os.environ) -> str:
    """Run that `make` by this Python, whose packages are there."""
    words = shlex.split(text, comments=True)
    there = (".venv/installed", ".venv/installed-dev", "packages")
    done = subprocess.run(
        [*words, *more, f"PYTHON={sys.executable}", *(f"-o{name}" for name in there)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={k: v for k, v in environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# -- what is read -----------------------------------------------------------------


@every_document
def test_kinds(document: Document) -> None:
    """Each block says what it is, and no command hides in one that is not looked at."""
    for block in document.blocks:
        where = f"{document}:{block.line}"
        assert block.kind in KINDS, f"{where}: unknown kind {block.kind!r}"
        if block.kind == "text":
            assert not re.search(r"^\$ ", block.text, re.MULTILINE), where


@every_document
def test_commands_in_prose(document: Document) -> None:
    """A command within a sentence names subcommands, options and targets that there are."""
    for span in document.spans:
        if span.startswith(f"{IMAGE} ") and not re.match(r"\w+ [A-Z]", span):
            _check_words(shlex.split(span)[1:])
        if span.startswith("make "):
            _check_targets(shlex.split(span)[1:])


def _check_words(words: list[str]) -> None:
    """Let click read the words, without doing what they say."""
    words = _without_redirections(words)
    if words and words[0] in {"--version", "--help"}:
        return
    context = click.Context(group, info_name=IMAGE)
    _, command, rest = group.resolve_command(context, words)
    assert command is not None, f"no such command: {words}"
    try:
        command.make_context(words[0], rest, parent=context)
    except click.exceptions.Exit:
        return  # --help
    except click.MissingParameter:
        assert len(words) == 1, words  # the name alone, as in `trioproxy check`
    except click.BadParameter:
        assert words[-1].isupper(), words  # a placeholder, as in `--to PROXY`


def _without_redirections(words: list[str]) -> list[str]:
    text = "\0".join(words)
    return re.sub(r"\0\d?>{1,2}(?:&\d|\0?[^\0]+)", "", text).split("\0")


def _check_targets(words: Iterable[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in words:
        if "=" not in target:
            assert re.search(rf"(?m)^{target}:", makefile), f"make {target}"


def _check_variables(variables: dict[str, str]) -> None:
    """A policy and settings that are taken, without a warning."""
    _, warnings = parse_policy(variables)
    assert not warnings
    read_config((), None, variables)


# -- files that are shown ----------------------------------------------------------


@pytest.mark.parametrize("document", of_kind("env"))
def test_policies(document: Document) -> None:
    """Each policy file that is shown is one, without a warning."""
    for block in document.of_kind("env"):
        text = re.sub(r"(?m)^\.\.\.\n", "", block.text)
        _, warnings = parse_policy_file(text, name=f"{document}:{block.line}")
        assert not warnings


@pytest.mark.engine
@pytest.mark.parametrize("document", of_kind("yaml"))
def test_compose_files(engine: Engine, tmp_path: Path, document: Document) -> None:
    """Each compose file is one, and our service in it has a policy and a command."""
    for block in document.of_kind("yaml"):
        file = tmp_path / "compose.yaml"
        file.write_text(block.text)
        ran = engine.docker("compose", f"--file={file}", "config", "--format=json")
        for name, service in json.loads(ran.output)["services"].items():
            if service.get("image") == IMAGE:
                _check_service(f"{document}:{block.line} {name}", service)


def _check_service(where: str, service: dict[str, Any]) -> None:
    assert not service.get("privileged"), where
    _check_variables(service.get("environment") or {})
    if command := service.get("command"):
        _check_words(command)
    if test := service.get("healthcheck", {}).get("test"):
        assert test[:2] == ["CMD", IMAGE], where
        _check_words(test[2:])


@every_document
def test_users_reach_what_is_theirs(document: Document) -> None:
    """An address with the users who may come in has a mode by which they can."""
    for address in re.findall(r"\S*\?\S*\buids=\d\S*", document.text):
        assert "mode=" in address


@pytest.mark.engine
@pytest.mark.parametrize(
    "folder",
    sorted(one.parent for one in ROOT.glob("examples/compose/*/compose.yaml")),
    ids=lambda folder: folder.name,
)
def test_examples_have_no_way_to_root(engine: Engine, folder: Path) -> None:
    """By the policy of no example of Compose's a way to root is known."""
    ran = engine.docker(
        "compose", f"--project-directory={folder}", "config", "--format=json"
    )
    for service in json.loads(ran.output)["services"].values():
        given = service.get("environment") or {}
        if service["image"] == IMAGE and given.keys() - {"ENV_FILE", "POLICIES"}:
            policy, _ = parse_policy(given)
            assert not meaning_of(policy).is_root


# -- what is named -----------------------------------------------------------------


@every_document
def test_links(document: Document) -> None:
    """Each link within the project leads to a file, and to a heading in it."""
    for link in document.links:
        name, _, anchor = link.partition("#")
        path = (document.path.parent / name).resolve() if name else document.path
        assert path.exists(), f"{document}: {link}"
        if anchor:
            assert anchor in Document(path).anchors, f"{document}: {link}"


OF_OURS = re.compile(
    r"(?:(?:trioproxy|docs|tests|scripts|examples|demo|bench|fuzz|\.github|\.ci)/[\w./*-]+"
    r"|(?:proxy|policy|arguments|http|learning|review|commands)/[\w/*]*\.py|[A-Z][A-Za-z-]+\.md|\w+\.(?:toml|lock)|Makefile"
    r"|Dockerfile)(?:::\w+)?"
)


@every_document
def test_files(document: Document) -> None:
    """Each file of the project that a sentence names is there."""
    for span in document.spans:
        if OF_OURS.fullmatch(span):
            name, _, test = span.partition("::")
            places = (ROOT, ROOT / "trioproxy", document.path.parent)
            found = [path for place in places for path in place.glob(name)]
            assert found, f"{document}: {name}"
            assert not test or f"def {test}(" in found[0].read_text(), span


# -- what single documents promise -------------------------------------------------


def document(name: str) -> Document:
    """A document by its name."""
    return Document(ROOT / name)


SPANS = (
    *document("docs/troubleshooting.md").spans,
    *document("docs/messages.tsv").spans,
)
BEGINNINGS = beginnings(SPANS)


def explained(text: str, spans: str) -> bool:
    """Whether a message stands among the code of a page, with words for what varies, or its
    beginning does."""
    pattern = ".+".join(map(re.escape, text.split(ANY)))
    return bool(re.search(pattern, spans) or any(one.match(text) for one in BEGINNINGS))


def test_every_message_is_explained() -> None:
    """Each message that the program has for people stands in the table of messages or on its
    page, wherever in the program it is put together; a beginning speaks for a few alone."""
    spans = "\n".join(SPANS)
    said = dict(Program().messages())
    missing = [
        f"{where}: {text!r}"
        for text, where in said.items()
        if not explained(text, spans)
    ]
    assert not missing, "\n".join(missing)
    for one in BEGINNINGS:
        assert len([*filter(one.match, said)]) <= 4, one.pattern


def test_beginnings_are_of_messages() -> None:
    """What stands in the table as the beginning of a message is written in the program."""
    package = (ROOT / "trioproxy").rglob("*.py")
    source = re.sub(r'"\n\s*f?"', "", "".join(path.read_text() for path in package))
    for one in re.findall(r"`([^`]+) \.\.\.`", "".join(said for _, said, _ in rows())):
        if not one.startswith("..."):
            parts = re.split(r"[^a-z', ]+", one)
            assert max(parts, key=len).strip(" ,'") in source, one


def test_messages_are_seen_in_variables() -> None:
    """The commonest refusal is put together in a variable, and is among the messages."""
    texts = {text for text, _ in Program().messages()}
    assert f"{ANY} is not allowed: {ANY}" in texts
    assert f"{ANY} asks for {ANY}, which {ANY} does not list" in texts


def test_a_message_is_followed(tmp_path: Path) -> None:
    """Through variables, parameters, functions, constants and branches to each of its texts."""
    file = tmp_path / "said.py"
    file.write_text(
        """
SAID = "a constant that is said"
def caller(x):
    return helper(f"given as {x} by a caller") if x else other(x)
def helper(text):
    raise ConfigError(text)
def other(x):
    why = "one reason of two" if x else SAID
    why += " and more"
    return Decision(message=why)
def third():
    warn(made_by_a_function())
def made_by_a_function():
    return "made by a function"
"""
    )
    assert {text for text, _ in Program([file]).messages()} == {
        f"given as {ANY} by a caller",
        "one reason of two",
        "a constant that is said",
        f"{ANY} and more",
        "made by a function",
    }


def test_the_table_of_messages() -> None:
    """Each section of the page has rows, each row a section, and nothing is said twice."""
    text = PAGE.read_text()
    assert page(text) == text, "make derived"
    sections = [found[1] for found in BEGIN.finditer(text)]
    told = {section for section, _, told in rows() if told}
    assert sorted(sections) == sorted(told | {section for section, _, _ in rows()})
    said = [one for one in rows() if one[0] != "log"]
    assert len({one[1] for one in said}) == len(said)


def test_root_operations_are_listed() -> None:
    """The page on security names just those operations that can give root on the host."""
    section = document("docs/security.md").text.partition("## What no proxy of routes")[
        2
    ]
    listed = re.findall(r"`([A-Z]\w+)`", section.partition("\n## ")[0])
    roots = {one.operation for one in ENDPOINTS if one.risk is Risk.HOST_ROOT}
    assert roots - {"BuildKitGrpc"} <= set(listed)
    assert not {one.operation for one in ENDPOINTS} & set(listed) - roots


def test_all_pages() -> None:
    """The list of all pages has each page of docs, once."""
    index = document("docs/README.md")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    listed = [link for link in index.links if "/" not in link]
    assert sorted([*listed, "README.md"]) == pages


def test_limits() -> None:
    """Each limit in the page on architecture has the value that the code has."""
    rows = re.findall(
        r"(?m)^\|`(\w+/\w+)\.py`\|`(\w+)`\|([\d.,]+)",
        document("docs/architecture.md").text,
    )
    assert rows
    for module, name, value in rows:
        loaded = importlib.import_module(f"trioproxy.{module.replace('/', '.')}")
        assert float(value.replace(",", "")) == getattr(loaded, name), name


def test_variables() -> None:
    """The page on arguments has each variable that limits what is asked for."""
    assert VARIABLES.keys() <= set(document("docs/arguments.md").spans)


def test_fields_of_a_run() -> None:
    """The page on evidence says what each field of a run holds."""
    told = document("docs/evidence.md").text.split("The fields of a ")[1]
    rows = re.findall(r"(?m)^\|(`.+?)\|", told)
    kept = {one.name for one in fields(Run)} - {"places"}
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == kept | {*Places._fields}


def test_a_strangers_walk() -> None:
    """The page on architecture names the lines that judge, refuse and let through, as they are."""
    rows = re.findall(
        r"(?m)^\|[^|]+\?\|`(\w+/\w+\.py)`\|`(.+)`\|$",
        document("docs/architecture.md").text,
    )
    assert len(rows) > 5
    for name, line in rows:
        source = (ROOT / "trioproxy" / name).read_text().splitlines()
        assert [one.strip() for one in source].count(line) == 1, line


RAISES = re.compile(
    r"\braise (?:BadBody|BadRequest|BadTarget|BodyTooLarge|CrossSite|TooManyBodies|HeadTooLarge|RequestTooSlow|self\._failure)\b"
)


def test_who_raises_is_listed() -> None:
    """The page on architecture says where a head can be refused for its form, and how often."""
    text = document("docs/architecture.md").text
    listed = re.findall(r"(?m)^\|`(\w+/\w+\.py)`\|(\d+)\|", text)
    package = ROOT / "trioproxy"
    raising = {
        str(path.relative_to(package)): len(RAISES.findall(path.read_text()))
        for path in package.rglob("*.py")
        if path.parent.name != "commands"
    }
    assert {name: int(count) for name, count in listed} == {
        name: count for name, count in raising.items() if count
    }


def test_where_a_module_is_tested() -> None:
    """Most modules have a file of tests of their own, as the page for contributors says."""
    assert "and so for most modules" in document("CONTRIBUTING.md").text
    modules = (ROOT / "trioproxy").rglob("[!_]*.py")
    places = [one.relative_to(ROOT / "trioproxy") for one in modules]
    own = [ROOT / "tests" / one.with_name(f"test_{one.name}") for one in places]
    assert sum(one.exists() for one in own) > len(own) / 2


def test_who_survives_a_crash() -> None:
    """The page on architecture names the classes of the package that catch whatever is raised."""
    page = document("docs/architecture.md").text
    said = re.search(r"The broad `except`s are in ([^.]+)\.", page)
    assert said
    bodies = (
        ast.parse(path.read_text()).body for path in (ROOT / "trioproxy").rglob("*.py")
    )
    catching = {
        one.name
        for body in bodies
        for one in body
        if isinstance(one, ast.ClassDef)
        for part in ast.walk(one)
        if isinstance(part, ast.ExceptHandler)
        if isinstance(part.type, ast.Name) and part.type.id == "Exception"
    }
    assert catching == set(re.findall(r"`(\w+)`", said[1]))


def test_modules() -> None:
    """The page on architecture says of each module what it does."""
    spans = set(document("docs/architecture.md").spans)
    package = ROOT / "trioproxy"
    missing = [
        str(path)
        for path in sorted(package.rglob("*.py"))
        if not path.name.startswith("__")
        and path.parent.name != "commands"
        and not {str(path.relative_to(ROOT)), str(path.relative_to(package))} & spans
    ]
    assert not missing


def test_ends() -> None:
    """The page on the log names each `end=` of a connection that we cut."""
    folder = ROOT / "trioproxy" / "proxy"
    sources = "".join(path.read_text() for path in folder.glob("*.py"))
    ends = set(re.findall(r'(?:\.cut\(|ending = )"([a-z-]+)"', sources))
    assert "container-gone" in ends
    assert ends <= set(document("docs/troubleshooting.md").spans)


def test_what_a_list_alone_opens_of_podman() -> None:
    """The page on Engines names each section of Podman's own that no `LIBPOD_*` opens."""
    text = document("docs/engines.md").text
    (told,) = re.findall(r"is 1; ([^;.]+) a list alone opens", text)
    sections = {one.template.split("/")[2] for one in ENDPOINTS if one.is_podmans}
    opened = {one.removeprefix("LIBPOD_").lower() for one in LIBPOD_VARIABLES}
    assert set(re.findall(r"`(\w+)`", told)) == sections - opened - {"_ping"}


def test_modules_in_comments() -> None:
    """What the package's own texts name as `room.module` is a module, and what stands behind that a name in it."""
    package = ROOT / "trioproxy"
    rooms = "|".join(path.parent.name for path in package.glob("*/__init__.py"))
    named = re.compile(rf"`(?:trioproxy\.)?({rooms})\.(\w+)(?:\.(\w+))?[^`]*`")
    lost = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in sorted(package.rglob("*.py"))
        for found in named.finditer(path.read_text())
        if not (there := package / found[1] / f"{found[2]}.py").exists()
        or not re.search(rf"\b{found[3] or ''}\b", there.read_text())
    ]
    assert not lost


RECIPES = sorted((ROOT / "examples" / "compose").glob("*/policy.env"))


@pytest.mark.parametrize("file", RECIPES, ids=[file.parent.name for file in RECIPES])
def test_recipes(file: Path) -> None:
    """The page on objects links the file of each recipe, by which no way to root is known."""
    page = document("docs/objects.md")
    assert f"../{file.relative_to(ROOT)}" in page.links
    policy, _ = parse_policy_file(file.read_text(), name=str(file))
    assert not meaning_of(policy).is_root
    if file.parent.name == "restarter":  # which the page shows
        lines = file.read_text().splitlines()
        assert "\n".join(f"> {one}" for one in lines if one[0] != "#") in page.text
