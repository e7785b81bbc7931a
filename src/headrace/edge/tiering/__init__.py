"""Whom of its network an edge asks before the origins, and what it keeps of what they say."""
