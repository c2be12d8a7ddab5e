"""The handshake of CloudEvents webhooks: an endpoint that wants it is asked by OPTIONS before it is sent anything."""

from dataclasses import dataclass, replace

import structlog

from ringback.webhooks.cloudevents import Granted, Withheld, consent_request, judge_consent
from ringback_backends.contracts.endpoints import EndpointStore
from ringback_notifier.recent import Recent
from ringback_notifier.replies import Answered, Failed, Sent
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import Consent, EndpointRecord
from ringback_schemas.ids import EndpointId

_SECONDS = 60

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question for consent; two are the same when they go to the same URL of the same endpoint."""

    endpoint_id: EndpointId
    url: str
    rate_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of asking."""

    refusal: Sent | None
    """The attempt that ended with it; absent when consent was given."""


class Consents:
    """Asks for consent, and notes the answer. One that was withheld is asked for again before each try."""

    def __init__(self, store: EndpointStore, sender: Sender, origin: str) -> None:
        """``origin`` is the DNS name that the whole sending system goes by."""
        self._store = store
        self._sender = sender
        self._origin = origin
        self._recent: Recent[_Asked, Reply] = Recent(self._ask, name="consent")

    async def ask(self, endpoint: EndpointRecord) -> Reply:
        """What the endpoint says; who asks for the same within a few seconds gets the same answer.

        Raises:
            StoreUnavailable: the answer cannot be noted now.
        """
        rate = endpoint.settings.rate_limit_per_s
        asked = _Asked(endpoint.id, endpoint.settings.url, None if rate is None else max(1, int(rate * _SECONDS)))
        return self._recent.kept(asked) or await self._recent.ask(asked)

    async def _ask(self, asked: _Asked) -> Reply:
        rate = asked.rate_per_minute
        sent = await self._sender.ask(asked.url, consent_request(self._origin, rate_per_minute=rate))
        if not isinstance(sent.reply, Answered):
            return Reply(replace(sent, reply=_while_asking(sent.reply)))
        answer = judge_consent(sent.reply.headers, origin=self._origin, rate_per_minute=rate)
        match answer:
            case Granted(allowed):
                await self._store.record_consent(asked.endpoint_id, asked.url, Consent.GRANTED, allowed)
                log.info("consent_granted", endpoint_id=asked.endpoint_id, rate_per_minute=allowed)
                return Reply(None)
            case Withheld(reason, sentence):
                await self._store.record_consent(asked.endpoint_id, asked.url, Consent.WITHHELD, None)
                log.info("consent_withheld", endpoint_id=asked.endpoint_id, reason=reason.value)
                refused = Failed(Verdict.NO_CONSENT, f"not sent: {sentence}", sent.reply.status)
                return Reply(replace(sent, reply=refused))


def _while_asking(reply: Failed) -> Failed:
    return replace(reply, words=f"not sent, for consent could not be asked for: {reply.words}")
