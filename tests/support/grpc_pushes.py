"""A client of Nacos' gRPC that also takes what the server sends by itself."""

import json
import select
import struct

from support.grpc_connection import DATA, WINDOW, GrpcConnection
from support.nacos_payload import decode, encode

# So much is received before the server is told that it may go on.
ROOM_BYTES = 64 << 20


class PushedConnection(GrpcConnection):
    """`pushes` are (type, body), oldest first, each acknowledged; whoever takes them
    removes them. They are read while `call` or `wait` runs."""

    def __init__(self, host, port, timeout_s=10, module="config"):
        self.pushes = []
        self._pushed = bytearray()
        self._taken_bytes = 0
        super().__init__(host, port, timeout_s, module)

    def wait(self, seconds):
        """Until something came or the time is over."""
        while not self.pushes and (
                self._received or select.select([self._socket], [], [], seconds)[0]):
            kind, _, stream, payload = self._read_frame()
            self._take_aside(kind, stream, payload)

    def _take_aside(self, kind, stream, payload):
        if kind != DATA or stream != self._pushes_stream:
            return
        self._pushed += payload
        self._make_room(len(payload))
        while len(self._pushed) >= 5:
            end = 5 + struct.unpack("!I", self._pushed[1:5])[0]
            if len(self._pushed) < end:
                break
            self._take(*decode(bytes(self._pushed[5:end])))
            del self._pushed[:end]

    def _take(self, kind, body):
        self.pushes.append((kind, body))
        answer = {"resultCode": 200, "requestId": body.get("requestId")}
        payload = encode(kind.replace("Request", "Response"), {}, "127.0.0.1",
                         json.dumps(answer).encode())
        message = b"\0" + struct.pack("!I", len(payload)) + payload
        self._socket.sendall(self._frame(DATA, 0, self._pushes_stream, message))

    def _make_room(self, size):
        self._taken_bytes += size
        if self._taken_bytes >= ROOM_BYTES:
            more = struct.pack("!I", self._taken_bytes)
            self._socket.sendall(self._frame(WINDOW, 0, 0, more)
                                 + self._frame(WINDOW, 0, self._pushes_stream, more))
            self._taken_bytes = 0
