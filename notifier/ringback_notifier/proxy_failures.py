"""What goes wrong at our own proxy, before it has let a request through to its receiver."""

from http import HTTPStatus

import aiohttp

from ringback_notifier.replies import Failed
from ringback_schemas.deliveries import Verdict


def describe_proxy(error: Exception) -> Failed:
    """What an exception means that came before the proxy let the request through."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return _refused_tunnel(error.status)
        case aiohttp.ClientConnectorDNSError():
            return _down("its name could not be resolved")
        case aiohttp.ClientProxyConnectionError():
            return _down(f"no connection to it ({error.os_error.strerror or error.os_error})")
        case aiohttp.ServerDisconnectedError() | OSError():
            return _failed("it closed the connection without an answer")
        case _:
            return _failed(f"its answer could not be read ({type(error).__name__})")


def refused_plainly() -> Failed:
    """A 407 to a request that is not tunnelled.

    It says nothing of the proxy as a whole: a receiver may have written it, and could silence us for all others.
    """
    return _failed("it, or a receiver in its name, wants a user and password (407)")


def proxy_too_late(within_s: float) -> Failed:
    """It did neither within so long."""
    return _failed(f"no connection through it within {within_s:g} s")


def _refused_tunnel(status: int) -> Failed:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _down("it does not accept our user and password (407)")
    return _failed(f"it answered {status} in place of a connection to the receiver")


def _failed(why: str) -> Failed:
    return Failed(Verdict.PROXY_FAILED, f"the egress proxy failed: {why}")


def _down(why: str) -> Failed:
    return Failed(Verdict.PROXY_FAILED, f"the egress proxy failed: {why}", is_proxy_down=True)
