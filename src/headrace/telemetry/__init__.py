"""What the processes tell of themselves: metrics, the access log, live views, logs."""
