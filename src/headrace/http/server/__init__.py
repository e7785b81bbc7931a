"""Client connections: accepting, reading, sending, TLS, and the limits of time and size on them."""
