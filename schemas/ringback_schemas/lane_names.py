"""What lanes are called: a destination's by its name, an endpoint's own by both.

Most deliveries go by the lane of their destination (``https://app.example:443``). Those of an endpoint that has limits
of its own, or takes one at a time, go by ``https://app.example:443#end_…``: a destination holds no ``#``.
"""

from ringback_schemas.endpoints import EndpointSettings
from ringback_schemas.ids import EndpointId

MARK = "#"


def has_own_lane(settings: EndpointSettings) -> bool:
    """Whether an endpoint bounds what it is sent; one that consents may do so with its consent."""
    is_limited = settings.rate_limit_per_s is not None or settings.max_in_flight is not None
    return is_limited or settings.is_fifo or settings.needs_consent


def lane_of(endpoint_id: EndpointId, settings: EndpointSettings) -> str:
    """The lane of an endpoint's deliveries."""
    return f"{settings.destination}{MARK}{endpoint_id}" if has_own_lane(settings) else settings.destination


def destination_of_lane(lane: str) -> str:
    """``scheme://host:port``."""
    return lane.partition(MARK)[0]


def endpoint_of_lane(lane: str) -> EndpointId | None:
    """Whose own lane it is; absent for a destination's."""
    endpoint_id = lane.partition(MARK)[2]
    return EndpointId(endpoint_id) if endpoint_id else None
