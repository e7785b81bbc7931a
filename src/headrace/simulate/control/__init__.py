"""The feedback loop in a simulation: observations made of nodes, the controller itself behind."""
