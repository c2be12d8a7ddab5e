"""What the receivers in this folder verify webhooks with, from WEBHOOK_SECRETS.

Read at start: with none, or a wrong one, every webhook would be refused, and its sender only see a 400 or a 500.
"""

import os
import sys

from ringback.webhooks import InvalidSecret, check_secret


def read_secrets() -> list[str]:
    """One or more, with spaces between, while they are rotated; ends the program when one is none."""
    secrets = os.environ.get("WEBHOOK_SECRETS", "").split()
    if not secrets:
        sys.exit("WEBHOOK_SECRETS holds no secret; `ringback secrets show` tells it")
    for number, secret in enumerate(secrets, 1):
        try:
            check_secret(secret)
        except InvalidSecret as error:
            sys.exit(f"WEBHOOK_SECRETS, number {number}: {error}")
    return secrets
