"""``ringback demo``: the whole road on real data, watched from both ends."""
