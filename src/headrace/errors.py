"""The root of Headrace's errors. Each room derives its own few from it."""


class HeadraceError(Exception):
    """Something Headrace refuses or cannot do. The message names what was wrong and the remedy."""


def release_frames(error: BaseException) -> None:
    """Cut the frames off an error that has been dealt with, and off those that caused it.

    An error that some frame of its own traceback still names is a ring that only the garbage
    collector would find, and the frames hold clients, files and places. So each task does this
    with what it catches at its outermost level.
    """
    waiting: list[BaseException] = [error]
    while waiting:
        known = waiting.pop()
        if known.__traceback__ is None:
            continue
        known.__traceback__ = None
        waiting += [one for one in (known.__cause__, known.__context__) if one is not None]
