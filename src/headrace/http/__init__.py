"""The wire: requests, responses, connections, TLS and ranges. Knows no caching."""
