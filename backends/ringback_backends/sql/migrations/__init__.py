"""Alembic migrations, one file per step; they lie in the wheel."""
