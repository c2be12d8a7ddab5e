"""Who we are to receivers that ask, and whom else we trust: client certificates and further authorities."""

import shutil
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from ringback.egress import TlsFile, TlsFileUnusable, client_context
from ringback.settings import Settings, SettingsError
from ringback.webhooks import Signer, new_secret
from ringback_notifier.main import notifier_plan
from ringback_notifier.replies import Answered, Failed
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import Verdict
from tests.certificates import issued, self_signed, server_context
from tests.notifier.conftest import LOOPBACK
from tests.receiver import Receiver

SIGNER = Signer([new_secret()])


def asking(folder: Path) -> ssl.SSLContext:
    """A server that wants a certificate of the authority in that folder."""
    context = server_context(issued(folder, name="127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    return context


def split(pem: Path) -> tuple[Path, Path]:
    """The certificate and the key of one file, in a file each."""
    both = pem.read_bytes()
    at = both.index(b"-----BEGIN CERTIFICATE")
    certificate, key = pem.with_suffix(".crt"), pem.with_suffix(".key")
    certificate.write_bytes(both[at:])
    key.write_bytes(both[:at])
    return certificate, key


async def post(receiver: Receiver, tls: ssl.SSLContext) -> Answered | Failed:
    """What comes of one webhook."""
    async with Sender(LOOPBACK, tls=tls) as sender:
        return (await sender.send(receiver.url(), "evt_1", b"{}", SIGNER)).reply


async def test_certificate_is_shown_to_receivers_that_ask(tmp_path: Path) -> None:
    """Mutual TLS, with the key in a file of its own."""
    certificate, key = split(issued(tmp_path, name="ringback.example"))
    tls = client_context(ca_file=tmp_path / "ca.pem", certificate=certificate, key=key)

    async with Receiver(tls=asking(tmp_path)) as receiver:
        assert await post(receiver, tls) == Answered(200)


async def test_certificate_and_key_may_be_in_one_file(tmp_path: Path) -> None:
    """As many tools write them."""
    tls = client_context(ca_file=tmp_path / "ca.pem", certificate=issued(tmp_path, name="ringback.example"))

    async with Receiver(tls=asking(tmp_path)) as receiver:
        assert await post(receiver, tls) == Answered(200)


async def test_receiver_that_asks_in_vain_is_a_failure(tmp_path: Path) -> None:
    """Without a certificate it hangs up, in the handshake or right after it."""
    server = asking(tmp_path)

    async with Receiver(tls=server) as receiver:
        reply = await post(receiver, client_context(ca_file=tmp_path / "ca.pem"))

    assert isinstance(reply, Failed)
    assert reply.verdict in {Verdict.TLS_ERROR, Verdict.RESET, Verdict.PREMATURE_EOF}


async def test_further_authority_is_trusted(tmp_path: Path) -> None:
    """One of the house, beside the system's."""
    server = server_context(issued(tmp_path, name="127.0.0.1"))

    async with Receiver(tls=server) as receiver:
        assert await post(receiver, client_context(ca_file=tmp_path / "ca.pem")) == Answered(200)
        reply = await post(receiver, client_context())

    assert reply == Failed(Verdict.TLS_ERROR, "TLS: unable to get local issuer certificate")


def test_further_authority_leaves_the_systems(tmp_path: Path) -> None:
    """Public receivers are still verified as before."""
    self_signed(tmp_path)
    system = ssl.create_default_context().cert_store_stats()["x509_ca"]

    tls = client_context(ca_file=tmp_path / "127.0.0.1.pem")

    assert tls.cert_store_stats()["x509_ca"] == system + 1
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """Which one, and why."""
    with pytest.raises(TlsFileUnusable, match=r"nothing\.pem cannot be read: No such file") as refusal:
        client_context(ca_file=tmp_path / "nothing.pem")

    assert refusal.value.use is TlsFile.AUTHORITIES


def test_file_without_certificates_is_told(tmp_path: Path) -> None:
    """A file of something else is no authority."""
    other = tmp_path / "other.pem"
    other.write_text("nothing of the kind")

    with pytest.raises(TlsFileUnusable, match="holds no certificates in PEM"):
        client_context(ca_file=other)


def test_certificate_without_its_key_is_told(tmp_path: Path) -> None:
    """Both are needed."""
    certificate, _ = split(issued(tmp_path, name="ringback.example"))

    with pytest.raises(TlsFileUnusable, match="and its key, in one file, cannot be used"):
        client_context(certificate=certificate)


def test_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    """They must be a pair."""
    certificate, _ = split(issued(tmp_path, name="one.example"))
    _, key = split(issued(tmp_path, name="two.example"))

    with pytest.raises(TlsFileUnusable, match="are no pair"):
        client_context(certificate=certificate, key=key)


def test_encrypted_key_is_told(tmp_path: Path) -> None:
    """Nobody is there to be asked for its password."""
    certificate, plain = split(issued(tmp_path, name="ringback.example"))
    key = serialization.load_pem_private_key(plain.read_bytes(), None)
    plain.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(TlsFileUnusable, match="the key not encrypted"):
        client_context(certificate=certificate, key=plain)


def test_notifier_does_not_start_with_unusable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is named."""
    monkeypatch.setenv("RINGBACK_CLIENT_CERT", str(tmp_path / "gone.pem"))

    with pytest.raises(SettingsError, match=r"RINGBACK_CLIENT_CERT: .*gone\.pem cannot be read"):
        notifier_plan(Settings())


def test_notifier_gets_its_files_and_its_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings say."""
    certificate, key = split(issued(tmp_path, name="ringback.example"))
    shutil.copy(tmp_path / "ca.pem", tmp_path / "house.pem")
    for name, value in (("CLIENT_CERT", certificate), ("CLIENT_KEY", key), ("CA_FILE", tmp_path / "house.pem")):
        monkeypatch.setenv(f"RINGBACK_{name}", str(value))
    monkeypatch.setenv("RINGBACK_EGRESS_PROXY", "http://user:secret@proxy:3128")
    monkeypatch.setenv("RINGBACK_FIFO_HOLD_S", "60")

    plan = notifier_plan(Settings())

    assert plan.proxy is not None
    assert (plan.proxy.shown, plan.fifo_hold_s) == ("http://proxy:3128", 60)
    assert plan.tls is not None
