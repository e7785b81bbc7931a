"""Session tickets: keys over periods, servers and workers."""
