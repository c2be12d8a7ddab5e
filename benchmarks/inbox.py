"""What the receiver knows of the verified webhooks; pure: when each came is told by the caller."""

from dataclasses import dataclass, field

TYPE = "job.succeeded"
"""The type of all webhooks, of every stack: each job of a load echoes, and succeeds."""


@dataclass(slots=True)
class Inbox:
    """When the first webhook of each job came, and how many came besides or were of another kind.

    A later webhook of a job is either the first one again, or one more that was recorded for it: they differ in
    ``webhook-id`` or in a byte of the body. Both are kept as one number of 64 bits, for 300,000 jobs are.
    """

    arrivals: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    recorded_twice: int = 0
    other_types: int = 0
    _prints: dict[str, int] = field(default_factory=dict, init=False)

    def take(self, job_id: str, kind: object, webhook_id: str, body: bytes, at_ns: int) -> None:
        """Note one webhook; ``kind`` is its ``type``."""
        if kind != TYPE:
            self.other_types += 1
        seen = hash((webhook_id, body))
        first = self._prints.setdefault(job_id, seen)
        if job_id not in self.arrivals:
            self.arrivals[job_id] = at_ns
        elif seen == first:
            self.duplicates += 1
        else:
            self.recorded_twice += 1
