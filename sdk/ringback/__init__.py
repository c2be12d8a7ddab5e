"""Ringback: slow work off a web request, and a signed webhook when it is done."""
