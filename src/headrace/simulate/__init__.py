"""The network under a virtual clock, on the code that runs it."""
