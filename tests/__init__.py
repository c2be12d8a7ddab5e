"""Tests of Ringback: each says in one sentence which fact it proves."""
