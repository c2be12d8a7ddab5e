"""Signed delivery of webhooks."""
