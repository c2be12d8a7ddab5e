"""The front end and the workers."""
