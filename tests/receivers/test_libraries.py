"""The official ``standardwebhooks`` libraries accept what we sign: before, during, after a rotation (BB-21, BB-22)."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import standardwebhooks

from tests.receivers.posting import Posted
from tests.receivers.secrets import NEWER, OLDER, SIGNING_KEY

Library = Callable[[str, Posted], bool]
"""Whether a library with that secret accepts a webhook."""


def python_library(secret: str, webhook: Posted) -> bool:
    """By the package on PyPI."""
    try:
        standardwebhooks.Webhook(secret).verify(webhook.body, webhook.headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


@pytest.fixture(scope="session")
def javascript_library(node_modules: Path) -> Library:
    """By the package for Node.js."""
    shutil.copy(Path(__file__).with_name("verify.mjs"), node_modules)

    def is_accepted(secret: str, webhook: Posted) -> bool:
        case = {"secret": secret, "headers": webhook.headers, "body": base64.b64encode(webhook.body).decode()}
        outcome = subprocess.run(
            ["node", "verify.mjs"], cwd=node_modules, input=json.dumps([case]), capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip
        assert outcome.returncode == 0, outcome.stderr
        (answer,) = json.loads(outcome.stdout)
        assert isinstance(answer, bool)
        return answer

    return is_accepted


@pytest.fixture(params=["python", "javascript"])
def library(request: pytest.FixtureRequest) -> Library:
    """Each library in turn."""
    if request.param == "python":
        return python_library
    javascript: Library = request.getfixturevalue("javascript_library")
    return javascript


@pytest.mark.parametrize(
    ("live", "accepted_with"),
    [
        ([OLDER], {OLDER}),
        ([NEWER, OLDER], {NEWER, OLDER}),
        ([NEWER], {NEWER}),
        ([SIGNING_KEY, OLDER], {OLDER}),
        ([NEWER, SIGNING_KEY, OLDER], {NEWER, OLDER}),
    ],
    ids=["before", "during", "after", "towards Ed25519", "all kinds"],
)
def test_library_accepts_what_its_secret_signed(library: Library, live: Sequence[str], accepted_with: set[str]) -> None:
    """Old and new secret both pass while both are live, and only the new one after; ``v1a`` disturbs nobody."""
    webhook = Posted.signed(live)

    assert {secret for secret in (NEWER, OLDER) if library(secret, webhook)} == accepted_with


@pytest.mark.parametrize("result", ["żółć 🙂", 1e300, '"\\', "x" * 60_000], ids=["UTF-8", "number", "escapes", "long"])
def test_library_accepts_any_body(library: Library, result: object) -> None:
    """The signature is over bytes, which mean the same in every language."""
    assert library(NEWER, Posted.signed([NEWER], result=result))


@pytest.mark.parametrize("sent_s_ago", [290, -290])
def test_library_accepts_a_webhook_within_the_window(library: Library, sent_s_ago: float) -> None:
    """Clocks may differ by less than five minutes."""
    assert library(NEWER, Posted.signed([NEWER], sent_s_ago=sent_s_ago))


@pytest.mark.parametrize("sent_s_ago", [310, -310])
def test_library_refuses_a_webhook_outside_the_window(library: Library, sent_s_ago: float) -> None:
    """Why each try needs a timestamp of its own (BB-24)."""
    assert not library(NEWER, Posted.signed([NEWER], sent_s_ago=sent_s_ago))


def test_library_refuses_a_tampered_body(library: Library) -> None:
    """The check is a real one."""
    webhook = Posted.signed([NEWER])

    assert not library(NEWER, webhook.with_body(webhook.body + b" "))
