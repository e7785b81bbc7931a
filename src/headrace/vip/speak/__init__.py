"""BGP for this server: the speaker of its configuration, and what is known of its sessions."""
