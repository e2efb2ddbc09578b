"""A policy file as a whole: its text, and what that means."""

import hashlib
from collections.abc import Mapping

from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.rules import Policy
from trioproxy.values import value_class


@value_class
class PolicyFile:
    """A file as it was read."""

    path: str
    """As it was named."""
    text: str
    variables: Mapping[str, str]
    policy: Policy
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, text: str, path: str) -> "PolicyFile":
        """A file of this text; `ConfigError` says what is wrong with it."""
        policy, warnings = parse_policy_file(text, name=path)
        variables = envfile.parse(text, name=path)
        return cls(
            path=path, text=text, variables=variables, policy=policy, warnings=warnings
        )

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()
