"""How processes hold work and lose it: heartbeats, rescue of what the dead held, expiry, orderly stops."""
