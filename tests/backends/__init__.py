"""The pieces that front end, worker and notifier share."""
