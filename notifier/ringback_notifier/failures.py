"""Translates what aiohttp raises into verdicts: once, at the edge, by type and never by text."""

import errno
import ssl

import aiohttp

from ringback.egress import NameUnresolved, UrlRefused
from ringback_notifier.replies import Failed
from ringback_schemas.deliveries import Verdict

_RESETS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN})


def describe(error: Exception, status: int | None = None, *, is_tls: bool = False) -> Failed:
    """What an exception of a request means; ``status`` is the answer's, when it was known already."""
    verdict, words = _describe(error, is_tls=is_tls)
    return Failed(verdict, words, status)


def _describe(error: Exception, *, is_tls: bool) -> tuple[Verdict, str]:  # noqa: C901, PLR0911 - a table
    match error:
        case NameUnresolved():
            return Verdict.DNS_ERROR, error.sentence
        case UrlRefused():
            return Verdict.REFUSED_ADDRESS, f"not sent: {error.sentence}"
        case aiohttp.ClientConnectorCertificateError():
            return Verdict.TLS_ERROR, f"TLS: {_certificate_words(error.certificate_error)}"
        case aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorError(os_error=ssl.SSLError()):
            return Verdict.TLS_ERROR, f"TLS: {_ssl_words(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return _connect_failure(error.os_error, is_tls=is_tls)
        case aiohttp.ServerTimeoutError():
            return Verdict.TIMEOUT, "no connection in time"
        case aiohttp.ServerDisconnectedError():
            return Verdict.PREMATURE_EOF, "the receiver closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return Verdict.PREMATURE_EOF, "the answer broke off before its end"
        case OSError():
            return _broken_connection(error)
        case aiohttp.ClientResponseError():
            return Verdict.BAD_RESPONSE, f"not an answer in HTTP: {_first_line(error.message)}"
        case _:
            return Verdict.BAD_RESPONSE, f"the answer could not be read ({type(error).__name__})"


def _connect_failure(error: OSError, *, is_tls: bool) -> tuple[Verdict, str]:
    if error.errno == errno.ECONNREFUSED:
        return Verdict.CONNECT_REFUSED, "connection refused"
    if isinstance(error, ConnectionError):
        # TCP itself is refused or times out; what is cut while connecting is the handshake
        verdict = Verdict.TLS_ERROR if is_tls else Verdict.RESET
        return verdict, f"{'TLS: ' if is_tls else ''}the receiver closed the connection while it was made"
    return Verdict.CONNECT_ERROR, f"no connection: {_os_words(error)}"


def _broken_connection(error: OSError) -> tuple[Verdict, str]:
    if error.errno in _RESETS or isinstance(error, ConnectionError):
        return Verdict.RESET, "the receiver reset the connection"
    return Verdict.CONNECT_ERROR, f"the connection broke: {_os_words(error)}"


def _certificate_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
        return error.verify_message
    return str(error)


def _ssl_words(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return reason.replace("_", " ").lower() if reason else _os_words(error)


def _os_words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _first_line(message: str) -> str:
    return message.partition("\n")[0].rstrip(": ")
