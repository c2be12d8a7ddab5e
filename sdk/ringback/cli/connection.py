"""Where the API is and which key to use: ``RINGBACK_URL`` and ``RINGBACK_KEY``, else what embedded mode left here."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from ringback.client import Client
from ringback.settings import Settings, SettingsError, load_settings

T = TypeVar("T")

URL = "RINGBACK_URL"
KEY = "RINGBACK_KEY"

GIVE_UP_AFTER_S = 5.0
"""A person waits: better to say soon that nobody answers."""


def call(work: Callable[[Client], Awaitable[T]]) -> T:
    """What ``work`` gives with a client for the API.

    Raises:
        SettingsError: there is no key.
        RingbackError: whatever the client raises.
    """
    url, key = find_api()

    async def main() -> T:
        async with Client(url, key, give_up_after_s=GIVE_UP_AFTER_S) as client:
            return await work(client)

    return asyncio.run(main())


def find_api() -> tuple[str, str]:
    """URL and key of the API.

    Raises:
        SettingsError: there is no key, or the URL is none.
    """
    settings = load_settings()
    url = os.environ.get(URL) or settings.public_url
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError([f"{URL} must look like http://127.0.0.1:8080"])
    return url, os.environ.get(KEY) or local_key(settings)


def local_key(settings: Settings) -> str:
    """The key that embedded mode with these settings uses.

    Raises:
        SettingsError: there is none, or it cannot be read.
    """
    if settings.bootstrap_api_key is not None:
        return settings.bootstrap_api_key.get_secret_value()
    path = settings.data_folder / "admin.key"
    try:
        return path.read_text().split()[0]
    except (OSError, IndexError) as error:
        raise SettingsError(
            [f"{KEY} is not set, and there is no key in {path}: is this the folder of `serve`?"]
        ) from error
