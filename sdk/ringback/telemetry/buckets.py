"""Bounds of histograms, in seconds or rows."""

FAST_S = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""What answers at once: requests, commits, confirms, phases of a webhook."""

ROAD_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
"""What may take from milliseconds to an hour: waiting, running, the whole road."""

ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""How many share a commit."""
