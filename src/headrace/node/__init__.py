"""Any role as processes on one machine: supervisor, workers, reload, listeners, admin API."""
