"""Clients of one node that say honestly what became of each request."""

import hashlib
import json
import time

from cluster.history import FAILED, OK, UNKNOWN
from support.connection import Connection
from support.grpc_connection import GrpcConnection

# What the node waits for a leader and for its answer is less (README.md).
ANSWER_S_MAX = 15
CONNECT_S_MAX = 2

CONFLICT = 20005
ABSENT = 20004
GRPC_ABSENT = 300
# gRPC has no code for it.
GRPC_CONFLICT = "Cas publish fail"
# The request was refused before anything was proposed, or with the node's word
# that nothing was done (`unavailable`, `resource_exhausted`).
REFUSALS = (400, 403, 404, 405, 411, 413, 415, 501, 503)


def names_of(key):
    """A key is GROUP/DATA_ID."""
    group, _, data_id = key.partition("/")
    return {"dataId": data_id, "group": group}


def outcome_of_error(status):
    return FAILED if status in REFUSALS else UNKNOWN


def code_of(body):
    try:
        return json.loads(body).get("code")
    except ValueError:
        return None


class Client:
    """What clients of all kinds share; used by one thread. Operations return (outcome,
    output), or None if the node takes no connection."""

    def __init__(self, node, recorder, timeout_s=ANSWER_S_MAX):
        self.node = node
        self._recorder = recorder
        self._timeout_s = timeout_s
        self._connection = None

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def set_patience(self, seconds):
        """How long an answer is waited for from the next request on."""
        self._timeout_s = seconds
        if self._connection:
            self._connection.set_timeout(seconds)

    def abort(self):
        """From another thread: the request that is on its way ends at once."""
        if connection := self._connection:
            connection.abort()

    def _open(self):
        raise NotImplementedError

    def _connected(self):
        if self._connection:
            return True
        try:
            self._connection = self._open()
        except (OSError, ValueError):
            return False
        self._connection.set_timeout(self._timeout_s)
        return True

    def _do(self, operation, key, given, judge, *words, **request):
        if not self._connected():
            return None  # nothing was sent
        invoked = time.monotonic_ns()
        try:
            answer = self._connection.call(*words, **request)
        except (OSError, ValueError):
            self.close()
            outcome, output, returned = UNKNOWN, None, None
        else:
            outcome, output = judge(*answer)
            returned = time.monotonic_ns() if outcome != UNKNOWN else None
        # A read that was not answered says nothing.
        if operation != "local_read" or outcome == OK:
            self._recorder.add(self.node.name, key, operation, given, output, invoked,
                               returned, outcome)
        return outcome, output


class HttpClient(Client):
    """Speaks Nacos' v1, v2 and v3 API in turn."""

    _v1 = False

    def publish(self, key, content):
        names = names_of(key)
        if self._next_is_v1():
            return self._do("publish", key, content, self._v1_written, "POST",
                            "/nacos/v1/cs/configs", content=content, **names)
        return self._do("publish", key, content, self._v2_written, "POST",
                        "/nacos/v2/cs/config", content=content, **names)

    def swap(self, key, expected, content):
        """v1 does not tell a lost comparison from an unknown outcome."""
        md5 = hashlib.md5(expected.encode()).hexdigest()
        return self._do("cas", key, {"expected": expected, "content": content},
                        self._swapped, "POST", "/nacos/v2/cs/config",
                        headers={"casMd5": md5}, content=content, **names_of(key))

    def delete(self, key):
        if self._next_is_v1():
            return self._do("delete", key, None, self._v1_written, "DELETE",
                            "/nacos/v1/cs/configs", **names_of(key))
        return self._do("delete", key, None, self._v2_written, "DELETE",
                        "/nacos/v2/cs/config", **names_of(key))

    def get(self, key):
        """What this node has applied."""
        names = names_of(key)
        if self._next_is_v1():
            return self._do("local_read", key, None, self._v1_read, "GET",
                            "/nacos/v1/cs/configs", **names)
        return self._do("local_read", key, None, self._v3_read, "GET",
                        "/nacos/v3/client/cs/config", dataId=names["dataId"],
                        groupName=names["group"])

    def poll(self, known, hold_s):
        """Keys whose content is another one than in `known`, or [] after `hold_s`."""
        def item(key, content):
            md5 = hashlib.md5(content.encode()).hexdigest() if content is not None else ""
            names = names_of(key)
            return f"{names['dataId']}\2{names['group']}\2{md5}\1"
        if not self._connected():
            return None
        self._connection.set_timeout(hold_s + ANSWER_S_MAX)
        try:
            status, body = self._connection.call(
                "POST", "/nacos/v1/cs/configs/listener",
                headers={"Long-Pulling-Timeout": int(hold_s * 1000)},
                **{"Listening-Configs": "".join(item(*each) for each in known.items())})
        except (OSError, ValueError):
            self.close()
            return None
        self._connection.set_timeout(self._timeout_s)
        if status != 200:
            return None
        items = body.strip().replace("%02", "\2").split("%01")
        return ["/".join(reversed(each.split("\2"))) for each in items if each]

    def _next_is_v1(self):
        self._v1 = not self._v1
        return self._v1

    def _open(self):
        return Connection(self.node.address, CONNECT_S_MAX)

    @staticmethod
    def _v1_written(status, body):
        if status == 200 and body == "true":
            return OK, None
        return outcome_of_error(status), None

    @staticmethod
    def _v2_written(status, body):
        if status == 200 and code_of(body) == 0:
            return OK, None
        return outcome_of_error(status), None

    @staticmethod
    def _swapped(status, body):
        if status == 200 and code_of(body) == 0:
            return OK, True
        if status == 500 and code_of(body) == CONFLICT:
            return OK, False
        return outcome_of_error(status), None

    @staticmethod
    def _v1_read(status, body):
        if status == 200:
            return OK, body
        return (OK, None) if status == 404 else (UNKNOWN, None)

    @staticmethod
    def _v3_read(status, body):
        code = code_of(body)
        if status == 200 and code == 0:
            return OK, json.loads(body)["data"]["content"]
        return (OK, None) if status == 200 and code == ABSENT else (UNKNOWN, None)


class GrpcClient(Client):
    """Speaks Nacos' gRPC. A refusal there does not tell whether something was done."""

    def publish(self, key, content):
        return self._do("publish", key, content, self._written, "ConfigPublishRequest",
                        {**self._names(key), "content": content})

    def swap(self, key, expected, content):
        md5 = hashlib.md5(expected.encode()).hexdigest()
        return self._do("cas", key, {"expected": expected, "content": content},
                        self._swapped, "ConfigPublishRequest",
                        {**self._names(key), "content": content, "casMd5": md5})

    def delete(self, key):
        return self._do("delete", key, None, self._written, "ConfigRemoveRequest",
                        self._names(key))

    def get(self, key):
        return self._do("local_read", key, None, self._read, "ConfigQueryRequest",
                        self._names(key))

    def _open(self):
        return GrpcConnection(self.node.host, self.node.sdk_port, CONNECT_S_MAX)

    @staticmethod
    def _names(key):
        return {**names_of(key), "tenant": ""}

    @staticmethod
    def _written(_, body):
        return (OK, None) if body.get("resultCode") == 200 else (UNKNOWN, None)

    @staticmethod
    def _swapped(_, body):
        if body.get("resultCode") == 200:
            return OK, True
        if GRPC_CONFLICT in (body.get("message") or ""):
            return OK, False
        return UNKNOWN, None

    @staticmethod
    def _read(_, body):
        if body.get("resultCode") == 200:
            return OK, body["content"]
        return (OK, None) if body.get("errorCode") == GRPC_ABSENT else (UNKNOWN, None)
