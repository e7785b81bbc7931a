"""The other servers of the site: what this one tells them, and what it asks them."""
