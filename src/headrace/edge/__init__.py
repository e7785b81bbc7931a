"""The caching role: joins the floors below into the way of a request, from its head to its fill."""
