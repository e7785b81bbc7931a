"""BGP: what is announced, as values; the texts of speakers, both ways; and speakers as processes.

A speaker is a program that exists already (ExaBGP, BIRD, FRR). Here it is told what to announce,
and what it says is read. Nothing here knows why something is announced.
"""
