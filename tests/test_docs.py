"""The documents: what they say can be done is done, and what they name is there."""

import ast
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

from tests.engine import UNSHARE, Engine, ScratchEngine
from tests.markdown import KINDS, ROOT, Document, documents, fits, steps
from trioproxy.cli import group
from trioproxy.commands.enforce import read_config
from trioproxy.policy.endpoints import ENDPOINTS, Risk
from trioproxy.policy.permissions import parse_policy, parse_policy_file

DOCUMENTS = documents()
SECONDS = 60
MARK = "@@ next"
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


@pytest.mark.engine
@pytest.mark.parametrize("document", of_kind("console"))
def test_transcripts(
    scratch: ScratchEngine, tmp_path: Path, document: Document
) -> None:
    """Each command of a transcript writes what is shown below it."""
    told = [step for block in document.of_kind("console") for step in steps(block)]
    script = "".join(_run_and_mark(step.command) for step in told)
    written = _run(scratch, tmp_path, script).split(f"\n{MARK} ")
    assert len(written) == len(told) + 1, written[-1]
    for number, step in enumerate(told):
        output = written[number].partition("\n")[2].rstrip("\n").split("\n")
        status = written[number + 1].partition("\n")[0]
        if step.shown:
            assert fits(step.shown, output), f"$ {step.command}\n" + "\n".join(output)
        else:
            assert status == "0", f"$ {step.command}\n" + "\n".join(output)


def _run_and_mark(command: str) -> str:
    if command.endswith("&"):
        # What runs beside the others writes elsewhere, and is waited for.
        found = re.search(r"--listen (\S+)", command)
        health = f"trioproxy health {found[1] if found else ''}"
        command = (
            f"{command.removesuffix('&')} >>beside.log 2>&1 &\n"
            f"until {health} >>beside.log; do :; done"
        )
    return f"{command}\nprintf '\\n{MARK} %s\\n' $?\n"


def _run(engine: ScratchEngine, folder: Path, script: str) -> str:
    """Run a script in a network of its own, where port 2375 is free."""
    program = folder / "bin" / "trioproxy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m trioproxy "$@"\n')
    program.chmod(0o755)
    (folder / "script").write_text(f"printf '\\n'\n{script}kill $(jobs -p)\n")
    command = ["sh", "script"]
    if engine.alone:
        command = [*UNSHARE, "sh", "-c", "ip link set lo up; sh script"]
    kept = {
        name: os.environ[name]
        for name in ("LANG", "COVERAGE_PROCESS_START")
        if name in os.environ
    }
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        timeout=SECONDS,
        check=False,
        env=kept
        | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder / "client"),
            "DOCKER_HOST": engine.url,
            "SOCKET_PATH": str(engine.socket),
        },
    )
    return done.stdout.decode()


# -- commands that are read --------------------------------------------------------


@every_document
def test_kinds(document: Document) -> None:
    """Each block says what it is, and no command hides in one that is not looked at."""
    for block in document.blocks:
        where = f"{document}:{block.line}"
        assert block.kind in KINDS, f"{where}: unknown kind {block.kind!r}"
        if block.kind == "text":
            assert not re.search(r"^\$ ", block.text, re.MULTILINE), where


@pytest.mark.parametrize("document", of_kind("sh", "console"))
def test_commands(document: Document) -> None:
    """Each command names subcommands, options, targets and files that there are."""
    for block in document.of_kind("sh"):
        for words in _simple_commands(block.text):
            _check_command(words)
    for block in document.of_kind("console"):
        for step in steps(block):
            for words in _simple_commands(step.command):
                _check_command(words)


@every_document
def test_commands_in_prose(document: Document) -> None:
    """A command within a sentence names a subcommand and options that there are."""
    for span in document.spans:
        if span.startswith(f"{IMAGE} ") and not re.match(r"\w+ [A-Z]", span):
            _check_words(shlex.split(span)[1:])


def _simple_commands(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(
        re.sub(r"(?m)(^|\s)#.*$", "", text).replace("\\\n", " ").replace("\n", " ; "),
        posix=True,
        punctuation_chars=";&|()",
    )
    lexer.whitespace_split = True
    lexer.commenters = ""
    words = list[str]()
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|()"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def _check_command(words: list[str]) -> None:
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    words = words[1:] if words[:1] == ["sudo"] else words
    program = Path(words[0]).name if words else ""
    if program == IMAGE:
        _check_words(words[1:])
    elif program == "make":
        _check_targets(words[1:])
    elif program == "docker" and IMAGE in words:
        at = words.index(IMAGE)
        _check_words(words[at + 1 :] or ["enforce"])
        _check_variables(dict(_variables(words[:at])))
    elif words[1:2] == ["-m"] and words[2].startswith(("tests", "bench", "trioproxy")):
        assert importlib.util.find_spec(words[2]), words


def _check_words(words: list[str]) -> None:
    """Let click read the words, without doing what they say."""
    words = _without_redirections(words)
    if words and words[0] in {"--version", "--help"}:
        return
    context = click.Context(group, info_name=IMAGE)
    command = group.get_command(context, words[0])
    assert command is not None, f"no such command: {words}"
    try:
        command.make_context(words[0], words[1:], parent=context)
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


def _variables(words: list[str]) -> Iterator[tuple[str, str]]:
    for option, value in pairwise(words):
        if option in {"-e", "--env"}:
            name, _, text = value.partition("=")
            yield name, text


def _check_variables(variables: dict[str, str]) -> None:
    """A policy and settings that are taken, without a warning."""
    _, warnings = parse_policy(variables)
    assert not warnings
    read_config((), None, None, variables)


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
        if "services:" not in block.text:
            continue
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
    r"(?:(?:trioproxy|docs|tests|scripts|examples|bench|fuzz|\.github|\.ci)/[\w./*-]+"
    r"|(?:proxy|policy|commands|demo)/[\w/*]*\.py|[A-Z][A-Za-z-]+\.md|\w+\.(?:toml|lock)|Makefile"
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


MESSAGE_AT = {
    **dict.fromkeys(
        (
            "BadRequest", "BadTarget", "ConfigError", "ConnectTimeout", "CrossSite",
            "HeadTooLarge", "HeadTooSlow", "TrioProxyError", "UpstreamError",
            "UpstreamLost", "UsageError", "_failure", "fail", "warn",
        ),
        0,
    ),
    "line": 1,
    "message": 1,
    "_error": 2,
}  # fmt: skip
"""What carries a message to people, and which of its arguments that is."""


def _messages() -> Iterator[tuple[str, str]]:
    """The messages of the program, with a `\\0` for each value, and where they are."""
    for path in sorted((ROOT / "trioproxy").rglob("*.py")):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            at = MESSAGE_AT.get(_name(node.func), len(node.args))
            for text in map(_literal, node.args[at : at + 1]):
                if text.replace("\0", "").strip(": "):
                    yield text, f"{path.name}:{node.lineno}"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_literal, node.values))
    return "\0" if isinstance(node, ast.FormattedValue) else ""


def test_every_message_is_explained() -> None:
    """Each message that the program has for people stands in the troubleshooting page."""
    spans = "\n".join(document("docs/troubleshooting.md").spans)
    missing = [
        f"{where}: {text!r}"
        for text, where in _messages()
        if not re.search(".+".join(map(re.escape, text.split("\0"))), spans)
    ]
    assert not missing, "\n".join(missing)


def test_root_operations_are_listed() -> None:
    """The page on security names just those operations that can give root on the host."""
    section = document("docs/security.md").text.partition("## What no proxy of routes")[
        2
    ]
    listed = re.findall(r"`([A-Z]\w+)`", section.partition("\n## ")[0])
    roots = {one.operation for one in ENDPOINTS if one.risk is Risk.HOST_ROOT}
    assert roots - {"BuildKitGrpc"} <= set(listed)
    assert not {one.operation for one in ENDPOINTS} & set(listed) - roots


def test_limits() -> None:
    """Each limit in the page on architecture has the value that the code has."""
    rows = re.findall(
        r"(?m)^\| `(\w+/\w+)\.py` \| `(\w+)` \| ([\d,]+)",
        document("docs/architecture.md").text,
    )
    assert rows
    for module, name, value in rows:
        loaded = importlib.import_module(f"trioproxy.{module.replace('/', '.')}")
        assert float(value.replace(",", "")) == getattr(loaded, name), name


def test_modules() -> None:
    """The page on architecture says of each module what it does."""
    spans = set(document("docs/architecture.md").spans)
    package = ROOT / "trioproxy"
    missing = [
        str(path)
        for path in sorted(package.rglob("*.py"))
        if not path.name.startswith("__")
        and path.parent.name not in {"commands", "demo"}
        and not {str(path.relative_to(ROOT)), str(path.relative_to(package))} & spans
    ]
    assert not missing
