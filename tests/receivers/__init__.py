"""Receivers of webhooks: the examples as real processes, and the official libraries."""
