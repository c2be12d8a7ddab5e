"""Certificates made on the spot, good and bad, for receivers that speak TLS."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def self_signed(folder: Path, *, host: str = "127.0.0.1", is_expired: bool = False) -> Path:
    """A PEM file with a key and a certificate for ``host`` that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    ends_at = now - timedelta(days=1) if is_expired else now + timedelta(days=30)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _kept(key, certificate, folder / f"{host}{'-expired' if is_expired else ''}.pem")


def issued(folder: Path, *, name: str) -> Path:
    """A PEM file with a key and a certificate for ``name``, vouched for by the authority in ``folder/ca.pem``.

    The authority is made when it is not there; its own file holds the certificate alone.
    """
    ca_path = folder / "ca.pem"
    if not ca_path.exists():
        both = self_signed(folder, host="authority").read_bytes()
        (folder / "ca.key").write_bytes(both)
        ca_path.write_bytes(both[both.index(b"-----BEGIN CERTIFICATE") :])
    issuer = x509.load_pem_x509_certificate(ca_path.read_bytes())
    issuer_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return _kept(key, certificate, folder / f"{name}-issued.pem")


def server_context(pem: Path) -> ssl.SSLContext:
    """What a receiver needs to speak TLS with that file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _kept(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, pem: Path) -> Path:
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return pem
