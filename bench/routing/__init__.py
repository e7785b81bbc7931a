"""What a router's redirect costs, beside nginx returning a fixed one."""
