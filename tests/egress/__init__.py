"""The egress guard."""
