"""Standard Webhooks (https://www.standardwebhooks.com): secrets, signing at the sender, verifying at the receiver."""

from ringback.webhooks.ed25519 import new_signing_key, public_key_of
from ringback.webhooks.secrets import InvalidSecret, decode_secret, new_secret
from ringback.webhooks.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer, canonical_secret, sign
from ringback.webhooks.verifying import Reason, VerifiedWebhook, WebhookVerificationError, check_secret, verify_webhook

__all__ = [
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "InvalidSecret",
    "Reason",
    "Signer",
    "VerifiedWebhook",
    "WebhookVerificationError",
    "canonical_secret",
    "check_secret",
    "decode_secret",
    "new_secret",
    "new_signing_key",
    "public_key_of",
    "sign",
    "verify_webhook",
]
