"""A client of one socket (RFC 6455) and of a few calls, no better than it has to be: for sockets that misbehave."""
import base64, json, os, socket, struct

from processes import Failed

PASSWORD = "seven-blue-horses-run-late"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def ask(node, method, path, body=None, headers="", patience=20):
    """Status, heads and body of a call, or Failed when it isn't answered."""
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "" if body is None or "content-type" in headers.lower() else "Content-Type: application/json\r\n"
    try:
        with socket.create_connection((node.address, node.port), patience) as line:
            line.settimeout(patience)
            line.sendall(f"{method} {path} HTTP/1.1\r\nHost: {node.address}:{node.port}\r\n{headers}{kind}"
                         f"Content-Length: {len(sent)}\r\nConnection: close\r\n\r\n".encode() + sent)
            answer = b""
            while part := line.recv(65536):
                answer += part
    except OSError as error:
        raise Failed(f"{method} {path}: {error}") from None
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head[9:12] or 0), head.decode("latin-1"), rest


def sign_in(node, name, password=PASSWORD):
    """The header lines of somebody who is logged in."""
    status, head, said = ask(node, "POST", "/api/v1/auth/login", {"username": name, "password": password})
    if status != 200:
        raise Failed(f"{name} can't log in: {status} {said[:200]}")
    cookie = next(line.split(": ", 1)[1].split(";")[0] for line in head.split("\r\n") if line.lower().startswith("set-cookie"))
    return f"Cookie: {cookie}\r\nOrigin: http://{node.address}:{node.port}\r\n"


def register(node, name):
    status, _, said = ask(node, "POST", "/api/v1/auth/register", {
        "username": name, "email": f"{name}@example.org", "password": PASSWORD})
    if status != 201:
        raise Failed(f"{name} can't register: {status} {said[:200]}")
    return sign_in(node, name)


def frame(opcode, payload, last=True, reserved=0, masked=True, length=None):
    """One frame, right or wrong: `length` is what it says of itself."""
    length = len(payload) if length is None else length
    said = struct.pack("!B", length) if length < 126 else struct.pack("!BH", 126, length) if length < 65536 else \
        struct.pack("!BQ", 127, length)
    head = bytes([(0x80 if last else 0) | reserved | opcode, said[0] | (0x80 if masked else 0)]) + said[1:]
    if not masked:
        return head + payload
    mask = b"\x5a\xc3\x17\x88"
    stretched = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(len(payload), "big")


class Socket:
    """One socket. `rev` is that of the last whole message read, `code` what it was closed with. Without `wait` its handshake's
    answer is read with what comes after it."""

    def __init__(self, node, credentials, path, buffer=None, patience=20, wait=True):
        self.line, self.bytes, self.rev, self.code, self.path, self.is_open = socket.socket(), b"", 0, None, path, False
        self.came_with_the_answer = []
        if buffer:
            # Before the connection is made: its window is agreed on there.
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.line.settimeout(patience)
        self.line.connect((node.address, node.port))
        self.port = self.line.getsockname()[1]
        key = base64.b64encode(os.urandom(16)).decode()
        self.line.sendall(f"GET {path} HTTP/1.1\r\nHost: {node.address}:{node.port}\r\nConnection: Upgrade\r\n"
                          f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{credentials}\r\n".encode())
        while wait and not self.is_open:
            if not self.read(4096):
                raise Failed(f"a socket at {path} was closed before it was open")
            self.came_with_the_answer = self.last

    def welcome(self):
        """Takes the handshake's answer off what was read, once it is whole."""
        head, end, rest = self.bytes.partition(b"\r\n\r\n")
        if end and not head.startswith(b"HTTP/1.1 101"):
            raise Failed(f"a socket at {self.path}: {head[:200]}")
        if end:
            self.is_open, self.bytes = True, rest

    def send(self, frames):
        """`False` when it is closed."""
        try:
            self.line.sendall(frames)
            return True
        except ConnectionError:
            return False

    def read(self, most=65536):
        """Reads once; `False` when it is closed."""
        try:
            part = self.line.recv(most)
        except ConnectionError:
            part = b""
        self.bytes += part
        self.last = self.frames()
        return bool(part) and self.code is None

    def frames(self):
        """Takes the whole frames off what was read."""
        if not self.is_open:
            self.welcome()
        found, at = [], 0
        while self.is_open and len(self.bytes) - at >= 2:
            opcode, length = self.bytes[at] & 15, self.bytes[at + 1] & 127
            head = 2 if length < 126 else 4 if length == 126 else 10
            if length >= 126:
                if len(self.bytes) - at < head:
                    break
                length = int.from_bytes(self.bytes[at + 2:at + head], "big")
            if len(self.bytes) - at < head + length:
                break
            payload = self.bytes[at + head:at + head + length]
            at += head + length
            if opcode == CLOSE:
                self.code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
            elif opcode == PING:
                self.send(frame(PONG, payload))
            elif opcode == TEXT:
                found.append(json.loads(payload))
                if found[-1]["type"] in ("message", "connected") and found[-1].get("rev") is not None:
                    self.rev = found[-1]["rev"]
        self.bytes = self.bytes[at:]
        return found

    def until(self, kind):
        """The frames up to the first of this kind."""
        found, self.came_with_the_answer = self.came_with_the_answer, []
        while not any(said["type"] == kind for said in found):
            part = self.line.recv(65536)
            if not part:
                raise Failed(f"closed with {self.code} before {kind}")
            self.bytes += part
            found += self.frames()
            if self.code:
                raise Failed(f"closed with {self.code} before {kind}")
        return found

    def read_to_the_end(self):
        while self.read():
            pass
        self.close()

    def close(self):
        self.line.close()
