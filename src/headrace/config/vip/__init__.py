"""The configuration of the process that announces a server's addresses, as a root."""

from headrace.config.vip.root import VIP

__all__ = ["VIP"]
