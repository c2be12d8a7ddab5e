"""Tests of the front end and the workers."""
