"""What may be stored, for how long, under which key (pure), and the store."""
