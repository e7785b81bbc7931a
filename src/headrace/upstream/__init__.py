"""Whom to ask for content: pools, health, retries, failover in mid-body, and the client."""
