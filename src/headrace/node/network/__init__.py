"""The network that a node belongs to: its description and the view, followed for all workers."""
