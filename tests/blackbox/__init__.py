"""The black-box cases of webhook delivery: a running service, its API, and receivers that do as they are told."""
