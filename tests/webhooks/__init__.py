"""Signing and verifying of webhooks."""
