"""What a simulation leaves behind: a page with plots, and tables for other programs."""
