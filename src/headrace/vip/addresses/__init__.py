"""The addresses of VIPs on this machine: bound here, and removed only where bound here."""
