"""The topology of a lab, as a root."""

from headrace.config.lab.root import LAB

__all__ = ["LAB"]
