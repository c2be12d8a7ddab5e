"""One suite per contract, run over every back end: a back end is done when it passes."""
