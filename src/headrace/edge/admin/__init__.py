"""The edge's own part of the admin API: purges, listings, what is hot."""
