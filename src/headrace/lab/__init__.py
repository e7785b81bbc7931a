"""The whole network on one machine, to look at: an origin, sample video, a player."""
