"""All routes in one table: the router and the OpenAPI document are both made from it."""

from ringback_schemas import http
from ringback_schemas.problems import Problems
from ringback_schemas.tenants import Scope
from ringback_service.api import (
    admin,
    auditing,
    cancelling,
    deliveries,
    events,
    jobs,
    pages,
    probes,
    queries,
    submitting,
)
from ringback_service.api.endpoint_routes import ENDPOINT_ROUTES
from ringback_service.api.purging import purge_job
from ringback_service.api.replay_routes import REPLAY_ROUTES
from ringback_service.api.routing import Answer, Guarded, Open, Route

_JOB = (Problems.JOB_NOT_FOUND, Problems.JOB_PURGED)
_DELIVERY = (Problems.DELIVERY_NOT_FOUND,)
_CACHED = ("ETag", "Cache-Control", "Retry-After")
_NOT_CHANGED = Answer(304, "The client has it already (`If-None-Match`).", media_type=None)

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/jobs",
        Guarded(Scope.JOBS_WRITE, submitting.submit_job),
        (
            Answer(
                202,
                "The job is committed: it will end in exactly one terminal state, and its webhook will be sent.",
                http.JobBody,
                ("Location", "Operation-Location", "Retry-After", "Preference-Applied", "Idempotency-Replayed"),
            ),
        ),
        "Jobs",
        body=http.JobRequest,
        headers=("Idempotency-Key", "Prefer"),
        problems=(Problems.UNKNOWN_KIND, Problems.IDEMPOTENCY_MISMATCH, Problems.JOB_PURGED, Problems.OVERLOADED),
    ),
    Route(
        "GET",
        "/v1/jobs",
        Guarded(Scope.JOBS_READ, jobs.list_jobs),
        (Answer(200, "A page of jobs.", http.JobPage, ("Link",)),),
        "Jobs",
        query=queries.JobQuery,
    ),
    Route(
        "GET",
        "/v1/jobs/{id}",
        Guarded(Scope.JOBS_READ, jobs.get_job),
        (
            Answer(200, "The job, done or not.", http.JobBody, _CACHED),
            Answer(303, "With `redirect=1`: the result is there.", headers=("Location",), media_type=None),
            _NOT_CHANGED,
        ),
        "Jobs",
        query=queries.JobViewQuery,
        headers=("If-None-Match",),
        problems=_JOB,
    ),
    Route(
        "DELETE",
        "/v1/jobs/{id}",
        Guarded(Scope.JOBS_WRITE, purge_job),
        (Answer(204, "It is gone, and all that belonged to it.", media_type=None),),
        "Jobs",
        problems=(*_JOB, Problems.JOB_NOT_TERMINAL),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/result",
        Guarded(Scope.JOBS_READ, jobs.get_result),
        (Answer(200, "What the task returned, as JSON.", headers=_CACHED), _NOT_CHANGED),
        "Jobs",
        headers=("If-None-Match",),
        problems=(*_JOB, Problems.RESULT_NOT_READY, Problems.RESULT_OF_FAILED_JOB),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/deliveries",
        Guarded(Scope.JOBS_READ, deliveries.list_deliveries_of_job),
        (Answer(200, "All of them, on one page.", http.DeliveryPage),),
        "Deliveries",
        problems=_JOB,
    ),
    Route(
        "POST",
        "/v1/jobs/{id}/cancel",
        Guarded(Scope.JOBS_WRITE, cancelling.cancel_job),
        (
            Answer(200, "The job is done: cancelled now, or it had ended before.", http.JobBody),
            Answer(202, "It runs, and its worker was asked to stop it.", http.JobBody),
        ),
        "Jobs",
        problems=_JOB,
    ),
    Route(
        "GET",
        "/v1/task-types",
        Guarded(Scope.JOBS_READ, jobs.list_task_types),
        (Answer(200, "All task types, by name.", http.TaskTypesBody),),
        "Task types",
    ),
    Route(
        "GET",
        "/v1/events",
        # it shows of jobs what `GET /v1/jobs/{id}` shows; what it shows of endpoints, deliveries of a job show too
        Guarded(Scope.JOBS_READ, events.list_events),
        (Answer(200, "Events, and where to go on.", http.EventFeedBody),),
        "Events",
        query=queries.EventQuery,
    ),
    Route(
        "GET",
        "/v1/deliveries",
        Guarded(Scope.DELIVERIES_READ, deliveries.list_deliveries),
        (Answer(200, "A page of deliveries.", http.DeliveryPage, ("Link",)),),
        "Deliveries",
        query=queries.DeliveryQuery,
    ),
    Route(
        "GET",
        "/v1/deliveries/{id}",
        Guarded(Scope.DELIVERIES_READ, deliveries.get_delivery),
        (Answer(200, "The delivery.", http.DeliveryBody),),
        "Deliveries",
        problems=_DELIVERY,
    ),
    Route(
        "POST",
        "/v1/deliveries/{id}/redeliver",
        Guarded(Scope.DELIVERIES_WRITE, deliveries.redeliver),
        (
            Answer(202, "It is due now, with the same `webhook-id` and the same bytes.", http.DeliveryBody),
            Answer(200, "Nothing changed: it is being sent.", http.DeliveryBody),
        ),
        "Deliveries",
        problems=(*_DELIVERY, Problems.ENDPOINT_DISABLED, Problems.ENDPOINT_GONE),
    ),
    *REPLAY_ROUTES,
    *ENDPOINT_ROUTES,
    Route(
        "POST",
        "/v1/keys",
        Guarded(Scope.ADMIN, admin.create_key),
        (Answer(201, "The key.", http.CreatedKeyBody),),
        "Administration",
        body=http.KeyRequest,
        problems=(Problems.TENANT_NOT_FOUND,),
    ),
    Route(
        "GET",
        "/v1/keys",
        Guarded(Scope.ADMIN, admin.list_keys),
        (Answer(200, "All keys of the tenant, revoked ones too.", http.KeysBody),),
        "Administration",
        query=queries.TenantQuery,
        problems=(Problems.TENANT_NOT_FOUND,),
    ),
    Route(
        "DELETE",
        "/v1/keys/{id}",
        Guarded(Scope.ADMIN, admin.revoke_key),
        (Answer(200, "The key, revoked.", http.KeyBody),),
        "Administration",
        query=queries.TenantQuery,
        problems=(Problems.TENANT_NOT_FOUND, Problems.KEY_NOT_FOUND),
    ),
    Route(
        "POST",
        "/v1/tenants",
        Guarded(Scope.ADMIN, admin.create_tenant),
        (Answer(201, "The tenant.", http.TenantBody),),
        "Administration",
        body=http.TenantRequest,
    ),
    Route(
        "GET",
        "/v1/tenants",
        Guarded(Scope.ADMIN, admin.list_tenants),
        (Answer(200, "All tenants.", http.TenantsBody),),
        "Administration",
    ),
    Route(
        "GET",
        "/v1/audit",
        Guarded(Scope.ADMIN, auditing.list_audit),
        (Answer(200, "A page of entries.", http.AuditPage, ("Link",)),),
        "Administration",
        query=queries.PageQuery,
    ),
    Route("GET", "/healthz", Open(probes.healthz), (Answer(200, "It lives.", http.HealthBody),), "Probes"),
    Route(
        "GET",
        "/readyz",
        Open(probes.readyz),
        (
            Answer(200, "Requests can be taken.", http.ReadinessBody),
            Answer(503, "They cannot; the failed checks say why.", http.ReadinessBody),
        ),
        "Probes",
    ),
    Route(
        "GET",
        "/metrics",
        Open(probes.metrics),
        (Answer(200, "Metrics of this process.", media_type="text/plain"),),
        "Probes",
        problems=(Problems.UNAUTHENTICATED, Problems.FORBIDDEN, Problems.STORAGE_UNAVAILABLE),
    ),
    Route("GET", "/openapi.json", Open(pages.openapi), (Answer(200, "This document."),), "Documentation"),
    Route(
        "GET",
        "/docs",
        Open(pages.docs),
        (Answer(200, "The document, for people.", media_type="text/html"),),
        "Documentation",
    ),
    Route(
        "GET",
        "/problems/{code}",
        Open(pages.problem),
        (Answer(200, "What a problem type means.", media_type="text/html"),),
        "Documentation",
        problems=(Problems.NOT_FOUND,),
    ),
)
