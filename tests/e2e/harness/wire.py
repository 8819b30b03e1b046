"""A counting proxy between the operator and its two servers.

Everything that the operator sends passes here, so the tests can say what a rotation costs, hold requests back, cut watches, and
kill the operator right after its n-th request: before the reply reaches it (`lost`) or just after (`answered`).
The operator knows nothing of it: it is pointed at another address, with a certificate of the same authority.
"""

import json
import socket
import ssl
import threading
from dataclasses import dataclass

_MAX_HEAD = 1 << 20


@dataclass
class Request:
    """One request that passed. status is None until the head of the reply was seen."""

    upstream: str  # "aws" or "kube"
    method: str
    path: str
    operation: str = ""  # of AWS: the part of X-Amz-Target after the dot
    about: str = ""  # of AWS: the SecretId that it names, as it names it; nothing else of a body is kept
    accept: str = ""
    status: int | None = None
    error_gone: bool = False  # a watch: an ERROR event with code 410 was among its events

    @property
    def watch(self):
        return self.upstream == "kube" and self.method == "GET" and ("watch=1" in self.path or "watch=true" in self.path)

    @property
    def write(self):
        return self.upstream == "kube" and self.method != "GET"

    @property
    def expired(self):
        """The watch was answered 410, in either way that the server has."""
        return self.status == 410 or self.error_gone

    def concerns(self, text):
        """Whether the path, or the secret that it is about, has the text."""
        return text in self.path or text in self.about

    def __str__(self):
        return self.operation if self.upstream == "aws" else f"{self.method} {self.path.partition('?')[0]}"


class Tripwire:
    """Kills at the n-th counted request that matches; from then on nothing passes until the wire is reopened."""

    def __init__(self, number, mode, kill, matches):
        if mode not in ("lost", "answered"):
            raise ValueError(mode)
        self.number = number
        self.mode = mode
        self.kill = kill
        self.matches = matches
        self.count = 0
        self.tripped_by = None  # the n-th request, once it was reached

    @staticmethod
    def counts(request):
        """Watches stay open for minutes and lease renewals come by the clock: neither is a part of a rotation."""
        return not request.watch and "/coordination.k8s.io/" not in request.path


class Wire:
    """What both proxies share: the log, the tripwire, the gate. All methods may be called from any thread."""

    def __init__(self):
        self._condition = threading.Condition()
        self._requests = []
        self._tripwire = None
        self._gate_open = True
        self._held = "refuse"
        self._watches_held = False
        self._connections = set()

    # ---- for tests

    def mark(self):
        """A position in the log, for since()."""
        with self._condition:
            return len(self._requests)

    def since(self, mark, upstream=None):
        """The requests that passed after mark, watches and lease renewals apart."""
        with self._condition:
            return [r for r in self._requests[mark:] if Tripwire.counts(r) and upstream in (None, r.upstream)]

    def watches_since(self, mark):
        with self._condition:
            return [r for r in self._requests[mark:] if r.watch]

    def arm(self, number, mode, kill, matches=lambda request: True):
        with self._condition:
            self._tripwire = Tripwire(number, mode, kill, matches)
            return self._tripwire

    def reopen(self, held="refuse"):
        """Forgets the tripwire and opens the gate. Requests held at it are refused (their sender is dead), or pass."""
        with self._condition:
            self._tripwire = None
            self._gate_open = True
            self._held = held
            self._condition.notify_all()

    def drop_connections(self):
        """Ends every connection. Done after the operator's end, so that no watch of a dead one stays at the server."""
        with self._condition:
            sockets, self._connections = self._connections, set()
        for each in sockets:
            _shut(each)

    def hold_watches(self):
        """Cuts all connections, and from now on refuses watches by closing their connections."""
        with self._condition:
            self._watches_held = True
        self.drop_connections()

    def release_watches(self):
        with self._condition:
            self._watches_held = False

    # ---- for proxies

    def admit(self, request):
        """Logs a request and says what to do with it: "pass", "refuse", "lost" or "answered" (then kill).

        Blocks while the gate is shut; what then becomes of the request is said by whoever opens it.
        """
        with self._condition:
            if not self._gate_open and not (self._condition.wait_for(lambda: self._gate_open, 120) and self._held == "pass"):
                return "refuse"
            if request.watch and self._watches_held:
                return "refuse"
            self._requests.append(request)
            wire = self._tripwire
            if wire is None or not Tripwire.counts(request) or not wire.matches(request):
                return "pass"
            wire.count += 1
            if wire.count != wire.number:
                return "pass"
            wire.tripped_by = request
            self._gate_open = False
            return wire.mode

    def trip(self):
        with self._condition:
            wire = self._tripwire
        wire.kill()

    def opened(self, connection):
        with self._condition:
            self._connections.add(connection)

    def closed(self, connection):
        with self._condition:
            self._connections.discard(connection)


class Proxy:
    """Forwards HTTP/1.1 from a loopback port to one server; a thread per connection.

    certificate: (cert file, key file) to serve TLS with, or None for plain HTTP. upstream_authority: the CA file of a TLS
    server, or None for a plain one.
    """

    def __init__(self, wire, name, upstream_port, certificate=None, upstream_authority=None):
        self._wire = wire
        self._name = name
        self._upstream_port = upstream_port
        self._serving = self._calling = None
        if certificate:
            self._serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._serving.load_cert_chain(*map(str, certificate))
        if upstream_authority:
            self._calling = ssl.create_default_context(cafile=str(upstream_authority))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, name=f"proxy-{name}", daemon=True).start()

    def close(self):
        _shut(self._listener)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        upstream = None
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._serving:
                client = self._serving.wrap_socket(client, server_side=True)
            self._wire.opened(client)
            incoming = client.makefile("rb")
            while True:
                head, body = _read_request(incoming, client)
                if head is None:
                    return
                request = self._describe(head, body)
                verdict = self._wire.admit(request)
                if verdict == "refuse":
                    return
                if upstream is None:
                    upstream = self._connect()
                    self._wire.opened(upstream)
                    replies = upstream.makefile("rb")
                upstream.sendall(head + body)
                # A lost reply is read to its end all the same: the server must have done its part.
                keep = _relay_reply(replies, request, None if verdict == "lost" else client)
                if verdict in ("lost", "answered"):
                    self._wire.trip()
                    return
                if not keep:
                    return
        except (OSError, ValueError):
            return  # either side went away: so does the other
        finally:
            for each in (client, upstream):
                if each is not None:
                    self._wire.closed(each)
                    _shut(each)
                    each.close()

    def _connect(self):
        upstream = socket.create_connection(("127.0.0.1", self._upstream_port), timeout=10)
        upstream.settimeout(None)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._calling.wrap_socket(upstream, server_hostname="127.0.0.1") if self._calling else upstream

    def _describe(self, head, body):
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        operation = (_header(head, b"x-amz-target") or b"").decode().rpartition(".")[2]
        about = json.loads(body).get("SecretId", "") if operation else ""
        return Request(self._name, method, path, operation, about, (_header(head, b"accept") or b"").decode())


# ---- HTTP/1.1, as much as a proxy must know


def _header(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, colon, value = line.partition(b":")
        if colon and key.strip().lower() == name:
            return value.strip()
    return None


def _read_head(stream):
    """Up to and with the empty line; b"" at the end of the stream."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(_MAX_HEAD)
        if not line:
            if head:
                raise ValueError("the head ends early")
            return b""
        head += line
        if len(head) > _MAX_HEAD:
            raise ValueError("the head is too long")
    return head


def _read_request(stream, client):
    head = _read_head(stream)
    if not head:
        return None, None
    if _header(head, b"expect"):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
    if (_header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        return head, b"".join(_chunks(stream))
    return head, _exactly(stream, int(_header(head, b"content-length") or 0))


def _exactly(stream, length):
    data = stream.read(length)
    if len(data) != length:
        raise ValueError("the body ends early")
    return data


def _chunks(stream):
    """The chunks of a body as they are on the wire, sizes and trailers included."""
    while True:
        size = stream.readline(_MAX_HEAD)
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            while True:  # trailers, if any, and an empty line
                line = stream.readline(_MAX_HEAD)
                size += line
                if line == b"\r\n":
                    yield size
                    return
                if not line:
                    raise ValueError("the body ends early")
        yield size + _exactly(stream, length + 2)


def _relay_reply(stream, request, client):
    """Passes one reply on (client None: reads and drops it); says whether the connection can be used again."""
    while True:
        head = _read_head(stream)
        if not head:
            raise ValueError("no reply")
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    request.status = status

    def give(data):
        if client is not None:
            client.sendall(data)

    give(head)
    if request.method == "HEAD" or status in (204, 304):
        pass
    elif (_header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        for chunk in _chunks(stream):
            if request.watch and b'"code":410' in chunk:
                request.error_gone = True
            give(chunk)
    elif _header(head, b"content-length") is not None:
        give(_exactly(stream, int(_header(head, b"content-length"))))
    else:
        while data := stream.read1(65536):
            give(data)
        return False
    return (_header(head, b"connection") or b"").lower() != b"close"


def _shut(sock):
    """Wakes whoever is blocked on the socket; a TLS one is shut underneath, without a goodbye."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass
