"""What a process tells of itself: metrics for Prometheus, and a log line per attempt."""
