"""How waiting looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def progress(words: Callable[[T], str]) -> Iterator[Callable[[T], None]]:
    """Shows on standard error how something goes on, in these words: one living line on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("…") as status:
        yield lambda one: status.update(Text(words(one)))
