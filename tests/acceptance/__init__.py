"""Ringback as its users meet it: HTTP in, signed webhooks out, real processes between."""
