"""The root of Headrace's errors. Each room derives its own few from it."""


class HeadraceError(Exception):
    """Something Headrace refuses or cannot do. The message names what was wrong and the remedy."""
