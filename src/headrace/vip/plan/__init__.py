"""Which addresses a server announces, how, and why. Pure."""
