"""Which site and which server a client is sent to. Pure: no sockets, no clock."""
