"""Proof that the promises of docs/architecture.md hold."""
