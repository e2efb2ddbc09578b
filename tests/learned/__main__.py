"""`python -m tests.learned [NAME]...` learns profiles anew, all of them without a name."""

import sys

from tests.engine import scratch_engine
from tests.learned.install import Machine
from tests.learned.learning import learn
from tests.learned.pages import write
from tests.learned.profiles import PROFILES, Profile


def chosen(names: list[str]) -> list[Profile]:
    """The profiles of these names; a name that is none of them ends the program."""
    unknown = set(names) - {profile.name for profile in PROFILES}
    if unknown:
        sys.exit(f"no such profile: {', '.join(sorted(unknown))}")
    return [one for one in PROFILES if not names or one.name in names]


def check_version(profile: Profile) -> None:
    """End the program where the machine has another version than the table says."""
    if isinstance(profile.source, Machine):
        found = profile.source.version()
        if not found.startswith(profile.version):
            sys.exit(
                f"{profile.name} is for {profile.version}, this machine has {found or 'none'}"
            )


def main() -> None:
    """Learn, then write the tables anew."""
    profiles = chosen(sys.argv[1:])
    for profile in profiles:
        check_version(profile)
    with scratch_engine() as engine:
        for profile in profiles:
            sys.stderr.write(f"{profile.name}\n")
            learn(profile, engine)
    write()


if __name__ == "__main__":
    main()
