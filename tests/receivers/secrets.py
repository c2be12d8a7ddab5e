"""Secrets of these tests: what the receivers hold, and what they do not."""

from ringback.webhooks import new_secret, new_signing_key

NEWER, OLDER, UNKNOWN = new_secret(), new_secret(), new_secret()
SIGNING_KEY = new_signing_key()
