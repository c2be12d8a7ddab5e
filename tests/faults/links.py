"""The network of a fleet: a proxy between each half of it and each server, which a case may cut, hold or slow down."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from tests.faults.proxy import TcpProxy


@dataclass(frozen=True, slots=True)
class Links:
    """Front ends are one half; workers and notifiers, who take work, the other."""

    front_broker: TcpProxy
    front_database: TcpProxy
    back_broker: TcpProxy
    back_database: TcpProxy

    @property
    def all(self) -> tuple[TcpProxy, ...]:
        """Every proxy."""
        return self.front_broker, self.front_database, self.back_broker, self.back_database

    def settings(self, database_url: str, broker_url: str) -> Mapping[str, Mapping[str, str]]:
        """What each kind of process must be told to go through them."""
        front = {
            "DATABASE_URL": _through(self.front_database, database_url),
            "BROKER_URL": _through(self.front_broker, broker_url),
        }
        back = {
            "DATABASE_URL": _through(self.back_database, database_url),
            "BROKER_URL": _through(self.back_broker, broker_url),
        }
        return {"api": front, "worker": back, "notifier": back}


@asynccontextmanager
async def linked(database_url: str, broker_url: str) -> AsyncIterator[Links]:
    """Proxies to these two servers, gone at the end."""
    broker, database = urlsplit(broker_url).port or 5672, urlsplit(database_url).port or 5432
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(TcpProxy(port)) for port in (broker, database, broker, database)]
        yield Links(*proxies)


def _through(proxy: TcpProxy, url: str) -> str:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
