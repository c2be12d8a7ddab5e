"""A client for the API: async, typed, and safe to repeat."""

from ringback.client.client import Client
from ringback.client.errors import ApiUnreachable, ClientError, ProblemError, StillReplaying, StillRunning
from ringback.client.events import Event

__all__ = ["ApiUnreachable", "Client", "ClientError", "Event", "ProblemError", "StillReplaying", "StillRunning"]
