"""A client for the API: async, typed, and safe to repeat."""

from ringback.client.client import Client
from ringback.client.errors import ApiUnreachable, ClientError, ProblemError, StillReplaying, StillRunning

__all__ = ["ApiUnreachable", "Client", "ClientError", "ProblemError", "StillReplaying", "StillRunning"]
