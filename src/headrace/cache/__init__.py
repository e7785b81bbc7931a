"""What may be stored, for how long and under which key: pure rules, which touch no disk."""
