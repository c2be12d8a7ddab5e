"""Whom requests trust over TLS, who they are to servers that ask, and how long a handshake took."""

import ssl
import time
from enum import StrEnum
from pathlib import Path
from typing import Any

from ringback.egress.journey import current_journey
from ringback_schemas.errors import RingbackError


class TlsFile(StrEnum):
    """What a file is for."""

    AUTHORITIES = "authorities"
    CERTIFICATE = "certificate"
    KEY = "key"


class TlsFileUnusable(RingbackError):
    """A file with certificates or a key cannot be used."""

    def __init__(self, use: TlsFile, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.use = use


class NotingContext(ssl.SSLContext):
    """Notes in the current ``Journey`` when a handshake begins; aiohttp does not tell it apart from connecting."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As the base does: event loops call it for each connection, in the context of whoever connects."""
        journey = current_journey.get()
        if journey is not None:
            journey.tls_since = time.perf_counter()
        return super().wrap_bio(*args, **kwargs)


def client_context(
    *, ca_file: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """What verifies servers by the system's store, and by the certificates in ``ca_file`` beside it.

    ``certificate`` is a chain in PEM, shown to servers that ask for one; its key is in ``key``, or in the same file.
    Reads files: for the start of a process.

    Raises:
        TlsFileUnusable: a file is missing, or holds something else.
    """
    context = NotingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.set_alpn_protocols(("http/1.1",))
    if ca_file is not None:
        _load_authorities(context, ca_file)
    if certificate is not None:
        _load_identity(context, certificate, key)
    return context


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _look_at(TlsFile.AUTHORITIES, path)
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError as error:
        raise TlsFileUnusable(TlsFile.AUTHORITIES, path, "holds no certificates in PEM") from error


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    _look_at(TlsFile.CERTIFICATE, certificate)
    if key is not None:
        _look_at(TlsFile.KEY, key)
    try:
        # without a password to try, an encrypted key would ask for one on the terminal
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        pair = "and its key, in one file," if key is None else f"and the key {key}"
        is_mismatch = error.reason == "KEY_VALUES_MISMATCH"
        why = "are no pair" if is_mismatch else "cannot be used: both must be in PEM, and the key not encrypted"
        raise TlsFileUnusable(TlsFile.CERTIFICATE, certificate, f"{pair} {why}") from error


def _look_at(use: TlsFile, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise TlsFileUnusable(use, path, f"cannot be read: {error.strerror}") from error
