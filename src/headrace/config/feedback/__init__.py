"""The configuration of the feedback loop, as a root."""

from headrace.config.feedback.root import FEEDBACK

__all__ = ["FEEDBACK"]
