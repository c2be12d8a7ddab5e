"""PostgreSQL, by asyncpg: set-based statements of one round trip each, and a SQLAlchemy engine for everything else."""
