"""What a row of failures means for an endpoint. Pure: the store counts, and passes in what it found."""

from dataclasses import dataclass

from ringback_schemas.operational import ENDPOINT_FAILING, ENDPOINT_RECOVERED

FAILING_AFTER = 4
"""Failed attempts in a row after which an endpoint is told of as failing."""


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When an endpoint is disabled because it fails: both must be true."""

    disable_after_failures: int = 20
    """In a row; 0: never."""
    disable_after_s: float = 72 * 3_600.0
    """Since its last success; since its first failure when it never had one; since it was last enabled at the most."""

    def give_up(self, failures_in_row: int, bad_for_s: float) -> bool:
        """Whether to disable it."""
        return 0 < self.disable_after_failures <= failures_in_row and bad_for_s >= self.disable_after_s


DEFAULT_RULES = HealthRules()


def turn(before: int, after: int) -> str | None:
    """The event to tell when the failures in a row went from one number to another; none for most."""
    if before < FAILING_AFTER <= after:
        return ENDPOINT_FAILING
    if after < FAILING_AFTER <= before:
        return ENDPOINT_RECOVERED
    return None
