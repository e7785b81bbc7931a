"""Whether a VIP is served from here: real requests to it, from this machine, and what they say."""
