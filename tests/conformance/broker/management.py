"""One virtual host through the management API: what an operator, or another program, does to it."""

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

from tests.servers.vhosts import manage


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A virtual host and how to get at it. Every method blocks for milliseconds."""

    url: str
    management_url: str

    @property
    def name(self) -> str:
        """Its name."""
        return urlsplit(self.url).path[1:]

    def delete(self, kind: str, name: str) -> None:
        """Delete a queue (``queues``) or exchange (``exchanges``)."""
        self._ask("DELETE", f"/api/{kind}/{self.name}/{quote(name, safe='')}")

    def declare(self, kind: str, name: str, **body: object) -> None:
        """Declare one, durable unless the body says otherwise."""
        self._ask("PUT", f"/api/{kind}/{self.name}/{quote(name, safe='')}", {"durable": True, **body})

    def limit(self, queue: str, **definition: object) -> None:
        """Set a policy on one queue."""
        body = {"pattern": f"^{queue}$", "definition": definition, "apply-to": "queues"}
        self._ask("PUT", f"/api/policies/{self.name}/limit", body)

    def recreate(self) -> None:
        """Delete the virtual host with all that is in it, and make an empty one."""
        user = urlsplit(self.management_url).username or "guest"
        self._ask("DELETE", f"/api/vhosts/{self.name}")
        self._ask("PUT", f"/api/vhosts/{self.name}")
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        self._ask("PUT", f"/api/permissions/{self.name}/{user}", rights)

    def add_user(self, name: str, password: str, **rights: str) -> None:
        """A user with rights (``configure``, ``write``, ``read``: patterns) here."""
        self._ask("PUT", f"/api/users/{name}", {"password": password, "tags": ""})
        self._ask("PUT", f"/api/permissions/{self.name}/{name}", rights)

    def delete_user(self, name: str) -> None:
        """Delete a user."""
        self._ask("DELETE", f"/api/users/{name}")

    def publish(self, exchange: str, routing_key: str, text: str, **properties: object) -> None:
        """Publish whatever, as another program would."""
        body = {"properties": properties, "routing_key": routing_key, "payload": text, "payload_encoding": "string"}
        self._ask("POST", f"/api/exchanges/{self.name}/{exchange}/publish", body)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Take all messages out of a queue."""
        body = {"count": 100, "ackmode": "ack_requeue_false", "encoding": "auto"}
        return cast("list[dict[str, Any]]", self._ask("POST", f"/api/queues/{self.name}/{queue}/get", body))

    def describe(self, kind: str, name: str) -> dict[str, Any]:
        """What the server says about a queue or exchange."""
        return cast("dict[str, Any]", self._ask("GET", f"/api/{kind}/{self.name}/{quote(name, safe='')}"))

    def _ask(self, method: str, path: str, body: object = None) -> object:
        return manage(self.management_url, method, path, body)
