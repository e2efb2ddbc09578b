"""`trioproxy export`: a policy in the words of another proxy."""

from pathlib import Path

import pytest

from tests.commands.running import run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy with one operation."""
    path = tmp_path / "app.env"
    path.write_text("ALLOW_OPERATIONS=ContainerRestart\n")
    return path


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("tecnativa", "POST=1"),
        ("linuxserver", "ALLOW_RESTARTS=1"),
        ("wollomatic", r"SP_ALLOW_POST=(/v1\.[0-9]+)?/containers/[^/.][^/]*/restart"),
        ("cetusguard", r"POST (/v1\.[0-9]+)?/containers/[^/.][^/]*/restart"),
    ],
    ids=["tecnativa", "linuxserver", "wollomatic", "cetusguard"],
)
def test_each_target_gets_its_own_words(file: Path, target: str, line: str) -> None:
    """The text goes to stdout, ready to be used."""
    done = run("export", str(file), "--to", target)
    assert done.status == 0
    assert line in done.out.splitlines()


def test_over_grants_are_printed(file: Path) -> None:
    """What the target opens beyond the file is told on stderr."""
    done = run("export", str(file), "--to", "linuxserver")
    assert "linuxserver opens 2 operations beyond" in done.err
    assert done.err.endswith("ContainerKill, ContainerStop\n")
    assert "beyond" not in run("export", str(file), "--to", "cetusguard").err


@pytest.mark.parametrize("target", ["wollomatic", "cetusguard"])
def test_names_that_the_other_cannot_take_are_printed(file: Path, target: str) -> None:
    """A pattern without slashes is narrower than what it was made from, and says so."""
    done = run("export", str(file), "--to", target)
    assert f"{target} refuses names with slashes" in done.err
    assert done.err.endswith(": ContainerRestart\n")
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    assert run("export", str(file), "--to", target).err == ""


def test_what_cannot_be_said_is_printed(file: Path) -> None:
    """What the target cannot allow is told too."""
    file.write_text("ALLOW_OPERATIONS=DebugVars\n")
    done = run("export", str(file), "--to", "tecnativa")
    assert "tecnativa cannot allow: DebugVars" in done.err


def test_an_unknown_target(file: Path) -> None:
    """A target that is not known is named with those that are."""
    done = run("export", str(file), "--to", "haproxy")
    assert done.status == 2
    assert "cetusguard" in done.err


def test_limits_are_not_exported(file: Path) -> None:
    """No other proxy is told what requests may ask for, and that is said."""
    file.write_text("ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv\n")
    done = run("export", str(file), "--to", "cetusguard")
    assert "cetusguard is not told what requests may ask for: CREATE_BINDS" in done.err
