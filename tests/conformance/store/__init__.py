"""What ``contracts.store`` promises, over PostgreSQL and SQLite: a store is done when it passes."""
