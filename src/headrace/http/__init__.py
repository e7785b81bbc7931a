"""The wire: requests, responses, connections, TLS and ranges. Knows nothing of caching."""
