"""Bodies of the audit log."""

from datetime import datetime

from ringback_schemas.http.base import AnswerBody


class AuditEntryBody(AnswerBody):
    """Who did what."""

    id: str
    at: datetime
    actor: str
    """The id of the API key that asked; `cli` for commands on the store."""
    action: str
    target: str
    """The id of what was touched."""
    detail: dict[str, str]


class AuditPage(AnswerBody):
    """Some entries, newest first."""

    items: list[AuditEntryBody]
    next: str | None
    """URL of the next page; null on the last one."""
