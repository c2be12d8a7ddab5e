"""Faults: a fleet of real processes, something that kills, cuts or lies, and one oracle that looks afterwards."""
