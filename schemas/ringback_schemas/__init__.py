"""The data of Ringback: ids, states, rows, envelopes, problems and HTTP bodies. Nothing here does I/O."""
