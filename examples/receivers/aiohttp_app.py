"""Receives Ringback's webhooks with aiohttp.

WEBHOOK_SECRETS="whsec_…" python aiohttp_app.py        listens on http://127.0.0.1:9000/hook
"""

import asyncio
import os
from typing import Any

from aiohttp import web

from inbox import Inbox
from keys import read_secrets
from ringback import WebhookVerificationError, verify_webhook

MAX_BODY_BYTES = 2**20


def handle(event: dict[str, Any]) -> None:
    """Do what the event asks for."""
    print("handled", event["type"], event["data"]["id"], flush=True)


def create_app() -> web.Application:
    """The application."""
    secrets = read_secrets()
    inbox = Inbox(os.environ.get("INBOX", "inbox.sqlite3"), handle)

    async def hook(request: web.Request) -> web.Response:
        body = await request.read()  # the bytes as they came: a body parsed and written again has another signature
        try:
            webhook = verify_webhook(secrets, request.headers, body)
        except WebhookVerificationError as error:
            return web.Response(status=400, text=str(error))
        await asyncio.to_thread(inbox.add, webhook.id, webhook.body)
        return web.Response(status=204)

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/hook", hook)
    return app


if __name__ == "__main__":
    web.run_app(create_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
