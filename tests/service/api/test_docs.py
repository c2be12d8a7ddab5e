"""docs/http-api.md says what the code does."""

from pathlib import Path

from ringback_schemas.problems import Problems
from ringback_service.api.routes import ROUTES
from ringback_service.api.routing import Guarded
from tests.skeleton.test_docs import table

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"


def test_page_lists_every_problem_with_its_status_and_title() -> None:
    """Whoever meets one finds it."""
    told = table(PAGE, "Problems")

    assert told == {kind.code: [str(int(kind.value.status)), kind.value.title] for kind in Problems}


def test_page_lists_every_scope_that_a_route_asks_for() -> None:
    """And ``metrics``, which a route asks for only sometimes."""
    asked = {route.endpoint.scope.value for route in ROUTES if isinstance(route.endpoint, Guarded)}

    assert set(table(PAGE, "Scopes")) == asked | {"metrics"}
