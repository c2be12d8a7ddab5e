"""Webhooks of ours, good and bad, sent to a receiver."""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from itertools import count
from typing import Self
from urllib.parse import urlsplit

from ringback.webhooks import sign

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Posted:
    """A webhook as it goes over the wire."""

    job_id: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def signed(cls, secrets: Sequence[str], *, sent_s_ago: float = 0, result: object = None) -> Self:
        """A new event, signed as the notifier does it; ``sent_s_ago`` may be negative."""
        number = next(_numbers)
        data = {"id": f"job_{number}", "state": "succeeded", "result": result}
        event = {"type": "job.succeeded", "timestamp": "2025-11-21T07:00:00.123456Z", "data": data}
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(time.time() - sent_s_ago)
        headers = {
            "content-type": "application/json",
            "webhook-id": f"evt_{number}",
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secrets, f"evt_{number}", timestamp, body),
        }
        return cls(f"job_{number}", headers, body)

    def with_header(self, name: str, value: str | None) -> "Posted":
        """The same with a header changed, or left out."""
        headers = {other: kept for other, kept in self.headers.items() if other != name}
        return replace(self, headers=headers if value is None else headers | {name: value})

    def with_body(self, body: bytes) -> "Posted":
        """The same with another body."""
        return replace(self, body=body)

    def send_to(self, url: str) -> int:
        """The status of the answer."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        with closing(HTTPConnection(parts.hostname, parts.port, timeout=10)) as connection:
            connection.request("POST", parts.path, self.body, self.headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
