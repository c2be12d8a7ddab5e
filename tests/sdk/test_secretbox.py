"""Secrets at rest, and the files that hold keys."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ringback.secretbox import SecretBox, SecretBoxError, load_or_create_key_file, new_key


def test_secretbox_opens_what_it_sealed() -> None:
    """And what it sealed does not hold the secret."""
    box = SecretBox([new_key()])

    sealed = box.seal(b"whsec_abc")

    assert b"whsec_abc" not in sealed
    assert box.open(sealed) == b"whsec_abc"


def test_secretbox_opens_with_old_keys_and_seals_with_the_newest() -> None:
    """Keys can be rotated: put the new one in front, keep the old one for a while."""
    old, new = new_key(), new_key()
    sealed_before = SecretBox([old]).seal(b"x")
    rotated = SecretBox([new, old])

    assert rotated.open(sealed_before) == b"x"
    assert SecretBox([new]).open(rotated.seal(b"y")) == b"y"


def test_secretbox_says_so_when_no_key_opens() -> None:
    """The message holds neither key nor secret."""
    sealed = SecretBox([new_key()]).seal(b"x")

    with pytest.raises(SecretBoxError, match="none of the encryption keys"):
        SecretBox([new_key()]).open(sealed)


@pytest.mark.parametrize("keys", [[], ["short"], [new_key(), "not base64!"]])
def test_secretbox_refuses_keys_that_are_none(keys: list[str]) -> None:
    """The refusal tells which one, not what it is."""
    with pytest.raises(SecretBoxError) as refusal:
        SecretBox(keys)

    assert not any(key in str(refusal.value) for key in keys)


def test_secretbox_prints_masked() -> None:
    """Nothing in a log or a traceback."""
    key = new_key()

    assert key not in repr(SecretBox([key]))


def test_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600, in a folder that is made as needed."""
    path = tmp_path / "deep" / "secret.key"

    keys = load_or_create_key_file(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert keys == load_or_create_key_file(path)


def test_key_file_is_one_when_many_make_it(tmp_path: Path) -> None:
    """Processes that start together agree on one key."""
    path = tmp_path / "secret.key"

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: tuple(load_or_create_key_file(path)), range(32)))

    assert len(set(found)) == 1


def test_key_file_that_is_empty_is_refused(tmp_path: Path) -> None:
    """A file that lost its content must not be taken for a fresh start."""
    path = tmp_path / "secret.key"
    path.touch()

    with pytest.raises(SecretBoxError, match="is empty"):
        load_or_create_key_file(path)
