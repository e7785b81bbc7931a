"""A soak: minutes of mixed load, purges, reloads, kills and origin faults, every byte checked."""
