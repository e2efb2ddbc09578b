"""`trioproxy export`: a policy in the words of another proxy."""

from pathlib import Path

import pytest

from tests.commands.running import run
from trioproxy.review.translate import Proxy


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
    file.write_text("CONTAINERS=1\nPOST=1\n")
    assert (
        "opens 1 operation beyond" in run("export", str(file), "--to", "tecnativa").err
    )


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


def test_without_a_target_all_are_named_in_a_line(file: Path) -> None:
    """What there is to choose from is words, and no escaped ends of lines."""
    said = run("export", str(file)).err
    assert (
        "choose from: tecnativa, linuxserver, wollomatic, cetusguard\n" in said.lower()
    )


def test_an_unknown_target(file: Path) -> None:
    """A target that is not known is named with those that are."""
    done = run("export", str(file), "--to", "haproxy")
    assert done.status == 2
    assert "cetusguard" in done.err


LIMITED = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS="


@pytest.mark.parametrize("target", ["tecnativa", "linuxserver", "cetusguard"])
def test_limits_cannot_be_told(file: Path, target: str) -> None:
    """What the other proxy has no words for is named, what is closed unset as well."""
    file.write_text(f"{LIMITED}/srv\n")
    done = run("export", str(file), "--to", target)
    said = f"{target} cannot be told what requests may ask for: CREATE_BINDS, CREATE_CAPS, "
    assert said in done.err
    assert "CREATE_IMAGES" not in done.err
    assert "/srv" not in done.out


@pytest.mark.parametrize("target", [one.value for one in Proxy])
def test_what_answers_hide_cannot_be_told(file: Path, target: str) -> None:
    """No other proxy hides anything in answers: what the file hides there is named."""
    file.write_text("REDACT=env\nALLOW_OPERATIONS=ContainerInspect\n")
    done = run("export", str(file), "--to", target)
    assert f"{target} cannot be told what answers hide: REDACT=env\n" in done.err


BINDS = [
    ("/srv/a", "/srv/a", "what lies below /srv/a", ""),
    ("/srv/a/*", "/srv/a", "/srv/a itself", ""),
    ("/srv/b,/srv/a:ro", "/srv/a,/srv/b", "what lies below /srv/b, what lies below /srv/a, /srv/a to be written", ""),
    ("/srv/my%20a", "/srv/my a", "what lies below /srv/my%20a", ""),
    ("/srv/a-*,/srv/b", "/srv/b", "what lies below /srv/b", "CREATE_BINDS=/srv/a-*"),
    ("/srv/a%2Cb", "/dev/null/none", "", "CREATE_BINDS=/srv/a%2Cb"),
    ("/srv/a%20%23b", "/dev/null/none", "", "CREATE_BINDS=/srv/a%20%23b"),
    ("/srv/a%24B,/srv/b", "/srv/b", "what lies below /srv/b", "CREATE_BINDS=/srv/a%24B"),
    ("/srv/a%20", "/dev/null/none", "", "CREATE_BINDS=/srv/a%20"),
    ("{base}/x", "/srv/base/x", "what lies below /srv/base/x", ""),
    ("@proxy,/srv/a", "/srv/a", "what lies below /srv/a", "CREATE_BINDS=@proxy"),
    ("", "/dev/null/none", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "folders", "wider", "missing"), BINDS, ids=[row[0] for row in BINDS]
)
def test_wollomatic_is_told_which_folders_may_be_bound(
    file: Path, value: str, folders: str, wider: str, missing: str
) -> None:
    """Its list of folders is written, with what it takes more and what it cannot say."""
    places = "CREATE_BASE=/srv/base\nPROXY_SOCKET=/run/proxy.sock\n"
    file.write_text(f"{LIMITED}{value}\n{places}")
    done = run("export", str(file), "--to", "wollomatic")
    assert f"SP_ALLOWBINDMOUNTFROM={folders}" in done.out.splitlines()
    assert "may ask for: CREATE_CAPS, " in done.err
    told = f"takes more than {file} lists as CREATE_BINDS: {wider}\n"
    assert (told in done.err) is bool(wider)
    assert (f"cannot allow: {missing}" in done.err) is bool(missing)


@pytest.mark.parametrize(
    "text",
    [
        "ALLOW_OPERATIONS=ContainerCreate\n",
        f"{LIMITED}*\n",
        "ALLOW_OPERATIONS=ContainerList\nCREATE_BINDS=/srv\n",
    ],
    ids=["open", "any", "no-create"],
)
def test_wollomatic_is_told_no_folders_where_there_is_no_limit(
    file: Path, text: str
) -> None:
    """Where any folder may be bound, or none can, there is no such line."""
    file.write_text(text)
    assert "BINDMOUNT" not in run("export", str(file), "--to", "wollomatic").out


def test_wollomatic_does_not_look_at_volumes(file: Path) -> None:
    """A volume that is a folder passes by its list, and a service only within it."""
    operations = "ContainerCreate,ServiceCreate,VolumeCreate"
    file.write_text(f"ALLOW_OPERATIONS={operations}\nCREATE_BINDS=\n")
    done = run("export", str(file), "--to", "wollomatic")
    assert "volumes that are any folder, by VolumeCreate" in done.err
    assert "cannot allow: ServiceCreate with other folders" in done.err
