"""The routes of registered endpoints and of what signs webhooks."""

from ringback_schemas import http
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import Scope
from ringback_service.api import endpoints, queries, secrets
from ringback_service.api.routing import Answer, Guarded, Open, Route

_ENDPOINT = (Problems.ENDPOINT_NOT_FOUND,)
_READ, _WRITE, _SECRETS = Scope.ENDPOINTS_READ, Scope.ENDPOINTS_WRITE, Scope.SECRETS

ENDPOINT_ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/endpoints",
        Guarded(_WRITE, endpoints.create_endpoint),
        (Answer(201, "The endpoint.", http.EndpointBody, ("Location",)),),
        "Endpoints",
        body=http.EndpointRequest,
        problems=(Problems.TOO_MANY_ENDPOINTS,),
    ),
    Route(
        "GET",
        "/v1/endpoints",
        Guarded(_READ, endpoints.list_endpoints),
        (Answer(200, "A page of endpoints.", http.EndpointPage, ("Link",)),),
        "Endpoints",
        query=queries.PageQuery,
    ),
    Route(
        "GET",
        "/v1/endpoints/{id}",
        Guarded(_READ, endpoints.get_endpoint),
        (Answer(200, "The endpoint.", http.EndpointBody),),
        "Endpoints",
        problems=_ENDPOINT,
    ),
    Route(
        "PATCH",
        "/v1/endpoints/{id}",
        Guarded(_WRITE, endpoints.update_endpoint),
        (Answer(200, "The endpoint as it is now.", http.EndpointBody),),
        "Endpoints",
        body=http.EndpointPatch,
        problems=(*_ENDPOINT, Problems.EDIT_CONFLICT),
    ),
    Route(
        "DELETE",
        "/v1/endpoints/{id}",
        Guarded(_WRITE, endpoints.delete_endpoint),
        (Answer(204, "It is gone.", media_type=None),),
        "Endpoints",
        problems=_ENDPOINT,
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/enable",
        Guarded(_WRITE, endpoints.enable_endpoint),
        (Answer(200, "The endpoint, enabled.", http.EndpointBody),),
        "Endpoints",
        problems=_ENDPOINT,
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/disable",
        Guarded(_WRITE, endpoints.disable_endpoint),
        (Answer(200, "The endpoint, disabled.", http.EndpointBody),),
        "Endpoints",
        problems=_ENDPOINT,
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/test",
        Guarded(_WRITE, endpoints.test_endpoint),
        (Answer(202, "The delivery of the test, due now.", http.DeliveryBody),),
        "Endpoints",
        problems=(*_ENDPOINT, Problems.ENDPOINT_DISABLED, Problems.INVALID_INPUT),
    ),
    Route(
        "GET",
        "/v1/endpoints/{id}/secret",
        Guarded(_SECRETS, secrets.get_endpoint_secret),
        (Answer(200, "The live secrets.", http.SigningSecretsBody),),
        "Secrets",
        problems=_ENDPOINT,
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/rotate-secret",
        Guarded(_SECRETS, secrets.rotate_endpoint_secret),
        (Answer(200, "The live secrets, the new one first.", http.SigningSecretsBody),),
        "Secrets",
        body=http.RotateRequest,
        problems=_ENDPOINT,
    ),
    Route(
        "GET",
        "/v1/signing-secret",
        Guarded(_SECRETS, secrets.get_signing_secret),
        (Answer(200, "The live secrets.", http.SigningSecretsBody),),
        "Secrets",
    ),
    Route(
        "POST",
        "/v1/signing-secret/rotate",
        Guarded(_SECRETS, secrets.rotate_signing_secret),
        (Answer(200, "The live secrets, the new one first.", http.SigningSecretsBody),),
        "Secrets",
        body=http.RotateRequest,
    ),
    Route(
        "GET",
        "/.well-known/ringback-keys/{tenant_id}",
        Open(secrets.get_public_keys),
        (Answer(200, "The live public keys.", http.PublicKeysBody, ("Cache-Control",)),),
        "Secrets",
        problems=(Problems.TENANT_NOT_FOUND, Problems.STORAGE_UNAVAILABLE),
    ),
)
