"""RabbitMQ over TLS: ``amqps://``, with the certificates named in the address."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringback_backends.rabbitmq import RabbitBroker
from tests.conformance.broker.parts import fresh_queue, jobs, take


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests of Ringback")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form, no_password = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "both.pem"
    path.write_bytes(key.private_bytes(pem, form, no_password) + signed.public_bytes(pem))
    return path


@pytest.fixture
async def tls_url(module_amqp_url: str, certificate: Path) -> AsyncIterator[str]:
    """An address that ends TLS in front of RabbitMQ."""
    parts = urlsplit(module_amqp_url)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(parts.hostname, parts.port)
        with contextlib.suppress(OSError):
            await asyncio.wait(
                {asyncio.create_task(copy(reader, inner_writer)), asyncio.create_task(copy(inner_reader, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    yield urlunsplit(parts._replace(scheme="amqps", netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
    server.close()


async def test_amqps_works_with_the_certificate_that_the_address_names(tls_url: str, certificate: Path) -> None:
    """Publishing and consuming, both through TLS."""
    broker, queue, envelope = RabbitBroker(f"{tls_url}?cafile={certificate}"), fresh_queue(), jobs()
    await broker.start()

    await broker.publish(queue, envelope)

    assert [envelope] == await take(broker.subscribe((queue,)))
    await broker.close()


async def test_amqps_refuses_a_certificate_that_it_cannot_verify(tls_url: str) -> None:
    """It never connects, and the status says why."""
    broker = RabbitBroker(tls_url)

    await broker.start()

    assert not broker.status.is_connected
    assert "certificate" in broker.status.detail.lower()
    await broker.close()
