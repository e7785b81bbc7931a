"""Headrace: a content delivery network that one team can run itself."""

__version__ = "0.1.0"
