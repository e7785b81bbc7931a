"""Work on a store for the one process that owns it: sweeping, finding orphans, rebuilding."""
