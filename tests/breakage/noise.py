"""Frames and requests that nobody should send: good ones spoilt, wrong types, broken UTF-8, fragments, lengths that lie,
heads without end. By a seed, so that what went wrong can be done again."""
import json, random, socket, struct, time

from processes import Failed
from sockets import BINARY, CLOSE, PING, PONG, TEXT, Socket, frame, register
from trial import Trial

SEED = 20260131
# What each socket may send at once without being slowed down is 50 frames, and a frame after one that closes it is lost:
# so there are many, which take turns.
SOCKETS = 120
# Ids that are nobody's, and those of what the noise itself has made.
FOREIGN = [0, -1, 999_999, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30]
ODD = [None, True, False, 0, -1, 1.5, 1e308, 2**63, 10**40, "", " ", "x", "null", "\u0000", "\U0001f600", "\u202e", "a" * 4001,
       [], {}, [[]], {"a": {}}, ["x", 1], "%s%n", "'; drop table messages; --", "<script>", "../../etc/passwd"]
PATHS = ("/ /up /health /metrics /login /register /chat /chat/rooms/ID /rooms/new /rooms/ID/settings /people /search?q=Q "
         "/notifications /settings /password-reset /password-reset/confirm?token=Q /setup?token=Q /admin/ /admin/users/ "
         "/admin/messages/?q=Q&sort=Q /admin/rooms/ID/ /admin/search?q=Q /ws /ws/chat/ID?after=Q /ws/notifications /docs "
         "/api/v1/openapi.json /api/v1/auth/login /api/v1/auth/register /api/v1/auth/refresh /api/v1/auth/me "
         "/api/v1/auth/password-reset /api/v1/auth/two-factor /api/v1/users?q=Q&limit=Q&cursor=Q /api/v1/users/ID "
         "/api/v1/chat/rooms /api/v1/chat/rooms/ID /api/v1/chat/rooms/ID/members /api/v1/chat/rooms/ID/members/ID "
         "/api/v1/chat/rooms/ID/messages?before=Q&limit=Q /api/v1/chat/rooms/ID/messages?since_rev=Q "
         "/api/v1/chat/rooms/ID/read /api/v1/chat/messages/ID /api/v1/chat/messages/ID/reactions/Q "
         "/api/v1/chat/messages/ID/report /api/v1/chat/search?q=Q&room_id=ID /api/v1/chat/attachments/ID /api/v1/interests "
         "/api/v1/interests/ID/accept /api/v1/notifications /api/v1/notifications/read /api/v1/admin/users?sort=Q "
         "/api/v1/admin/stats /static/Q /Q /Q/Q").split()
METHODS = ("GET " * 12 + "POST " * 8 + "PATCH PUT DELETE HEAD OPTIONS TRACE CONNECT get PROPFIND G\u00cbT").split()


def noise(suite):
    """20,000 random frames and requests while others talk: the server lives, answers, and forgets them."""
    frames, requests = 14_000, 6_000
    seed = suite.options.seed or SEED
    load = ("--writers", "4", "--listeners", "6", "--rest", "50")
    with Trial(suite, load=load) as trial:
        noise = Noise(trial, random.Random(seed))
        noise.frames(frames)
        noise.requests(requests)
        noise.end()
        with open(trial.nodes[0].log, errors="replace") as log:
            trial.wrong += [f"an error of its own: {line.strip()[:300]}" for line in log if line.startswith("[ERROR]")][:5]
        trial.steady()
        trial.all_hear()
        statuses = ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(noise.answers.items()))
        trial.notes.append(f"seed {seed}; sockets closed with {noise.codes}; answers {statuses}")
        trial.expect_away(0)
        return trial.row(f"{frames + requests:,} random frames and requests")


class Noise:
    def __init__(self, trial, random):
        self.trial, self.random, self.node = trial, random, trial.nodes[0]
        self.me = register(self.node, "noise")
        made = self.say("POST", "/api/v1/chat/rooms", b'{"name": "Noise"}')
        if made != 201:
            raise Failed(f"no room for noise: {made}")
        # The load's rooms were made before it.
        self.room = max(trial.load.next_state()["rooms"]) + 1
        self.sockets, self.codes, self.answers = [None] * SOCKETS, {}, {}

    # --- frames ----------------------------------------------------------------------------------------------------

    def frames(self, count):
        for n in range(count):
            at = n % SOCKETS
            if self.sockets[at] is not None and self.has_closed(self.sockets[at]):
                self.let_go(at)
            if self.sockets[at] is None:
                self.sockets[at] = Socket(self.node, self.me, self.random.choice(["/ws", f"/ws/chat/{self.room}"]), wait=False)
            if not self.sockets[at].send(self.frame()):
                self.let_go(at)
            if n % 1000 == 999:
                self.look()

    def has_closed(self, socket):
        """Reads what is there, without waiting for more."""
        socket.line.settimeout(0)
        try:
            while socket.read():
                pass
            return True
        except BlockingIOError:
            return False
        finally:
            socket.line.settimeout(20)

    def let_go(self, at):
        code = self.sockets[at].code or "none"
        self.codes[code] = self.codes.get(code, 0) + 1
        self.sockets[at].close()
        self.sockets[at] = None

    def frame(self):
        """Whole frames, mostly: one that is cut off would swallow those after it."""
        draw, text = self.random.random(), self.text()
        if draw < 0.55:
            return frame(TEXT, text)
        if draw < 0.65:
            return frame(BINARY, text)
        if draw < 0.80:
            return self.fragments(text)
        if draw < 0.88:
            return frame(self.random.choice([PING, PONG]), self.random.randbytes(self.random.randrange(126)))
        return self.broken(text)

    def fragments(self, text):
        """Cut anywhere, in the middle of a character too, with a ping between; now and then one is missing."""
        cuts = sorted(self.random.randrange(len(text) + 1) for _ in range(self.random.randrange(1, 6)))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
        sent = b"".join(frame(0 if n else TEXT, part, last=n == len(parts) - 1) +
                        (frame(PING, b"x") if self.random.random() < 0.2 else b"") for n, part in enumerate(parts))
        return sent if self.random.random() < 0.9 else frame(0, b"nothing began")

    def broken(self, text):
        """What RFC 6455 forbids."""
        return self.random.choice([
            lambda: frame(TEXT, text, masked=False),
            lambda: frame(TEXT, text, reserved=self.random.choice([0x10, 0x20, 0x40])),
            lambda: frame(self.random.choice([3, 7, 11, 15]), text),
            lambda: frame(PING, b"x" * 126),
            lambda: frame(PING, b"", last=False),
            lambda: frame(CLOSE, struct.pack("!H", self.random.choice([0, 999, 1000, 1004, 1005, 1006, 1016, 3000, 65535])) + b"\xff"),
            lambda: frame(CLOSE, b"x"),
            lambda: frame(TEXT, b"", length=2**63),
            lambda: frame(TEXT, text, length=2**40),
            lambda: frame(TEXT, b"x" * self.random.choice([65_536, 65_537, 300_000])),
            lambda: self.random.randbytes(self.random.randrange(1, 200)),
        ])()

    def text(self):
        """A good frame, spoilt more or less."""
        random, room = self.random, self.random.choice([self.room, self.room, *FOREIGN])
        good = random.choice([
            {"type": "message", "room_id": room, "content": "Hello **you**", "client_id": f"n{random.randrange(10**6)}"},
            {"type": "message", "content": "Hello", "reply_to": random.choice(FOREIGN)}, {"content": "Hello"},
            {"type": "typing", "room_id": room, "is_typing": True}, {"type": "read", "room_id": room, "seq": 1},
            {"type": "subscribe", "room_id": room, "after": random.choice([0, 1, *FOREIGN])},
            {"type": "unsubscribe", "room_id": room}, {"type": "ping"}, {"type": "connected"}])
        return self.spoil(good)

    def spoil(self, good):
        """An object as bytes: as it is, with another type of value, another key, or other bytes."""
        random = self.random
        for _ in range(random.randrange(3)):
            key = random.choice([*good, "type", "x", "content"])
            good = good | {key: random.choice(ODD)}
        text = bytearray(json.dumps(good, ensure_ascii=random.random() < 0.5).encode())
        draw = random.random()
        if draw < 0.2:
            for _ in range(random.randrange(1, 4)):
                text[random.randrange(len(text))] = random.randrange(256)
        elif draw < 0.3:
            del text[random.randrange(len(text)):]
        elif draw < 0.35:
            text = bytearray(random.choice([b"[" * 30_000, b'{"a":' * 8_000, b"null", b'"x"', b"[]", b"", b"\xff\xfe", b"{}{}"]))
        return bytes(text)

    # --- requests --------------------------------------------------------------------------------------------------

    def requests(self, count):
        for n in range(count):
            status = self.exchange(*self.request())
            self.answers[status] = self.answers.get(status, 0) + 1
            if n % 1000 == 999:
                self.look()

    def request(self):
        random = self.random
        method, path = random.choice(METHODS), random.choice(PATHS)
        while "ID" in path:
            path = path.replace("ID", str(random.choice([self.room, *FOREIGN, "x", "1.5", "%00"])), 1)
        while "Q" in path:
            path = path.replace("Q", random.choice(["1", "x", "-1", "%ff", "%", "a%20b", "%2e%2e%2f", "x" * 3000, "\u00e9", ""]), 1)
        kind, body = self.body()
        heads = [f"Host: {self.node.address}:{self.node.port}", f"Content-Type: {kind}", "Connection: close"]
        if random.random() < 0.6:
            heads += self.me.strip().split("\r\n")
        honest = random.random() < 0.88
        heads += [f"Content-Length: {len(body)}"] if honest else random.choice(self.lies(body))
        if random.random() < 0.15:
            heads.append(random.choice(["Host: other", "X: " + "y" * 20_000, "Accept: */*;q=x", "Cookie: a=b; =; ;;", "Upgrade: websocket",
                                        "Range: bytes=9-1", "If-None-Match: \"x", "Accept-Encoding: gzip;q=2, \x01", "\u00ff: x",
                                        "Authorization: Bearer \u00ff", "Transfer-Encoding: gzip", "Expect: 100-continue"]))
        if random.random() < 0.02:
            heads += [f"H{n}: x" for n in range(300)]
        honest &= not any(head.startswith("Transfer-Encoding") for head in heads)
        version = random.choice(["HTTP/1.1"] * 12 + ["HTTP/1.0", "HTTP/2.0", "HTTP/9", ""])
        sent = "\r\n".join([f"{method} {path} {version}", *heads, "", ""]).encode() + body
        if random.random() < 0.05:
            sent = bytearray(sent)
            sent[random.randrange(len(sent))] = random.randrange(256)
            honest = False
        return bytes(sent), honest

    def lies(self, body):
        """Lengths that aren't so (RFC 9112, section 6)."""
        return [["Content-Length: -1"], ["Content-Length: 5", "Content-Length: 6"], [f"Content-Length: {10**30}"],
                [f"Content-Length: {len(body) + 50}"], ["Transfer-Encoding: chunked"],
                ["Transfer-Encoding: chunked", f"Content-Length: {len(body)}"], []]

    def body(self):
        random = self.random
        good = random.choice([
            {"username": "noise", "password": "x"}, {"content": "Hello", "client_id": "n"}, {"seq": 1}, {"name": "x", "kind": "group"},
            {"user_id": 1}, {"recipient_id": 1, "note": "x"}, {"reason": "x"}, {"email": "x@example.org"}, {"refresh": "x"},
            {"first_name": "x", "last_name": "y", "bio": "z"}, {"member_ids": [1, 2, 3]}, {"code": "123456"}])
        draw = random.random()
        if draw < 0.6:
            return "application/json", self.spoil(good)
        if draw < 0.8:
            pairs = "&".join(f"{key}={value}" for key, value in good.items())
            return "application/x-www-form-urlencoded", pairs.encode() + random.choice([b"", b"&%", b"&=&==&%ff=%00", b"&a" * 3000])
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\\"b.png"\r\n\r\n' + random.randbytes(200)
        return random.choice([("multipart/form-data; boundary=b", part + b"\r\n--b--\r\n"), ("multipart/form-data; boundary=b", part),
                              ("multipart/form-data", part), ("multipart/form-data; boundary=" + "b" * 200, part),
                              ("text/\u00ff", b"x"), ("application/json; charset=utf-7", b"{}")])

    def say(self, method, path, body):
        return self.exchange(f"{method} {path} HTTP/1.1\r\nHost: {self.node.address}:{self.node.port}\r\n{self.me}"
                             f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                             .encode() + body)

    def exchange(self, sent, honest=True):
        """The answer's status; 0 for none, which a request that isn't one may well get. Any 5xx is a fault."""
        answer = b""
        try:
            with socket.create_connection((self.node.address, self.node.port), 20) as line:
                line.settimeout(20)
                line.sendall(sent)
                if not honest:
                    # There is no more to come, whatever the length said.
                    line.shutdown(socket.SHUT_WR)
                while len(answer) < 12 and (part := line.recv(4096)):
                    answer += part
        except TimeoutError:
            self.trial.wrong.append(f"no answer and no end: {sent[:200]!r}")
        except OSError:
            pass
        status = int(answer[9:12]) if answer[9:12].isdigit() else 0
        if status >= 500:
            self.trial.wrong.append(f"{status} to {sent[:300]!r}")
        return status

    # --- between -----------------------------------------------------------------------------------------------------

    def look(self):
        """It answers, and the noise is still logged in; otherwise as somebody new."""
        if self.node.has_ended() or self.node.get("/up", 20)[0] != 200:
            raise Failed(f"the server doesn't answer any more: {self.node.tail(800)}")
        if self.say("GET", "/api/v1/auth/me", b"") != 200:
            self.me = register(self.node, f"noise{time.monotonic_ns() % 10**9}")

    def end(self):
        for at, socket in enumerate(self.sockets):
            if socket is not None:
                self.let_go(at)
