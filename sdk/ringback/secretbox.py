"""Secrets at rest: sealed with the newest key, opened with any. Fernet, by the ``cryptography`` package."""

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ringback_schemas.errors import RingbackError

KEY_FILE = "secret.key"


class SecretBoxError(RingbackError):
    """Keys that are none, or a secret that no key opens; the message never holds either."""


class SecretBox:
    """Seals and opens secrets."""

    def __init__(self, keys: Sequence[str]) -> None:
        """``keys`` are URL-safe base64 of 32 bytes, newest first.

        Raises:
            SecretBoxError: there is none, or one cannot be read.
        """
        if not keys:
            raise SecretBoxError("there is no encryption key")
        self._box = MultiFernet([_fernet(number, key) for number, key in enumerate(keys, 1)])

    def seal(self, secret: bytes) -> bytes:
        """The secret, readable only with the newest key."""
        return self._box.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """The secret.

        Raises:
            SecretBoxError: no key opens it: the one it was sealed with is not among them.
        """
        try:
            return self._box.decrypt(sealed)
        except InvalidToken as error:
            why = "a stored secret opens with none of the encryption keys; was one removed too early?"
            raise SecretBoxError(why) from error

    def __repr__(self) -> str:
        return "SecretBox(***)"


def new_key() -> str:
    """A fresh key for ``RINGBACK_ENCRYPTION_KEYS``."""
    return Fernet.generate_key().decode()


def load_or_create_key_file(path: Path, make: Callable[[], str] = new_key) -> list[str]:
    """The keys in a file, one a line, newest first; made with one fresh key and mode 0600 when it is not there.

    Processes that start together agree on one key: the file appears whole, and only for the first of them.

    Raises:
        SecretBoxError: the file cannot be read or made, or holds no key.
    """
    try:
        if not path.exists():
            _create(path, make())
        keys = path.read_text().split()
    except (OSError, UnicodeError) as error:
        raise SecretBoxError(f"the key file {path} cannot be used: {error}") from error
    if not keys:
        raise SecretBoxError(f"the key file {path} is empty")
    return keys


def _create(path: Path, key: str) -> None:
    """Write beside it and link: a reader never sees half a file, and a second writer leaves the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _fernet(number: int, key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        raise SecretBoxError(f"encryption key {number} is not URL-safe base64 of 32 bytes") from error
