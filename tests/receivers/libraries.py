"""The official ``standardwebhooks`` libraries, as functions that say whether they accept a webhook."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import standardwebhooks

Library = Callable[[str, Mapping[str, str], bytes], bool]
"""Whether a library with that secret accepts these headers and that body; names of headers in lower case."""


def python_library(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """By the package on PyPI."""
    try:
        standardwebhooks.Webhook(secret).verify(body, dict(headers))
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def javascript_library(node_modules: Path) -> Library:
    """By the package for Node.js; ``node_modules`` is where ``install_modules`` put it."""
    shutil.copy(Path(__file__).with_name("verify.mjs"), node_modules)

    def is_accepted(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        case = {"secret": secret, "headers": dict(headers), "body": base64.b64encode(body).decode()}
        outcome = subprocess.run(
            ["node", "verify.mjs"], cwd=node_modules, input=json.dumps([case]), capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip
        assert outcome.returncode == 0, outcome.stderr
        (answer,) = json.loads(outcome.stdout)
        assert isinstance(answer, bool)
        return answer

    return is_accepted
