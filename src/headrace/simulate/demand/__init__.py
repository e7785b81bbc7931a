"""Who asks for what, and when: made from a scenario by a seed, or read from access logs."""
