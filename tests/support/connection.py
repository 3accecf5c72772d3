"""A keep-alive HTTP connection for load tests: little Python for each request."""

import socket
import urllib.parse

FORM = "application/x-www-form-urlencoded"


class Connection:
    """One request at a time; OSError when the server goes away or is too slow."""

    def __init__(self, address, timeout_s=10):
        host, _, port = address.partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def call(self, method, path, headers=None, **parameters):
        """(status, body)"""
        body = urllib.parse.urlencode(parameters)
        if method in ("GET", "DELETE"):
            path, body = f"{path}?{body}", ""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        line = self._file.readline()
        if not line:
            raise OSError("closed")
        length = 0
        while (header := self._file.readline()) not in (b"\r\n", b""):
            name, _, text = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(text)
        answer = self._file.read(length)
        if len(answer) < length:
            raise OSError("closed within an answer")
        return int(line.split()[1]), answer.decode()

    def set_timeout(self, seconds):
        self._socket.settimeout(seconds)

    def abort(self):
        """From another thread: `call` ends with OSError."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already

    def close(self):
        self._file.close()
        self._socket.close()
