"""Whether a file that is read again opens without a word what was limited before."""

from trioproxy.errors import ConfigError
from trioproxy.file.envfile import CUT
from trioproxy.judge.more import opened_silently
from trioproxy.judge.rules import Policy


def refuse_opening(old: Policy, new: Policy, source: str) -> None:
    """Stop where `new` does not speak any more of something that `old` limits.

    Nobody takes a limit away by leaving its line out and means it: more likely the file
    was cut, or half of it is written. Who does mean it writes that. What no granted
    operation can ask for is not opened. Raises `ConfigError`.
    """
    if opened := list(opened_silently(old, new)):
        names = " and ".join(name for name, _ in opened)
        written = " and ".join(line for _, line in opened)
        raise ConfigError(
            f"{names}: no line of {source} limits this any more",
            hint=f"{CUT}; if it is meant to be open, write {written}: each opens itself alone",
        )
