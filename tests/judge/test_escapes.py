"""Versions of an Engine's programs against the table of known holes."""

import re
from typing import Any

import pytest

from trioproxy.judge.escapes import HOLES, old_components

THREE = ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")


def version(*components: tuple[str, str]) -> dict[str, Any]:
    return {"Components": [{"Name": n, "Version": v} for n, v in components]}


VERSIONS = [
    ("runc", "1.2.8", ()),
    ("runc", "1.2.7", THREE),
    ("runc", "1.3.3", ()),
    ("runc", "1.3.2", THREE),
    ("runc", "1.4.0-rc.2+dev", THREE),
    ("runc", "1.4.0~rc.3", ()),
    ("runc", "1.4.0", ()),
    ("runc", "1.5.1", ()),
    ("runc", "2.0.0", ()),
    ("runc", "1.1.15+ds1", THREE),
    ("runc", "1.1.13", ("CVE-2024-45310", *THREE)),
    ("runc", "1.1.11", ("CVE-2024-21626", "CVE-2024-45310", *THREE)),
    ("OCI Runtime (runc)", "runc version 1.2.7\ncommit: x\nspec: 1.2.0", THREE),
    ("OCI Runtime (crun)", "crun version 1.14.1\ncommit: x", ("CVE-2025-24965",)),
    ("OCI Runtime (crun)", "crun version 1.20\ncommit: x", ()),
    ("containerd", "1.7.24~ds1", ()),
    ("containerd", "v1.4.2", ("CVE-2020-15257",)),
    ("Engine", "29.5.1", ()),
    ("Engine", "25.0.17", ()),
    ("Engine", "26.1.5+dfsg1", ("CVE-2026-41567", "CVE-2026-41568", "CVE-2026-42306")),
    ("Podman Engine", "5.8.2", ()),
    ("Podman Engine", "5.4.2+ds1", ("podman@25aee24",)),
    ("Podman Engine", "4.9.3", ("CVE-2024-1753", "podman@25aee24")),
    ("Podman Engine", "4.5.1", ("CVE-2024-1753", "podman@25aee24")),
    ("Podman Engine", "4.3.1", ("podman@2c0f404", "CVE-2024-1753", "podman@25aee24")),
    ("Podman Engine", "10.0.0", ()),
    ("docker-init", "0.19.0", ()),
    ("strict", "1.0.0", ()),
    ("runc", "", ()),
    ("runc", "unknown", ()),
]


@pytest.mark.parametrize(
    ("component", "text", "cves"), VERSIONS, ids=[f"{c} {v[:24]}" for c, v, _ in VERSIONS]
)  # fmt: skip
def test_a_version_is_old_or_not(
    component: str, text: str, cves: tuple[str, ...]
) -> None:
    """A line of releases that was mended counts by its own mend, others by the newest."""
    found = old_components(version((component, text)))
    assert tuple(cve for one in found for cve in one.cves) == cves


def test_what_is_old_is_told_with_what_mends_it() -> None:
    """One line for a component: its version, its holes, and where it is mended."""
    (found,) = old_components(version(("Engine", "29.5.1"), ("runc", "1.1.15+ds1")))
    assert str(found) == (
        "runc 1.1.15+ds1 has CVE-2025-31133, CVE-2025-52565, CVE-2025-52881,"
        " mended in 1.2.8 or 1.3.3 or 1.4.0-rc.3"
    )


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"Components": None}, {"Components": [None, {}, {"Name": 1}]}],
    ids=str,
)
def test_what_is_no_answer_says_nothing(answer: object) -> None:
    """An Engine may answer anything: what cannot be read is not called old."""
    assert not list(old_components(answer))


def test_the_table_is_whole() -> None:
    """Each row has a version and a CVE, or a commit."""
    for hole in HOLES:
        assert hole.fixed
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}|podman@[0-9a-f]{7}", hole.cve)
    assert {hole.cve for hole in HOLES} >= {*THREE, "CVE-2024-21626"}
