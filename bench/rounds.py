"""The run: in each round all contenders close together in time, in another order."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.contenders import Contender
from bench.engine import start_engine
from bench.processes import BenchError
from bench.scenarios import UNITS, Figures, Options, Scenario, Stage
from bench.upstreams import Reach, Upstream, start_bulk, start_fast

STARTERS: dict[Upstream, Callable[[Path], tuple[Callable[[], None], Reach]]] = {
    Upstream.FAST: start_fast,
    Upstream.BULK: start_bulk,
    Upstream.ENGINE: start_engine,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one contender did in one scenario of one round."""

    scenario: str
    contender: str
    round: int
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A measurement that did not work."""

    scenario: str
    contender: str
    round: int
    error: str


class Run:
    """Upstreams and contenders that are running, and the samples so far."""

    def __init__(self, contenders: Sequence[Contender], options: Options) -> None:
        self._contenders = contenders
        self._options = options
        self._reaches: dict[Upstream, Reach] = {}
        self._stages: dict[tuple[str, Upstream], Stage] = {}
        self._cleanup = ExitStack()
        self.samples: list[Sample] = []
        self.failures: list[Failure] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._cleanup.close()

    def rounds(self, scenarios: Sequence[Scenario], count: int) -> None:
        """Measure everything so many times."""
        for number in range(count):
            for scenario in scenarios:
                if number < scenario.rounds:
                    self._row(scenario, number)

    def _row(self, scenario: Scenario, number: int) -> None:
        turn = number % len(self._contenders)
        for contender in (*self._contenders[turn:], *self._contenders[:turn]):
            if scenario.takes(contender):
                self._cell(scenario, contender, number)

    def _cell(self, scenario: Scenario, contender: Contender, number: int) -> None:
        stage = self._stage(contender, scenario.upstream)
        where = f"round {number + 1}  {scenario.name}  {contender.name}"
        try:
            figures = scenario.measure(stage)
        except BenchError as error:
            stage.stop()
            self.failures.append(
                Failure(
                    scenario=scenario.name,
                    contender=contender.name,
                    round=number,
                    error=str(error),
                )
            )
            print(f"{where}  FAILED: {error}", file=sys.stderr, flush=True)
            return
        self.samples.append(
            Sample(
                scenario=scenario.name,
                contender=contender.name,
                round=number,
                figures=figures,
            )
        )
        shown = "  ".join(
            f"{value:,.2f} {UNITS.get(name, name)}" for name, value in figures.items()
        )
        print(f"{where}  {shown}", file=sys.stderr, flush=True)

    def _stage(self, contender: Contender, upstream: Upstream) -> Stage:
        key = contender.name, upstream
        if key not in self._stages:
            self._stages[key] = Stage(contender, self._reach(upstream), self._options)
            self._cleanup.callback(self._stages[key].stop)
        return self._stages[key]

    def _reach(self, upstream: Upstream) -> Reach:
        if upstream not in self._reaches:
            stop, self._reaches[upstream] = STARTERS[upstream](self._options.folder)
            self._cleanup.callback(stop)
        return self._reaches[upstream]
