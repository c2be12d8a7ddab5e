"""One webhook to send, and what comes of it."""

from ringback.webhooks import Signer, new_secret
from ringback_notifier.replies import Answered, Failed
from ringback_notifier.sender import Sender

SECRET = new_secret()
SIGNER = Signer([SECRET])
ID = "evt_01kb3v4r6de0qv8t3kq1x1m9za"
BODY = '{"type":"job.succeeded","data":{"a":"żółć 🙂","n":1e400,"n":2}}\n'.encode()


async def reply_of(sender: Sender, url: str) -> Answered | Failed:
    """What comes of sending the example there."""
    return (await sender.send(url, ID, BODY, SIGNER)).reply
