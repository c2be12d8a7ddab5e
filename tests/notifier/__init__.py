"""Signed delivery."""
