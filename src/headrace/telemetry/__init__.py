"""What the processes report of themselves: metrics, the access log, live views, logs."""
