"""The official ``standardwebhooks`` libraries accept what we sign: before, during, after a rotation (BB-21, BB-22)."""

from collections.abc import Sequence

import pytest

from tests.receivers.libraries import Library
from tests.receivers.posting import Posted
from tests.receivers.secrets import NEWER, OLDER, SIGNING_KEY


def is_accepted(library: Library, secret: str, webhook: Posted) -> bool:
    """Whether a library with that secret accepts it."""
    return library(secret, webhook.headers, webhook.body)


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

    assert {secret for secret in (NEWER, OLDER) if is_accepted(library, secret, webhook)} == accepted_with


@pytest.mark.parametrize("result", ["żółć 🙂", 1e300, '"\\', "x" * 60_000], ids=["UTF-8", "number", "escapes", "long"])
def test_library_accepts_any_body(library: Library, result: object) -> None:
    """The signature is over bytes, which mean the same in every language."""
    assert is_accepted(library, NEWER, Posted.signed([NEWER], result=result))


@pytest.mark.parametrize("sent_s_ago", [290, -290])
def test_library_accepts_a_webhook_within_the_window(library: Library, sent_s_ago: float) -> None:
    """Clocks may differ by less than five minutes."""
    assert is_accepted(library, NEWER, Posted.signed([NEWER], sent_s_ago=sent_s_ago))


@pytest.mark.parametrize("sent_s_ago", [310, -310])
def test_library_refuses_a_webhook_outside_the_window(library: Library, sent_s_ago: float) -> None:
    """Why each try needs a timestamp of its own (BB-24)."""
    assert not is_accepted(library, NEWER, Posted.signed([NEWER], sent_s_ago=sent_s_ago))


def test_library_refuses_a_tampered_body(library: Library) -> None:
    """The check is a real one."""
    webhook = Posted.signed([NEWER])

    assert not is_accepted(library, NEWER, webhook.with_body(webhook.body + b" "))
