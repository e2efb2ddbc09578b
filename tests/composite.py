"""A stand-in for what runs a composite action on GitHub: its steps, in a shell.

It knows of expressions what `action.yml` uses of them: contexts, `||`, `&&`, `==`, `!=`,
`!`, and `cancelled()`. A step runs while none has failed, unless its condition asks for
the status itself. Artifacts are kept in a folder that outlives the job, each without the
folders that all of its files have in common.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SHELL: Final = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What `shell: bash` means there."""

_EXPRESSION: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORD: Final = re.compile(
    r"'(?:[^']|'')*'|\|\||&&|==|!=|!(?!=)|cancelled\(\)|[a-z]+(?:\.[A-Za-z_-]+)+|[() ]"
)


@dataclass(kw_only=True)
class Ran:
    """What came of a run."""

    failed: str = ""
    """The name of the step that failed first."""
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, set[str]] = field(default_factory=dict)
    """What was kept, by the name of the artifact."""


@dataclass(frozen=True, kw_only=True)
class Composite:
    """An action, and where it runs."""

    action: Mapping[str, Any]
    workspace: Path
    temp: Path
    path: Path
    """The checkout of the action."""
    environ: Mapping[str, str]
    artifacts: Path
    """Where artifacts are kept between jobs."""

    github: Mapping[str, Any] = field(default_factory=dict)
    """What is known of the event, of the repository and its API."""

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
        here = {"action_path": str(self.path), "base_ref": base_ref}
        github = {**self.github, **here}
        contexts: dict[str, Any] = {
            "inputs": inputs | dict(given),
            "github": github,
            "runner": {"temp": str(self.temp)},
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
            given = {key: _filled(text, contexts) for key, text in step["with"].items()}
            if step["uses"].startswith("actions/upload-artifact@"):
                ran.artifacts[given["name"]] = self._upload(**given)
                outputs = {"artifact-url": f"https://example.com/{given['name']}"}
                contexts["steps"][step.get("id", "")] = {"outputs": outputs}
            else:
                assert step["uses"].startswith("actions/download-artifact@")
                if not self._download(**given):
                    ran.failed = ran.failed or step["name"]
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

    def _upload(self, name: str, path: str) -> set[str]:
        lines = [
            self.workspace / line.strip() for line in path.split("\n") if line.strip()
        ]
        files = [one for one in lines if one.is_file()]
        if not files:
            return set()
        top = os.path.commonpath([one.parent for one in files])
        target = self.artifacts / name
        shutil.rmtree(target, ignore_errors=True)
        for one in files:
            (target / one.relative_to(top)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(one, target / one.relative_to(top))
        return {str(one.relative_to(top)) for one in files}

    def _download(self, name: str, path: str) -> bool:
        found = self.artifacts / name
        if found.is_dir():
            shutil.copytree(found, path, dirs_exist_ok=True)
        return found.is_dir()


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
