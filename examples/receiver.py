"""A receiver of Ringback's webhooks: verifies each, handles each once, and prints it.

RINGBACK_KEY=rbk_… python examples/receiver.py        listens on http://127.0.0.1:9000/hook
"""

import os
import sys

from aiohttp import ClientSession, web

from ringback import WebhookVerificationError, verify_webhook

API = os.environ.get("RINGBACK_URL", "http://127.0.0.1:8080")
SECRETS = web.AppKey("secrets", list)
SEEN = web.AppKey("seen", set)


async def fetch_secrets(app: web.Application) -> None:
    """Ask for the signing secrets once; there are several while they are being rotated."""
    headers = {"Authorization": f"Bearer {os.environ['RINGBACK_KEY']}"}
    async with (
        ClientSession(headers=headers, raise_for_status=True) as api,
        api.get(f"{API}/v1/signing-secret") as answer,
    ):
        app[SECRETS] = [entry["secret"] for entry in (await answer.json())["secrets"]]
    app[SEEN] = set()


async def hook(request: web.Request) -> web.Response:
    """Verify the bytes that came, before anything else is done with them."""
    try:
        webhook = verify_webhook(request.app[SECRETS], request.headers, await request.read())
    except WebhookVerificationError as error:
        print(f"refused: {error}")
        return web.Response(status=400)
    if webhook.id not in request.app[SEEN]:  # in earnest: a unique column, in the transaction that does the work
        request.app[SEEN].add(webhook.id)
        event = webhook.json()
        print(event["type"], event["data"]["id"], event["data"]["result"] or event["data"]["error"])
    return web.Response()


def main() -> None:
    """Listen until Ctrl-C."""
    if not os.environ.get("RINGBACK_KEY"):
        sys.exit("RINGBACK_KEY is not set; it takes an API key with the scope secrets")
    app = web.Application()
    app.on_startup.append(fetch_secrets)
    app.router.add_post("/hook", hook)
    web.run_app(app, host=os.environ.get("HOST", "127.0.0.1"), port=9000)


if __name__ == "__main__":
    main()
