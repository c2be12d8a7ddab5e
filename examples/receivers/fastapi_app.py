"""Receives Ringback's webhooks with FastAPI.

WEBHOOK_SECRETS="whsec_…" python fastapi_app.py        listens on http://127.0.0.1:9000/hook
"""

import asyncio
import os
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request

from inbox import Inbox
from keys import read_secrets
from ringback import WebhookVerificationError, verify_webhook

MAX_BODY_BYTES = 2**20


def handle(event: dict[str, Any]) -> None:
    """Do what the event asks for."""
    print("handled", event["type"], event["data"]["id"], flush=True)


def create_app() -> FastAPI:
    """The application."""
    secrets = read_secrets()
    inbox = Inbox(os.environ.get("INBOX", "inbox.sqlite3"), handle)
    app = FastAPI()

    @app.post("/hook", status_code=204)
    async def hook(request: Request) -> None:
        body = await read(request)
        try:
            webhook = verify_webhook(secrets, request.headers, body)
        except WebhookVerificationError as error:
            raise HTTPException(400, str(error)) from error
        await asyncio.to_thread(inbox.add, webhook.id, webhook.body)

    return app


async def read(request: Request) -> bytes:
    """The bytes as they came, up to a bound: a body parsed and written again has another signature."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413)
    return bytes(body)


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "9000")))
