"""Filling the store from an upstream: one fill for all who wait for it."""
