"""The envelope of Nacos' gRPC messages, by hand: a type name, headers and JSON."""

import json


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def encode(kind, headers, client_ip, body):
    metadata = field(3, kind.encode())
    for name, value in headers.items():
        metadata += field(7, field(1, name.encode()) + field(2, value.encode()))
    metadata += field(8, client_ip.encode())
    return field(2, metadata) + field(3, field(2, body))


def fields(data):
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        tag = number()
        assert tag & 7 == 2, "only length-delimited fields are used"
        size = number()
        yield tag >> 3, data[at:at + size]
        at += size


def decode(data):
    """(type, body as JSON value) of a Payload."""
    kind, body = "", b""
    for outer, value in fields(data):
        for inner, text in fields(value):
            if outer == 2 and inner == 3:
                kind = text.decode()
            if outer == 3 and inner == 2:
                body = text
    return kind, json.loads(body)
