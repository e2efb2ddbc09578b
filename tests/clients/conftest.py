"""Proxies with every section open, before an Engine of our own."""

from collections.abc import Iterator, Mapping

import pytest

from tests.end_to_end.proxies import EVERY_SECTION, Proxy, enforcing
from tests.engine import ScratchEngine

pytest.register_assert_rewrite(
    "tests.clients.comparison"
)  # so that a difference is shown


@pytest.fixture(scope="package")
def proxies(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Proxy]]:
    """One on a Unix socket, one on TCP, as users run them."""
    unix = f"unix://{tmp_path_factory.mktemp('proxy')}/proxy.sock"
    with (
        enforcing(scratch, listen=unix, variables=EVERY_SECTION) as on_unix,
        enforcing(scratch, variables=EVERY_SECTION) as on_tcp,
    ):
        yield {"unix": on_unix, "tcp": on_tcp}
