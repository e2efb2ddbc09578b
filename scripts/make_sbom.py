"""Write a CycloneDX bill of materials of this Python's packages to stdout.

Usage: make_sbom.py LOCKFILE. The hashes are those that the lock file allows. Nothing in it
changes from one build of a commit to the next: no time, no serial number.
"""

import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = "trioproxy"


def canonical(name: str) -> str:
    """A package's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_hashes(lock: str) -> dict[str, list[str]]:
    """The SHA-256 sums that a lock file allows, by package."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", lock):
        name = canonical(block.partition("==")[0])
        found[name] = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
    return found


def licence(package: Distribution) -> list[dict[str, object]]:
    """A package's licence, as an expression if it gives one."""
    fields = package.metadata
    for expression in fields.get_all("License-Expression") or ():
        return [{"expression": expression}]
    names = fields.get_all("License") or ["unknown"]
    return [{"license": {"name": names[0].splitlines()[0]}}]


def component(package: Distribution, hashes: list[str]) -> dict[str, object]:
    """One package, as CycloneDX lists it."""
    name = canonical(package.name)
    purl = f"pkg:pypi/{name}@{package.version}"
    found: dict[str, object] = {
        "type": "application" if name == ROOT else "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "licenses": licence(package),
        "purl": purl,
    }
    if hashes:
        # One of the files that a lock allows was installed; each names itself.
        found["externalReferences"] = [
            {
                "type": "distribution",
                "url": purl,
                "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
            }
        ]
    return found


def bill(lock: str) -> dict[str, object]:
    """The whole bill: the program, and what it is made of."""
    hashes = read_hashes(lock)
    packages = sorted(distributions(), key=lambda one: canonical(one.name))
    components = {
        canonical(one.name): component(one, hashes.get(canonical(one.name), []))
        for one in packages
    }
    needs = [
        {
            "ref": component(one, [])["bom-ref"],
            "dependsOn": [
                components[need]["bom-ref"]
                for need in sorted(required(one) & {*components})
            ],
        }
        for one in packages
    ]
    root = components.pop(ROOT)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": list(components.values()),
        "dependencies": needs,
    }


def required(package: Distribution) -> set[str]:
    """The names of what a package requires, extras left out."""
    lines = [one for one in package.requires or () if "extra ==" not in one]
    return {canonical(re.split(r"[^A-Za-z0-9._-]", one)[0]) for one in lines}


if __name__ == "__main__":
    found = bill(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
