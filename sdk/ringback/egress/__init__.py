"""The egress guard: where requests to URLs that others gave us may go, and where not.

The front end asks it when a callback is given, the notifier at every connection, built-in tasks before they fetch; all
three get the same answer from the same code.
"""

from ringback.egress.errors import NameUnresolved, Refusal, UrlRefused
from ringback.egress.policy import EgressPolicy, VettedUrl, destination_of
from ringback.egress.resolver import GuardedResolver, Lookup, vet
from ringback.egress.session import guarded_session
from ringback.egress.tls import TlsFile, TlsFileUnusable, client_context
from ringback.egress.urls import MAX_URL_CHARACTERS

__all__ = [
    "MAX_URL_CHARACTERS",
    "EgressPolicy",
    "GuardedResolver",
    "Lookup",
    "NameUnresolved",
    "Refusal",
    "TlsFile",
    "TlsFileUnusable",
    "UrlRefused",
    "VettedUrl",
    "client_context",
    "destination_of",
    "guarded_session",
    "vet",
]
