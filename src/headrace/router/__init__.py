"""The routing role: it tells each client where to go, over HTTP, DNS and content steering."""
