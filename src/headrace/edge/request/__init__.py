"""A request's way through the edge: from its head to the last byte and the log line."""
