"""Receives Ringback's webhooks with Flask.

WEBHOOK_SECRETS="whsec_…" python flask_app.py        listens on http://127.0.0.1:9000/hook
"""

import os
from typing import Any

from flask import Flask, request

from inbox import Inbox
from keys import read_secrets
from ringback import WebhookVerificationError, verify_webhook

MAX_BODY_BYTES = 2**20


def handle(event: dict[str, Any]) -> None:
    """Do what the event asks for."""
    print("handled", event["type"], event["data"]["id"], flush=True)


def create_app() -> Flask:
    """The application."""
    secrets = read_secrets()
    inbox = Inbox(os.environ.get("INBOX", "inbox.sqlite3"), handle)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.post("/hook")
    def hook() -> tuple[str, int]:
        body = request.get_data()  # the bytes as they came: a body parsed and written again has another signature
        try:
            webhook = verify_webhook(secrets, dict(request.headers), body)
        except WebhookVerificationError as error:
            return str(error), 400
        inbox.add(webhook.id, webhook.body)
        return "", 204

    return app


if __name__ == "__main__":
    create_app().run(host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
