"""Drills: what happens to a lab's clients when something is broken, by written scenarios."""
