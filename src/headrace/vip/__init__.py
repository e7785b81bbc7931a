"""The role that announces a server's addresses, and its neighbours'."""
