"""Why a URL is refused.

RingbackError
└── UrlRefused      the guard will not let a request go there
"""

from enum import StrEnum

from ringback_schemas.errors import RingbackError


class Refusal(StrEnum):
    """Stable names of the reasons; the same at create, test and delivery."""

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    SCHEME = "scheme"
    USERINFO = "userinfo"
    FRAGMENT = "fragment"
    HOST = "host"
    ADDRESS_SPELLING = "address_spelling"
    ADDRESS = "address"
    PORT = "port"
    DNS = "dns"


class UrlRefused(RingbackError):
    """A URL that no request of ours may go to."""

    def __init__(self, reason_code: Refusal, sentence: str) -> None:
        """``sentence`` is for people, and safe to show to whoever gave the URL."""
        super().__init__(sentence)
        self.reason_code = reason_code
        self.sentence = sentence


class NameUnresolved(UrlRefused):
    """The name has no address now; trying again later may help."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(Refusal.DNS, f"{host} could not be resolved: {why}")
