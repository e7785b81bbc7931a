"""Coverage that this server learns from what the ISP's routers announce to it."""
