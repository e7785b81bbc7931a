"""The caching server: joins http, cache and origin; workers, reload, admin API."""
