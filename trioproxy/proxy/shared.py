"""What all connections of a server share, whatever policy they are judged by."""

from dataclasses import dataclass, field

from trioproxy.config import Address
from trioproxy.http.memo import Memo
from trioproxy.proxy.bodies import Bodies
from trioproxy.proxy.client import Clients
from trioproxy.proxy.engine import ResponseMemo
from trioproxy.proxy.health import Health
from trioproxy.proxy.log import Log
from trioproxy.proxy.relay import Buffer
from trioproxy.proxy.watch import Watch


@dataclass(slots=True, kw_only=True)
class Shared:
    """One for each server."""

    upstream: Address
    log: Log
    watch: Watch
    health: Health
    bodies: Bodies
    response_memo: ResponseMemo = field(default_factory=Memo)
    clients: Clients = field(default_factory=Clients)
    buffer: Buffer = field(default_factory=Buffer)
    is_draining: bool = False
    """Whether the server takes no more clients and lets those here finish."""
