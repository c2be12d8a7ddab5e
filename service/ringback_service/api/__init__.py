"""The front end: takes jobs in, tells what became of them. It never runs a task."""
