"""Bodies on their way from the store to clients: mapped files, open files, growing slices."""
