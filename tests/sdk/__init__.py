"""Tests of what users of Ringback import and set."""
