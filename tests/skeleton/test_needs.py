"""A missing server is never overlooked."""

from contextlib import AbstractContextManager

import pytest

from tests.servers import ServerMissing, needed


def missing() -> AbstractContextManager[None]:
    """A server that is not there."""
    raise ServerMissing("RabbitMQ", "nobody installed it")


def test_needed_skips_with_the_reason_when_a_server_is_missing_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests reads what was left out."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no RabbitMQ for tests: nobody installed it"), needed(missing):
        pass


def test_needed_fails_when_a_server_is_missing_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI never goes green over tests that did not run."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no RabbitMQ for tests"), needed(missing):
        pass
