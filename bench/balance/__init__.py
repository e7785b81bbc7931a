"""What different ways to steer traffic between sites do with the same network."""
