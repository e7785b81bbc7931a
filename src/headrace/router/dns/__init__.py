"""The router over DNS: authoritative for its zones, with the decision that HTTP clients get too.

`query` reads what strangers send, `zones` says what a name has, `answer` makes the answer; these
are pure. `udp` and `tcp` carry it, `servers` opens them for a configuration.
"""
