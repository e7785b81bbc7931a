"""BFD beside ExaBGP, which has none: FRR's bfdd, with a configuration and sockets of its own."""
