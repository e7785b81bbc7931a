"""Open connections outlive the move of their VIP: what a server does not know, it passes on to the
one that may. The kernel does it; here is decided for which VIPs, and to whom.
"""
