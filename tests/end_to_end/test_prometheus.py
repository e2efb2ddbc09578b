"""The real Prometheus scrapes the proxy, by the examples that people copy.

No Docker Engine is needed for that: what answers here is a fake one.
"""

import json
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from shutil import which
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import trio

from tests.answering_engine import answering_engine
from tests.commands.running import running
from tests.fakes import connect, request
from tests.markdown import ROOT
from tests.patience import PATIENCE

EXAMPLE = ROOT / "examples" / "prometheus"

pytestmark = pytest.mark.skipif(
    not which("promtool") and os.environ.get("CI") != "true",
    reason="Prometheus is missing",
)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["check", "config", "prometheus.yml"], id="configuration"),
        pytest.param(["check", "rules", "--lint-fatal", "alerts.yml"], id="rules"),
        pytest.param(["test", "rules", "alerts_test.yml"], id="what-the-rules-find"),
    ],
)
def test_promtool_has_nothing_to_say(words: list[str]) -> None:
    """The alert rules find a refusal that is new and none that is not, a stale policy, an Engine that is down."""
    found = subprocess.run(
        ["promtool", *words], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """Prometheus by the example, but quicker, and of this proxy; its URL."""
    config = (EXAMPLE / "prometheus.yml").read_text().replace("127.0.0.1:9375", target)
    config = re.sub(r"interval: 15s", "interval: 1s", config)
    config = config.replace("alerts.yml", f"{EXAMPLE}/alerts.yml")
    (folder / "prometheus.yml").write_text(config)
    with (folder / "prometheus.log").open("wb") as log:
        process = await trio.lowlevel.open_process(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                "--web.listen-address=127.0.0.1:0",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with trio.fail_after(PATIENCE):
            while not (
                found := re.search(r'Listening on" address=(\S+)', _read(folder))
            ):
                assert process.returncode is None, _read(folder)
                await trio.sleep(0.05)
        yield f"http://{found[1]}"
    finally:
        process.kill()
        await process.wait()


def _read(folder: Path) -> str:
    return (folder / "prometheus.log").read_text()


async def asked(url: str) -> object:
    """What Prometheus answers, once it has started."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                with await trio.to_thread.run_sync(partial(urlopen, url)) as answer:
                    return json.load(answer)["data"]
            except OSError as error:
                if isinstance(error, HTTPError):
                    error.close()
                await trio.sleep(0.05)


async def result(url: str, query: str) -> list[dict[str, object]]:
    found = await asked(f"{url}/api/v1/query?query={quote(query)}")
    assert isinstance(found, dict)
    rows: list[dict[str, object]] = found["result"]
    return rows


async def answer_to(url: str, query: str) -> None:
    """Wait until there is one: it takes two scrapes to see a rate."""
    with trio.fail_after(PATIENCE):
        while not await result(url, query):  # noqa: ASYNC110  another program is at work
            await trio.sleep(0.2)


def queries() -> Iterator[str]:
    """Those of the dashboard, with its variables as for all there is."""
    dashboard = json.loads((EXAMPLE / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "15s")
            yield re.sub(r"\$(instance|client|job)\b", ".*", expression)


@pytest.mark.slow
async def test_each_query_of_the_dashboard_has_an_answer(tmp_path: Path) -> None:
    """What Grafana would draw is there: each query and variable, and an alert for a refusal that is new."""
    options = ("--listen", f"unix://{tmp_path}/p.sock")
    engine = ("--upstream", f"unix://{tmp_path}/e.sock")
    settings = {"CONTAINERS": "1", "METRICS": "tcp://127.0.0.1:0"}
    async with (
        answering_engine(tmp_path / "e.sock"),
        running("enforce", *options, *engine, variables=settings) as proxy,
    ):
        line = await proxy.line(" start ")
        found = re.search(r"metrics=tcp://(\S+)", line)
        assert found
        async with prometheus(tmp_path, found[1]) as url, trio.open_nursery() as busy:
            busy.start_soon(ask_for_ever, f"unix://{tmp_path}/p.sock")
            drawn = list(queries())
            assert len(drawn) > 20
            for one in (
                *drawn,
                'ALERTS{alertname="TrioproxyNewRefusal",operation="ImageList"}',
            ):
                await answer_to(url, one)
            # A scrape that is late on a busy machine may be pending as one until the next.
            await answer_to(url, "absent(ALERTS{severity='critical'})")
            for label, value in (("job", "trioproxy"), ("client", "-")):
                assert await asked(f"{url}/api/v1/label/{label}/values") == [value]
            busy.cancel_scope.cancel()


async def ask_for_ever(address: str) -> None:
    """Ask for what is allowed, and for what is refused."""
    client = await connect(address)
    with closing(client):
        while True:
            for target in ("/containers/json", "/images/json"):
                await client.send(request("GET", target))
                await client.read_response()
            await trio.sleep(0.05)
