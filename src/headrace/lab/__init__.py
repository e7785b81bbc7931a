"""A whole network on one machine, to try: an origin, a sample video, a player."""
