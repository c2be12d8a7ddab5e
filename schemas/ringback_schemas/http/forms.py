"""Forms of texts: for programs as regular expressions, which OpenAPI shows; for people in words."""

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
QUEUE_NAME = r"^[a-z0-9_.-]{1,64}$"
EVENT_PATTERN = r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)$"

IN_WORDS = {
    ONE_LINE: "must be one line of text, without control characters",
    QUEUE_NAME: "must be 1 to 64 characters of a-z, 0-9, '_', '-' and '.'",
    EVENT_PATTERN: "must be an event type such as job.failed, the beginning of some such as job.*, or *; "
    "names between the dots are of a-z, 0-9 and '_'",
}
"""What is said of a text that has not that form."""
