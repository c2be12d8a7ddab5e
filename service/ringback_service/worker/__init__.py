"""Performs jobs: claims them, runs their tasks, and records in one transaction what came of it."""
