"""Receivers that run while a module is tested."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receivers.programs import APPS, PYTHON_APPS, ReceiverProcess, running
from tests.receivers.secrets import NEWER, OLDER


@pytest.fixture(scope="module", params=APPS)
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """Each receiver in turn, with the secrets ``NEWER`` and ``OLDER``."""
    modules = None if request.param in PYTHON_APPS else request.getfixturevalue("node_modules")
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, [NEWER, OLDER], folder, modules=modules) as process:
        yield process


@pytest.fixture(params=PYTHON_APPS)
def own_receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReceiverProcess]:
    """Each receiver with an inbox on disk, to be killed; with the secret ``NEWER``."""
    with running(request.param, [NEWER], tmp_path) as process:
        yield process
