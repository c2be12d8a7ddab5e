"""Tests of what users install: the wheel, and what importing it costs."""
