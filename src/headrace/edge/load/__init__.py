"""What one worker counts of its load, for the report of its node."""
