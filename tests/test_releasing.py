"""The scripts by which a release is made, verified and kept fresh.

Those that build and publish an image are tried in `tests/image/test_publishing.py`, on an
Engine and a registry.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.markdown import ROOT, Document, documents
from tests.patience import PATIENCE
from tests.shell import Runner, commands
from trioproxy import __version__

SCRIPTS = ROOT / "scripts"
RELEASE = (sys.executable, str(SCRIPTS / "release.py"))
CHANGELOG = """\
# Changelog

## [Unreleased]

- Later.

## [1.10.0] - 2026-11-25

### Added

- This, see [that].

## [1.9.0] - 2026-10-01

- Before.

[that]: https://example.org/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A folder that is a checkout, and programs that write down how they were called."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def program(self, name: str, text: str = "") -> None:
        """Put a program on the PATH: it writes down its words, then does this."""
        self.write(f"bin/{name}", f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\n{text}\n')
        (self.folder / "bin" / name).chmod(0o755)

    def run(
        self, *command: str | Path, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there."""
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            cwd=self.folder,
            env=os.environ
            | {
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "CALLS": str(self.folder / "calls"),
                **variables,
            },
        )

    def git(self, *command: str) -> str:
        """Run git there; what it writes."""
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        done = self.run("git", *who, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def calls(self) -> list[str]:
        """How the programs were called."""
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The checkout of version 1.10.0."""
    desk = Desk(folder=tmp_path)
    desk.write("trioproxy/__init__.py", '"""It."""\n\n__version__ = "1.10.0"\n')
    desk.write("CHANGELOG.md", CHANGELOG)
    return desk


# -- what a release is called ------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "tags"),
    [
        pytest.param("v1.9.0\nv1.10.0\n", "1.10.0 1.10 latest", id="newest"),
        pytest.param("v1.2.0\nv1.9.0\n", "1.10.0 1.10 latest", id="not-as-text"),
        pytest.param("v1.9.0\nv2.0.0\nv1.10.0\n", "1.10.0 1.10", id="old-line"),
        pytest.param("v2.0.0rc1\nnightly\nv3\n", "1.10.0 1.10 latest", id="no-finals"),
        pytest.param("", "1.10.0 1.10 latest", id="first"),
    ],
)
def test_outputs(desk: Desk, others: str, tags: str) -> None:
    """The image of a release has its version, its line, and `latest` if none is newer."""
    done = desk.run(*RELEASE, "outputs", "v1.10.0", stdin=others)
    assert done.stdout == f"version=1.10.0\ntags={tags}\nprerelease=false\n"


def test_candidate(desk: Desk) -> None:
    """A release candidate has its own tag, moves no other, and is told to be one."""
    desk.write("trioproxy/__init__.py", '__version__ = "1.10.0rc1"\n')
    desk.write("CHANGELOG.md", "## [1.10.0rc1] - 2026-11-25\n\n- Try it.\n")
    done = desk.run(*RELEASE, "outputs", "v1.10.0rc1")
    assert done.stdout == "version=1.10.0rc1\ntags=1.10.0rc1\nprerelease=true\n"


def test_notes(desk: Desk) -> None:
    """The notes are the section of that version, without its heading and without what
    belongs to the file as a whole."""
    done = desk.run(*RELEASE, "notes", "1.10.0")
    assert done.stdout == "### Added\n\n- This, see [that].\n"
    assert desk.run(*RELEASE, "notes", "1.9.0").stdout == "- Before.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(("outputs", "1.10.0"), "does not begin with v", id="no-v"),
        pytest.param(("outputs", "v1.10"), "'1.10' is no version", id="two-numbers"),
        pytest.param(("outputs", "v01.10.0"), "is no version", id="leading-zero"),
        pytest.param(("outputs", "v1.10.0;id"), "is no version", id="more-behind"),
        pytest.param(("outputs", "v1.10.0\n"), "is no version", id="newline"),
        pytest.param(
            ("outputs", "v1.10.1"),
            "the tag is v1.10.1, and trioproxy/__init__.py has 1.10.0",
            id="another",
        ),
        pytest.param(("notes", "1.1.0"), "0 sections '## [1.1.0] - ", id="no-notes"),
        pytest.param(("notes", "Unreleased"), "is no version", id="unreleased"),
        pytest.param(("outputs",), "usage: release.py", id="no-tag"),
        pytest.param((), "usage: release.py", id="no-words"),
    ],
)
def test_no_release(desk: Desk, words: tuple[str, ...], expected: str) -> None:
    """What cannot be released ends with status 2, and one line says why."""
    done = desk.run(*RELEASE, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("changelog", "expected"),
    [
        pytest.param("## [1.10.0] - 2026-11-25\n\n", "says nothing", id="empty"),
        pytest.param("## [1.10.0]\n\n- It.\n", "has 0 sections", id="no-day"),
        pytest.param("## [1.10.0] - 2026-11-25\n- A.\n" * 2, "has 2", id="two"),
    ],
)
def test_no_notes(desk: Desk, changelog: str, expected: str) -> None:
    """Who has nothing to say of a release makes none."""
    desk.write("CHANGELOG.md", changelog)
    done = desk.run(*RELEASE, "outputs", "v1.10.0")
    assert done.returncode == 2
    assert expected in done.stderr


def test_nothing_to_read(desk: Desk) -> None:
    """Where there is no changelog, or no version, that is said."""
    (desk.folder / "CHANGELOG.md").unlink()
    assert "CHANGELOG.md: No such file" in desk.run(*RELEASE, "notes", "1.9.0").stderr
    desk.write("trioproxy/__init__.py", "")
    assert "has no __version__" in desk.run(*RELEASE, "outputs", "v1.10.0").stderr


def test_newest(desk: Desk) -> None:
    """The newest release is the highest final version, whatever else has a tag."""
    tags = "v1.9.0\nv1.10.0\nv1.10.1rc1\n2.0.0\nlatest\n"
    assert desk.run(*RELEASE, "newest", stdin=tags).stdout == "v1.10.0\n"
    assert desk.run(*RELEASE, "newest").stdout == "\n"


@pytest.mark.parametrize("version", [__version__, "987.6.5rc1"])
def test_this_version(desk: Desk, version: str) -> None:
    """The version of this source can be released under its tag, once its changes have a
    heading with a day; a candidate can, too."""
    source = (ROOT / "trioproxy" / "__init__.py").read_text()
    desk.write("trioproxy/__init__.py", source.replace(__version__, version))
    changes = (ROOT / "CHANGELOG.md").read_text()
    if f"## [{version}]" not in changes:
        changes = re.sub(
            r"(?m)^## \[.+$", f"## [{version}] - 2026-11-25", changes, count=1
        )
    desk.write("CHANGELOG.md", changes)
    done = desk.run(*RELEASE, "outputs", f"v{version}")
    named, tags, _ = done.stdout.splitlines()
    assert named == f"version={version}"
    assert tags.split()[0] == f"tags={version}"


def test_one_file_is_checked(tmp_path: Path) -> None:
    """Who got one file of a release checks it by the sums of all, with the command of the page."""
    page = Document(ROOT / "docs" / "releasing.md")
    (command,) = [one for one in page.spans if one.startswith("sha256sum ")]
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    summed = subprocess.check_output(["sha256sum", "a", "b"], cwd=tmp_path)
    (tmp_path / "SHA256SUMS").write_bytes(summed)
    (tmp_path / "b").unlink()
    for text, status in {"a": 0, "other": 1}.items():
        (tmp_path / "a").write_text(text)
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)  # fmt: skip
        assert done.returncode == status


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")
def test_a_candidate_is_older(tmp_path: Path) -> None:
    """For Debian a release candidate comes before its release, which replaces it; a release has its own number."""
    for name in ("packed", "manuals/man/man1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "manuals/man/man1/trioproxy.1").touch()
    for version, wanted in {"1.10.0rc1": "1.10.0~rc1", "1.10.0": "1.10.0"}.items():
        package = tmp_path / f"trioproxy_{version}_all.deb"
        built = [
            SCRIPTS / "build-deb",
            tmp_path / "packed",
            tmp_path / "manuals",
            package,
        ]
        environ = os.environ | {
            "PYTHON": sys.executable,
            "SOURCE_DATE_EPOCH": "1580601600",
        }
        subprocess.run(built, cwd=ROOT, env=environ, check=True)
        asked = ["dpkg-deb", "--field", str(package), "Version"]
        assert subprocess.check_output(asked, text=True).strip() == wanted


# -- the image ---------------------------------------------------------------------


DIGEST = f"sha256:{'a' * 64}"
SKOPEO = f'[ "$1" != manifest-digest ] || echo {DIGEST}'


def test_publish_image(desk: Desk) -> None:
    """It logs in with a password that no other program sees, signs what it copied, and
    only then lets tags point there."""
    desk.program("docker", 'echo "password $(cat)" >>"$CALLS"')
    desk.program("skopeo", SKOPEO)
    desk.program("cosign")
    command = (SCRIPTS / "publish-image", "image.tar", "ghcr.io/o/trioproxy")
    login = {"REGISTRY_USER": "o", "REGISTRY_TOKEN": "secret"}
    done = desk.run(*command, "1.2.3 latest", **login)
    assert done.stdout == f"digest={DIGEST}\n", done.stderr
    image = f"ghcr.io/o/trioproxy@{DIGEST}"
    copy = "skopeo copy --quiet --all --preserve-digests"
    assert [one for one in desk.calls if " inspect " not in one][:2] == [
        "docker login --username o --password-stdin ghcr.io",
        "password secret",
    ]
    assert desk.calls[-4:] == [
        f"{copy} oci-archive:image.tar docker://{image}",
        f"cosign sign --yes --recursive {image}",
        f"{copy} docker://{image} docker://ghcr.io/o/trioproxy:1.2.3",
        f"{copy} docker://{image} docker://ghcr.io/o/trioproxy:latest",
    ]


def test_what_is_not_signed_has_no_tag(desk: Desk) -> None:
    """Where signing fails, no tag points to the image, and nothing is said to be published."""
    desk.program("skopeo", SKOPEO)
    desk.program("cosign", "exit 1")
    command = (SCRIPTS / "publish-image", "image.tar", "ghcr.io/o/trioproxy", "latest")
    done = desk.run(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "latest" not in "".join(desk.calls)


def test_verify_image(desk: Desk) -> None:
    """What the workflow verifies with is what the page shows to users, word for word."""
    desk.program("cosign")
    desk.program("gh")
    image = "ghcr.io/OWNER/trioproxy:1.2.3"
    done = desk.run(SCRIPTS / "verify-image", image, "OWNER/trioproxy")
    assert done.returncode == 0, done.stderr
    shown = {
        " ".join(one.text.replace("\\\n", " ").replace("'", "").split())
        for document in documents()
        for one in commands(document)
        if one.runner is Runner.VERIFY
    }
    assert set(desk.calls) == shown
    assert len(shown) == 3


def test_verify_fails(desk: Desk) -> None:
    """One verification that fails is a failure of the whole."""
    desk.program("cosign")
    desk.program("gh", "case $* in *cyclonedx*) exit 1 ;; esac")
    command = (SCRIPTS / "verify-image", "ghcr.io/o/trioproxy:1", "o/trioproxy")
    assert desk.run(*command).returncode == 1


# -- learning anew -----------------------------------------------------------------


ENV = "learned/app.env"


@pytest.fixture
def relearned(desk: Desk) -> Desk:
    """A checkout with a remote, in which a file was learned anew, and another is new."""
    desk.git("init", "--quiet", "--bare", "origin.git")
    desk.git("init", "--quiet", "--initial-branch=main")
    desk.write(
        ".git/info/exclude", "bin\ncalls\norigin.git\n*.patch\n*.md\n!learned/*\n"
    )
    desk.git("remote", "add", "origin", "origin.git")
    desk.write(ENV, "ALLOW_OPERATIONS=ContainerList\n")
    desk.git("add", ".")
    desk.git("commit", "--quiet", "--message=Learned")
    desk.write(ENV, "ALLOW_OPERATIONS=ContainerList,ImageList\n")
    desk.write("learned/new.env", "ALLOW_OPERATIONS=SystemInfo\n")
    desk.git("add", "--intent-to-add", ".")
    return desk


def test_describe_learned(relearned: Desk) -> None:
    """The text says of each file what it grants now, also of one that is new."""
    program = str(Path(sys.executable).with_name("trioproxy"))
    command = (SCRIPTS / "describe-learned", "HEAD")
    done = relearned.run(*command, TRIOPROXY=program)
    assert done.returncode == 0, done.stderr
    assert "**`learned/app.env` grants 1 more than `before.env`" in done.stdout
    assert "`ImageList`" in done.stdout
    assert "**`learned/new.env` grants 1 more" in done.stdout
    assert str(relearned.folder) not in done.stdout
    relearned.git("reset", "--quiet")  # as `make learned` leaves a file that is new
    assert relearned.run(*command, TRIOPROXY=program).stdout == done.stdout
    relearned.program("broken", "exit 1")
    assert relearned.run(*command, TRIOPROXY="broken").returncode == 1


def test_nothing_was_learned_anew(relearned: Desk) -> None:
    """Where all files are what they were, the text says that."""
    relearned.git("add", ".")
    relearned.git("commit", "--quiet", "--message=Learned anew")
    done = relearned.run(SCRIPTS / "describe-learned", "HEAD")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nAll of them grant what they did.\n")


def propose(desk: Desk, *, is_open: bool = False) -> subprocess.CompletedProcess[str]:
    """Propose what has changed, on the commit that was there before."""
    desk.write("relearned.patch", desk.git("diff"))
    desk.git("reset", "--quiet", "--hard")
    desk.program("gh", f'[ "$2" != list ] || echo {int(is_open)}')
    return desk.run(SCRIPTS / "propose-learned", "relearned.patch", "relearned.md")


def test_propose_learned(relearned: Desk) -> None:
    """What was learned is on a branch of the remote, and a pull request asks for it."""
    done = propose(relearned)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = relearned.git("show", f"origin/relearned:{ENV}")
    assert shown == "ALLOW_OPERATIONS=ContainerList,ImageList\n"
    assert relearned.git("show", "origin/relearned:learned/new.env")
    assert relearned.calls[-1].startswith("gh pr create --head relearned --title ")
    assert relearned.calls[-1].endswith(" --body-file relearned.md")


def test_proposal_is_renewed(relearned: Desk) -> None:
    """Where one is open, it gets the new text, and there is no second one."""
    assert propose(relearned, is_open=True).returncode == 0
    assert relearned.calls[-1] == "gh pr edit relearned --body-file relearned.md"


def test_nothing_to_propose(relearned: Desk) -> None:
    """Where nothing changed, nothing is asked."""
    relearned.git("reset", "--quiet", "--hard")
    done = propose(relearned)
    assert (done.returncode, done.stdout) == (
        0,
        "nothing was learned that was not known\n",
    )
    assert not (relearned.folder / "calls").exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("trioproxy/__init__.py", id="source"),
        pytest.param(".github/workflows/ci.yml", id="workflow"),
        pytest.param("learned/run", id="no-suffix"),
        pytest.param("learned/deep/a.env", id="deeper"),
        pytest.param("learned/ä.env", id="quoted"),
    ],
)
def test_clients_change_nothing_else(relearned: Desk, name: str) -> None:
    """The patch comes from where programs of others ran: what is not learned stays."""
    relearned.write(name, "theirs\n")
    relearned.git("add", "--intent-to-add", "--force", name)
    done = propose(relearned)
    assert done.returncode == 1
    assert name in done.stderr
    assert "nothing is proposed" in done.stderr
    assert not (relearned.folder / "calls").exists()


def test_clients_leave_no_links(relearned: Desk) -> None:
    """A link in place of a file, or a program, is not proposed."""
    path = relearned.folder / "learned" / "link.env"
    path.symlink_to("/etc/passwd")
    relearned.git("add", "--intent-to-add", ".")
    done = propose(relearned)
    assert done.returncode == 1
    assert "120000" in done.stderr
    assert not (relearned.folder / "calls").exists()
