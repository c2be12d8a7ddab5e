"""The built-in tasks, loaded unless ``RINGBACK_TASKS`` says otherwise: small, useful, and examples to copy from."""

from ringback.demo.fetch import fetch
from ringback.demo.report import report
from ringback.demo.simple import echo, fail, sleep

__all__ = ["echo", "fail", "fetch", "report", "sleep"]
