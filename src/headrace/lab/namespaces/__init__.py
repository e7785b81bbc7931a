"""Network namespaces of this machine: made, entered, wired, broken and removed. Linux, as root."""
