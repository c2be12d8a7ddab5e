"""Tests of how processes hold work and lose it."""
