"""FRR: its daemons' sockets, and FRR as the speaker where a site has it already."""
