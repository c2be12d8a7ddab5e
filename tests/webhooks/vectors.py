"""Vectors of Standard Webhooks: from the libraries' tests, and further ones computed with hashlib."""

from dataclasses import dataclass

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
PUBLIC_SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

OTHER = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
ALTERED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="


def headers(signature: str = SIGNATURE, **changes: str) -> dict[str, str]:
    """The headers of the library's vector, some of them changed."""
    wanted = {"webhook-id": ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": signature}
    return wanted | {name.replace("_", "-"): value for name, value in changes.items()}


@dataclass(frozen=True)
class Vector:
    """One message and the signature that it must have."""

    name: str
    secret: str
    body: bytes
    signature: str
    webhook_id: str = ID
    timestamp: int = TIMESTAMP
    public: str | None = None
    """What verifies it, when that is not the secret."""

    @property
    def headers(self) -> dict[str, str]:
        """As they are sent."""
        return headers(self.signature, webhook_id=self.webhook_id, webhook_timestamp=str(self.timestamp))


VECTORS = (
    Vector("library", SECRET, BODY, SIGNATURE),
    Vector(
        "second",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        b'{"email":"test@example.com","username":"test_user"}',
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1_649_367_553,
    ),
    Vector(
        "23 bytes without padding",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        BODY,
        "v1,LVOXivKoo4FWasi/IaHvzhE/u+7/cu2AME+zS/nXqzk=",
    ),
    Vector(
        "25 bytes without padding",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr",
        BODY,
        "v1,yK2tMbA6BHPrMEJ1lLv7UlJJbgFoqGenJkiajZ29evg=",
    ),
    Vector("empty body", SECRET, b"", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="),
    Vector("UTF-8 body", SECRET, '{"a":"żółć 🙂"}'.encode(), "v1,JApHQIPC2xEP+cI6LoVj58xloM/tmZgRDMVua2mzR0A="),
    Vector("Ed25519", PRIVATE, BODY, PUBLIC_SIGNATURE, public=PUBLIC),
)
