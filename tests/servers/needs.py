"""What becomes of a test whose server is not there."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NoReturn, TypeVar

import pytest

from tests.servers.programs import ServerMissing

T = TypeVar("T")


@contextmanager
def needed(server: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What the server's context gives; one that cannot be had skips the test on a laptop and fails it in CI."""
    with ExitStack() as stack:
        try:
            given = stack.enter_context(server())
        except ServerMissing as error:
            _do_without(error)
        yield given


def _do_without(error: ServerMissing) -> NoReturn:
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))
