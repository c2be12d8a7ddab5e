"""The URL of a forward proxy, in parts. Apart from what connects, for settings are read everywhere."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_DEFAULT_PORT = 80
_WANTED = "must look like http://proxy:3128, or http://user:password@proxy:3128"


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """Where an HTTP proxy is, and who we are to it."""

    host: str
    """A name or an address, without brackets."""
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """``http://host:port``, without what is secret."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of ``Proxy-Authorization``; absent when we are nobody to it."""
        if not (self.user or self.password):
            return None
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


def parse_proxy_url(text: str) -> ProxyUrl:
    """The parts of a proxy's URL.

    Raises:
        ValueError: it is none; the text, which may hold a password, is not in the message.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_WANTED) from None
    is_bare = parts.path in {"", "/"} and not parts.query and not parts.fragment
    if parts.scheme != "http" or not parts.hostname or not is_bare or port == 0:
        raise ValueError(_WANTED)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in user or not f"{user}{password}".isprintable():
        raise ValueError(_WANTED)
    return ProxyUrl(parts.hostname, port or _DEFAULT_PORT, user, password)
