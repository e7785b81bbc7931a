"""The network: its places and servers, who is served from where, and which server holds what. Pure.

Everything here is a function of the description of the network, of what is known of its state, and
of a request. Every process that has the same of these comes to the same answer.
"""
