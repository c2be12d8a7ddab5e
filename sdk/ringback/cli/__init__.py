"""The command line. Sub-commands import what they need when they run, so that ``ringback --version`` is quick."""
