"""What is observed of the network from here: probes of servers, and the reports of nodes."""
