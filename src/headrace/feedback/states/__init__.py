"""Version 1 of the loop: which servers serve, drain, failed or return. Pure."""
