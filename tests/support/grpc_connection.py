"""Nacos' gRPC over one socket with the little HTTP/2 it needs: little Python for each
request, and no package to install. One thread; a request is answered before the next
is sent, so what the other side may have in flight is bounded by one answer."""

import json
import socket
import struct
import time

from support.nacos_payload import decode, encode

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW_BYTES = 1 << 30
SETUP_S_MAX = 5


def literal(name, value):
    """A header field that no table remembers (RFC 7541, 6.2.2)."""
    return (b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)])
            + value.encode())


def request_headers(path):
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "muster",
              "content-type": "application/grpc", "te": "trailers"}
    return b"".join(literal(*each) for each in fields.items())


class GrpcConnection:
    """Registered as a client once it is made; OSError when the server goes away, is too
    slow or breaks off a request. `module` is what the client is for: config or naming."""

    def __init__(self, host, port, timeout_s=10, module="config"):
        self._socket = socket.create_connection((host, port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self._stream = 1
        self._module = module
        # What may be sent before the server says that it has room again.
        self._window = 65535
        self._socket.sendall(
            PREFACE + self._frame(SETTINGS, 0, 0, struct.pack("!HI", 4, WINDOW_BYTES))
            + self._frame(WINDOW, 0, 0, struct.pack("!I", WINDOW_BYTES)))
        try:
            self._register()
        except BaseException:
            self.close()
            raise

    def call(self, kind, body, module=None):
        """(type, body) of the answer."""
        self._stream += 2
        stream = self._stream
        self._send(stream, "/Request/request", END_STREAM,
                   self._payload(kind, {**body, "module": module or self._module}))
        answer = self._answer(stream)
        if len(answer) < 5:
            raise OSError("no answer but a status")
        return decode(answer[5:])

    def set_timeout(self, seconds):
        self._socket.settimeout(seconds)

    def abort(self):
        """From another thread: `call` ends with OSError."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already

    def close(self):
        self._socket.close()

    # -- inside ---------------------------------------------------------------

    def _register(self):
        self.call("ServerCheckRequest", {}, "internal")
        setup = {"clientVersion": "Nacos-Java-Client:v3.1.0", "tenant": "",
                 "labels": {"module": self._module}, "abilityTable": {},
                 "module": "internal"}
        self._stream += 2
        self._pushes_stream = self._stream
        self._send(self._stream, "/BiRequestStream/requestBiStream", 0,
                   self._payload("ConnectionSetupRequest", setup))
        end = time.monotonic() + SETUP_S_MAX
        while self.call("HealthCheckRequest", {}, "internal")[1].get("resultCode") != 200:
            if time.monotonic() > end:
                raise OSError("not registered as a client")

    @staticmethod
    def _payload(kind, body):
        payload = encode(kind, {}, "127.0.0.1", json.dumps(body).encode())
        return b"\0" + struct.pack("!I", len(payload)) + payload

    @staticmethod
    def _frame(kind, flags, stream, payload=b""):
        return (struct.pack("!I", len(payload))[1:] + bytes([kind, flags])
                + struct.pack("!I", stream) + payload)

    def _send(self, stream, path, flags, message):
        while self._window < len(message):
            self._read_frame()
        self._window -= len(message)
        self._socket.sendall(self._frame(HEADERS, END_HEADERS, stream, request_headers(path))
                             + self._frame(DATA, flags, stream, message))

    def _answer(self, wanted):
        out = b""
        while True:
            kind, flags, stream, payload = self._read_frame()
            if stream != wanted:
                self._take_aside(kind, stream, payload)
                continue
            if kind == DATA:
                out += payload
            if kind == RESET:
                raise OSError("the request was reset")
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return out

    def _take_aside(self, kind, stream, payload):
        """A frame that does not belong to the answer that is waited for."""

    def _read_frame(self):
        head = self._exactly(9)
        size = int.from_bytes(head[:3], "big")
        kind, flags = head[3], head[4]
        stream = int.from_bytes(head[5:], "big")
        payload = self._exactly(size)
        if kind == SETTINGS and not flags & ACK:
            self._socket.sendall(self._frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._socket.sendall(self._frame(PING, ACK, 0, payload))
        elif kind == WINDOW and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            raise OSError("the server goes away")
        return kind, flags, stream, payload

    def _exactly(self, size):
        while len(self._received) < size:
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise OSError("closed")
            self._received += chunk
        data = bytes(self._received[:size])
        del self._received[:size]
        return data
