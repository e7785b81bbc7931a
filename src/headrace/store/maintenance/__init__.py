"""What the one who owns the store does to it on the side: sweeping, finding orphans, rebuilding."""
