"""What an answer of the router over DNS costs, beside name servers with a static zone."""
