"""Known ways out of a container, by the versions of the programs that have them.

What a file allows is judged as if the Engine kept its word. Where its programs have a known
hole, a client that may run containers has root by that, whatever is listed. So the versions
that `/version` names are compared with a table of ours. It knows what its authors knew on
its date: a program that it calls old is old, and one of which it says nothing may be.

Only holes that what runs in a container can use, or an operation on one, are in it: none
that takes an authorization plugin, another user of the host, or Kubernetes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from trioproxy.values import value_class

# Of 2026-12-01. Component, versions in which it is mended (one for each line of releases), CVE, or where it has none the
# commit that mended it, source.
# A component is called as `/version` calls it; Podman says "OCI Runtime (crun)". A daemon
# with another default runtime names that in place of runc: of it nothing is known.
_TABLE: Final = """\
runc    1.0.0-rc95              CVE-2021-30465  GHSA-c3xm-pvg7-gh7r
runc    1.1.5                   CVE-2023-27561  GHSA-vpvm-3wq2-2wvm
runc    1.1.12                  CVE-2024-21626  GHSA-xr7r-f8xq-vfvv
runc    1.1.14 1.2.0-rc.3       CVE-2024-45310  GHSA-jfvp-7x6p-h2pv
runc    1.2.8 1.3.3 1.4.0-rc.3  CVE-2025-31133  GHSA-9493-h29p-rfm2
runc    1.2.8 1.3.3 1.4.0-rc.3  CVE-2025-52565  GHSA-qw9x-cqr3-wc7r
runc    1.2.8 1.3.3 1.4.0-rc.3  CVE-2025-52881  GHSA-cgrx-mc8f-2prm
crun    1.20                    CVE-2025-24965  GHSA-f42g-r5jj-qh4j
containerd 1.3.9 1.4.3          CVE-2020-15257  GHSA-36xw-fx78-c5r4
Engine  19.03.1                 CVE-2019-14271  docker-engine-19.03.1
Engine  25.0.2                  CVE-2024-23651  GHSA-m3r6-h7wv-7xxv
Engine  25.0.2                  CVE-2024-23652  GHSA-4v98-7qmw-rqr8
Engine  25.0.2                  CVE-2024-23653  GHSA-wr6v-9f75-vh2g
Engine  25.0.17 29.5.1          CVE-2026-41567  GHSA-x86f-5xw2-fm2r
Engine  25.0.17 29.5.1          CVE-2026-41568  GHSA-vp62-88p7-qqf5
Engine  25.0.17 29.5.1          CVE-2026-42306  GHSA-rg2x-37c3-w2rh
Podman  4.5.1                   podman@2c0f404  annotations-of-images
Podman  4.9.4 5.0.1             CVE-2024-1753   GHSA-874v-pj72-92f3
Podman  5.8.2                   podman@25aee24  links-in-the-tar-of-a-build
"""

_Version = tuple[int, int, int, int]

_NUMBER: Final = re.compile(
    r"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-~]rc\.?(\d{1,6}))?"
)
"""A version wherever it stands: `1.1.15+ds1`, `crun version 1.14.1`, `1.4.0~rc.2`."""

_RELEASED: Final = 10**6
"""Behind every release candidate."""

ADVICE: Final = (
    "update it, unless your distribution mended it and kept the number:"
    " until then who may run containers may be root on the host"
)


@value_class
class Old:
    """A program of an Engine that has known holes."""

    component: str
    version: str
    """As the Engine says it."""
    fixed: tuple[str, ...]
    """The versions that have none of them, one for each line of releases."""
    cves: tuple[str, ...]

    def __str__(self) -> str:
        cves, fixed = ", ".join(self.cves), " or ".join(self.fixed)
        return f"{self.component} {self.version} has {cves}, mended in {fixed}"


class _Hole(NamedTuple):
    """A row of the table."""

    component: str
    fixed: tuple[str, ...]
    cve: str

    def is_in(self, version: _Version) -> bool:
        """Whether a version has it: one of a line that was mended by its mended one, others
        by the newest of these."""
        # A hole is mended in each line of releases that is kept: 1.2.8 is mended where 1.3.0 is not, which is newer. A
        # line that has no mended release is as old as its number: below the newest mended one it has the hole.
        mended = sorted(map(_parse, self.fixed))
        own = [one for one in mended if one[:2] == version[:2]]
        return version < (own or mended)[-1]


def _parse(text: str) -> _Version:
    found = _NUMBER.search(text)
    if found is None:
        raise ValueError(f"no version: {text!r}")
    major, minor, patch, candidate = found.groups()
    last = _RELEASED if candidate is None else int(candidate)
    return int(major), int(minor), int(patch or 0), last


HOLES: Final = tuple(
    _Hole(component, tuple(fixed), cve)
    for component, *fixed, cve, _source in map(str.split, _TABLE.splitlines())
)


def old_components(answer: object) -> Iterator[Old]:
    """Say which components of an answer to `GET /version` have known holes."""
    components = answer.get("Components") if isinstance(answer, Mapping) else None
    for one in components if isinstance(components, list) else []:
        told = one if isinstance(one, Mapping) else {}
        name, version = (str(told.get(key)) for key in ("Name", "Version"))
        if not (found := _NUMBER.search(version)):
            continue
        inner = re.fullmatch(r"OCI Runtime \((\w+)\)", name)
        name = inner[1] if inner else name.removesuffix(" Engine")
        at = _parse(version)
        holes = [hole for hole in HOLES if hole.component == name and hole.is_in(at)]
        if holes:
            # A later mend has the earlier ones.
            newest = max(holes, key=lambda hole: max(map(_parse, hole.fixed)))
            # As one word, without what stands around it.
            shown = version[found.start() :].split()[0][:64]
            cves = tuple(hole.cve for hole in holes)
            yield Old(component=name, version=shown, fixed=newest.fixed, cves=cves)
