"""Vectors of Standard Webhooks: from the libraries' tests, and further ones computed with hashlib."""

from dataclasses import dataclass

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@dataclass(frozen=True)
class Vector:
    """One message and the signature that it must have."""

    name: str
    secret: str
    body: bytes
    signature: str
    webhook_id: str = ID
    timestamp: int = TIMESTAMP


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
)
