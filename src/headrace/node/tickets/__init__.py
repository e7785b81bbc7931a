"""Session tickets: which keys seal and open them, over periods, servers and worker processes."""
