"""SQLite, by the standard library's driver: one thread that writes, a few that read.

A whole transaction is one hop to a thread. docs/decisions tells why not a hop per statement.
"""
