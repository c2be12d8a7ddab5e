"""docker-compose.yml hands on what stands in .env."""

import re
from pathlib import Path

from ringback.settings import Settings

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


def test_compose_hands_on_every_setting() -> None:
    """One that it did not name would be dropped without a word."""
    named = set(re.findall(r"^ +(RINGBACK_[A-Z_]+):", COMPOSE.read_text(), re.MULTILINE))

    assert {f"RINGBACK_{field.upper()}" for field in Settings.model_fields} <= named
