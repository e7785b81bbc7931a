"""How late a feedback process probes, and what its probes and a node's report cost."""
