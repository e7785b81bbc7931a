"""Origins: where content comes from, and one client that fetches it."""
