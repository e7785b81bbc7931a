"""A network in network namespaces of this machine: planned, configured, built, broken, removed."""
