"""Where the view goes: a file, the sockets of nodes, and whoever asks for it."""
