"""The ceiling: a loop that does nothing but send the same bytes, on the servers' core.

Run as `python -m bench.speed.ceiling PORT FILE`: answers whatever comes with a fixed head and the
file's bytes, from one mapping, without reading what was asked.
"""

from __future__ import annotations

import mmap
import select
import socket
import sys


def main() -> None:
    """Serve until killed."""
    port, path = int(sys.argv[1]), sys.argv[2]
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(mapped)
    small = head + mapped[:] if len(mapped) < 65536 else b""
    body = memoryview(mapped)
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    socks: dict[int, socket.socket] = {}
    left: dict[int, int] = {}
    while True:
        for fd, _events in poll.poll():
            if fd == listener.fileno():
                client, _address = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                socks[client.fileno()] = client
                left[client.fileno()] = 0
                poll.register(client.fileno(), select.EPOLLIN)
                continue
            sock = socks[fd]
            try:
                if not left[fd]:
                    if not sock.recv(65536):
                        raise ConnectionResetError
                    if small:
                        sock.send(small)
                        continue
                    sock.send(head, socket.MSG_MORE)
                    left[fd] = len(body)
                    poll.modify(fd, select.EPOLLOUT)
                while left[fd]:
                    at = len(body) - left[fd]
                    left[fd] -= sock.send(body[at : at + 1024 * 1024])
                poll.modify(fd, select.EPOLLIN)
            except BlockingIOError:
                continue
            except OSError:
                poll.unregister(fd)
                del left[fd]
                socks.pop(fd).close()


if __name__ == "__main__":
    main()
