"""Requests from other servers of the network: who is believed, and what they are answered."""
