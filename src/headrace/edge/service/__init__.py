"""What is delivered: services compiled from the configuration, resources, fields and heads."""
