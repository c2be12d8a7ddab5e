"""Standard Webhooks (https://www.standardwebhooks.com): secrets, signing at the sender, verifying at the receiver."""

from ringback.webhooks.secrets import InvalidSecret, decode_secret, new_secret
from ringback.webhooks.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer, sign
from ringback.webhooks.verifying import Reason, VerifiedWebhook, WebhookVerificationError, verify_webhook

__all__ = [
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "InvalidSecret",
    "Reason",
    "Signer",
    "VerifiedWebhook",
    "WebhookVerificationError",
    "decode_secret",
    "new_secret",
    "sign",
    "verify_webhook",
]
