"""Watching requests live: what the supervisor asks its workers, and what those answer."""
