"""ExaBGP as the speaker: its configuration, its API's lines both ways, and the process itself."""
