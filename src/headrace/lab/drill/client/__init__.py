"""The client of a drill: a process inside a client's network namespace, which asks and notes."""
