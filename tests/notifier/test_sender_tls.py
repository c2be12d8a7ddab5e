"""One POST over TLS, and what comes of certificates that are no good (BB-38)."""

import asyncio
import ssl
from pathlib import Path

import pytest

from ringback.egress import client_context
from ringback_notifier.replies import Answered, Failed
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import Verdict
from tests.certificates import self_signed, server_context
from tests.notifier.conftest import LOOPBACK
from tests.notifier.sending import BODY, ID, SECRET, SIGNER, reply_of
from tests.receiver import Receiver


def trust(pem: Path) -> ssl.SSLContext:
    """Trusts that certificate, and no other."""
    return ssl.create_default_context(cafile=str(pem))


async def test_untrusted_certificate_is_a_tls_error(sender: Sender, tmp_path: Path) -> None:
    """Nobody vouches for it (BB-38)."""
    async with Receiver(tls=server_context(self_signed(tmp_path))) as receiver:
        assert await reply_of(sender, receiver.url()) == Failed(Verdict.TLS_ERROR, "TLS: self-signed certificate")
        assert receiver.requests == []


@pytest.mark.parametrize(
    ("is_expired", "host", "words"),
    [
        (True, "127.0.0.1", "TLS: certificate has expired"),
        (False, "other.example", "TLS: IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_bad_certificate_is_a_tls_error_with_its_reason(
    tmp_path: Path, *, is_expired: bool, host: str, words: str
) -> None:
    """The certificate's fault is said in words (BB-38)."""
    pem = self_signed(tmp_path, host=host, is_expired=is_expired)

    async with Receiver(tls=server_context(pem)) as receiver, Sender(LOOPBACK, tls=trust(pem)) as sender:
        reply = await reply_of(sender, receiver.url())

    assert isinstance(reply, Failed)
    assert (reply.verdict, reply.words.rstrip(".")) == (Verdict.TLS_ERROR, words)


async def test_old_tls_is_a_tls_error(tmp_path: Path) -> None:
    """A receiver that speaks nothing newer than TLS 1.1 (BB-38)."""
    pem = self_signed(tmp_path)
    old = server_context(pem)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    async with Receiver(tls=old) as receiver, Sender(LOOPBACK, tls=trust(pem)) as sender:
        reply = await reply_of(sender, receiver.url())

    assert isinstance(reply, Failed)
    assert reply.verdict == Verdict.TLS_ERROR


async def test_good_certificate_is_accepted(tmp_path: Path) -> None:
    """Over TLS everything is as without."""
    pem = self_signed(tmp_path)

    async with Receiver(tls=server_context(pem)) as receiver, Sender(LOOPBACK, tls=trust(pem)) as sender:
        assert await reply_of(sender, receiver.url()) == Answered(200)
        assert receiver.requests[0].verify(SECRET).body == BODY


async def test_https_to_a_plain_receiver_is_a_tls_error(sender: Sender) -> None:
    """A receiver that speaks no TLS (BB-38)."""

    def answer_in_clear(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_in_clear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reply = await reply_of(sender, f"https://127.0.0.1:{port}/")

    assert reply == Failed(Verdict.TLS_ERROR, "TLS: wrong version number")


async def test_handshake_is_told_apart_from_connecting(tmp_path: Path) -> None:
    """TLS has a time of its own; on a connection that is used again there is neither."""
    pem = self_signed(tmp_path)

    async with (
        Receiver(tls=server_context(pem)) as receiver,
        Sender(LOOPBACK, tls=client_context(ca_file=pem)) as sender,
    ):
        first, second = [(await sender.send(receiver.url(), ID, BODY, SIGNER)).timing for _ in range(2)]

    assert first.connect_s is not None
    assert first.tls_s is not None
    assert first.first_byte_s is not None
    assert 0 < first.connect_s + first.tls_s < first.first_byte_s
    assert (second.connect_s, second.tls_s) == (None, None)
