"""A stand-in for what runs a composite action on GitHub: its steps, in a shell.

It knows of expressions what `action.yml` uses of them: contexts, `||`, `&&`, `==`, `!`,
and `cancelled()`. A step runs while none has failed, unless its condition asks for the
status itself. What is kept as an artifact is remembered by name.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SHELL: Final = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What `shell: bash` means there."""

_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORD: Final = re.compile(
    r"'(?:[^']|'')*'|\|\||&&|==|!(?!=)|cancelled\(\)|[a-z]+(?:\.[A-Za-z_-]+)+|[() ]"
)


@dataclass(kw_only=True)
class Ran:
    """What came of a run."""

    failed: str = ""
    """The name of the step that failed first."""
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    artifact: dict[str, str] = field(default_factory=dict)
    """What was kept, by path."""


@dataclass(frozen=True, kw_only=True)
class Composite:
    """An action, and where it runs."""

    action: Mapping[str, Any]
    workspace: Path
    temp: Path
    path: Path
    """The checkout of the action."""
    environ: Mapping[str, str]

    def run(
        self, given: Mapping[str, str], *, base_ref: str = "", skip: str = ""
    ) -> Ran:
        """Run all steps but the one that is named."""
        declared: Mapping[str, Mapping[str, Any]] = self.action["inputs"]
        assert given.keys() <= declared.keys()
        assert all(
            name in given or not one.get("required") for name, one in declared.items()
        )
        inputs = {name: str(one.get("default", "")) for name, one in declared.items()}
        github = {"action_path": str(self.path), "base_ref": base_ref}
        contexts: dict[str, Any] = {
            "inputs": inputs | dict(given),
            "github": github,
            "steps": {},
        }
        ran = Ran()
        for step in self.action["runs"]["steps"]:
            if step.get("name") != skip and self._is_due(step, ran, contexts):
                self._step(step, ran, contexts)
        ran.outputs = {
            name: _filled(one["value"], contexts)
            for name, one in self.action["outputs"].items()
        }
        return ran

    def _is_due(self, step: Mapping[str, Any], ran: Ran, contexts: Any) -> bool:  # noqa: ANN401
        condition = step.get("if", "")
        asks = "cancelled()" in condition
        due = not condition or _filled(condition, contexts) == "true"
        return due and (asks or not ran.failed)

    def _step(self, step: Mapping[str, Any], ran: Ran, contexts: Any) -> None:  # noqa: ANN401
        if "uses" in step:
            assert step["uses"].startswith("actions/upload-artifact@")
            for name in _filled(step["with"]["path"], contexts).split("\n"):
                path = self.workspace / name.strip()
                if name.strip() and path.is_file():
                    ran.artifact[name.strip()] = path.read_text()
            return
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        files = {
            name: self.temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.write_text("")
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        env = {
            name: _filled(text, contexts) for name, text in step.get("env", {}).items()
        }
        done = subprocess.run(
            [*SHELL, str(script)],
            cwd=self.workspace,
            env={
                **os.environ,
                **self.environ,
                **{name: str(file) for name, file in files.items()},
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_WORKSPACE": str(self.workspace),
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ran.log += done.stdout
        ran.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        outputs = dict(
            line.split("=", 1)
            for line in files["GITHUB_OUTPUT"].read_text().splitlines()
        )
        contexts["steps"][step.get("id", "")] = {"outputs": outputs}
        if done.returncode and not ran.failed:
            ran.failed = step["name"]


def _filled(text: str, contexts: Mapping[str, Any]) -> str:
    """A text with the values of its expressions."""
    return _EXPRESSION.sub(lambda found: _value(found[1].strip(), contexts), text)


def _value(expression: str, contexts: Mapping[str, Any]) -> str:
    words = list(_words(expression, contexts))
    value = eval("".join(words))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(expression: str, contexts: Mapping[str, Any]) -> Iterator[str]:
    python = {"||": " or ", "&&": " and ", "!": " not ", "cancelled()": "False"}
    end = 0
    while end < len(expression):
        found = _WORD.match(expression, end)
        assert found, f"{expression!r} is more than is known here"
        word, end = found[0], found.end()
        if re.match(r"[a-z]+\.", word):
            value: Any = contexts
            for name in word.split("."):
                value = value.get(name, {}) if isinstance(value, Mapping) else {}
            word = repr(value or "")
        yield python.get(word, word)
