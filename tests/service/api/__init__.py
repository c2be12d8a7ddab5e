"""Tests of the front end, over a real SQLite store and the in-process broker."""
