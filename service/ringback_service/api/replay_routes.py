"""The routes of replays."""

from ringback_schemas import http
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import Scope
from ringback_service.api import queries, replays
from ringback_service.api.routing import Answer, Guarded, Route

_REPLAY = (Problems.REPLAY_NOT_FOUND,)
_READ, _WRITE = Scope.DELIVERIES_READ, Scope.DELIVERIES_WRITE

REPLAY_ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/replays",
        Guarded(_WRITE, replays.create_replay),
        (Answer(202, "The replay is committed: it will be carried out.", http.ReplayBody, ("Location",)),),
        "Replays",
        body=http.ReplayRequest,
        problems=(Problems.TOO_MANY_REPLAYS,),
    ),
    Route(
        "GET",
        "/v1/replays",
        Guarded(_READ, replays.list_replays),
        (Answer(200, "A page of replays.", http.ReplayPage, ("Link",)),),
        "Replays",
        query=queries.PageQuery,
    ),
    Route(
        "GET",
        "/v1/replays/{id}",
        Guarded(_READ, replays.get_replay),
        (Answer(200, "The replay, done or not.", http.ReplayBody),),
        "Replays",
        problems=_REPLAY,
    ),
    Route(
        "POST",
        "/v1/replays/{id}/cancel",
        Guarded(_WRITE, replays.cancel_replay),
        (Answer(200, "The replay: cancelled now, or it had ended before.", http.ReplayBody),),
        "Replays",
        problems=_REPLAY,
    ),
)
