"""A virtual host of a test's own on a RabbitMQ that others use too."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import unquote, urlsplit, urlunsplit


@contextmanager
def fresh_vhost(server_url: str, management_url: str) -> Iterator[str]:
    """The AMQP address of a new virtual host; deleted at the end with all that is in it.

    ``management_url`` is the management API's with user and password, who get all rights.
    """
    name = f"ringback-test-{secrets.token_hex(6)}"
    user = urlsplit(management_url).username or "guest"
    manage(management_url, "PUT", f"/api/vhosts/{name}")
    try:
        manage(
            management_url, "PUT", f"/api/permissions/{name}/{user}", {"configure": ".*", "write": ".*", "read": ".*"}
        )
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        manage(management_url, "DELETE", f"/api/vhosts/{name}")


def manage(management_url: str, method: str, path: str, body: object = None) -> object:
    """Ask the management API; its JSON answer, or nothing.

    Raises:
        OSError: it is not there.
        AssertionError: it says no.
    """
    parts = urlsplit(management_url)
    login = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=10)
    with closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    assert answer.status < 300, f"{method} {path} of the management API: {answer.status} {text.decode()[:500]}"
    return json.loads(text) if text else None
