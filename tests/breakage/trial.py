"""One fault's trial: a new site of one or more nodes, load that goes on, and what must be so afterwards."""
import json, os, sqlite3, subprocess, threading, time

from processes import Failed, Program, free_port, running, wait
from sockets import PASSWORD, ask, sign_in

# What memory may have grown to since load began: half as much again, and what a debug build's allocator keeps.
GROWTH, SLACK = 1.5, 48 << 20
# Until everything is as before. Long, for slow machines: how long it took is what the table says.
PATIENCE = 60


class Trial:
    """A site under load. `nodes` processes over one database; `load` are arguments of the generator's."""

    def __init__(self, suite, nodes=1, database="SQLite", redis=None, load=(), folder=None, environment=None, places=None,
                 preexec=None):
        self.suite, self.database = suite, database
        self.notes, self.wrong, self.expected = [], [], []
        self.folder = folder or suite.new_folder("site")
        self.environment = {
            "API": "true", "MESSAGE_RATE": "off", "LOGIN_RATE": "off", "RUST_LOG": "info,sqlx=error",
            "SECRET_KEY": "faults-" + "k" * 40, "UPLOAD_DIR": f"{self.folder}/uploads",
            "DATABASE_URL": self.database_url(places)} | (environment or {})
        given = redis and redis.new_database()
        if redis:
            self.environment |= {"REDIS_URL": redis.url(given)}
        subprocess.run([suite.binary, "user", "add", "admin", "--email", "admin@example.org", "--role", "admin",
                        "--password-stdin"], cwd=self.folder, env=os.environ | self.environment, check=True, input=PASSWORD,
                       text=True, capture_output=True)
        self.nodes = [self.node(n, *(places[n] if places else ("127.0.0.1", ())), preexec) for n in range(nodes)]
        self.base = f"http://{self.nodes[0].address}:{self.nodes[0].port}"
        for n, node in enumerate(self.nodes):
            node.environment |= {"BASE_URL": self.base} | ({"REDIS_URL": redis.url(given, n)} if redis else {})
            node.start()
        self.load = Load(suite, self.nodes, load)
        self.marks, self.before = 0, {}

    def database_url(self, places):
        if self.database == "SQLite":
            return f"sqlite://{self.folder}/switchboard.db"
        self.name = self.suite.postgres.new_database()
        return self.suite.postgres.url(self.name, by_file=bool(places))

    def node(self, number, address, prefix, preexec):
        folder = os.path.join(self.folder, f"node{number}")
        os.makedirs(folder, exist_ok=True)
        # The port is tried here, in another network perhaps; a collision there is unlikely.
        port = free_port()
        return Program([self.suite.binary, "--bind", f"{address}:{port}"], folder, self.environment,
                       f"node {number}", address, port, prefix, preexec)

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.load.end()
        for node in self.nodes:
            if node in running:
                node.end()

    def begin(self):
        """Until the load is under way; what memory is weighed against."""
        self.steady()
        self.load.counts()
        for node in self.nodes:
            self.weigh(node)

    # --- while it goes on ------------------------------------------------------------------------------------------

    def steady(self, count=None):
        """Waits for so many acknowledgements more, with every listener live."""
        goal = self.load.state["acknowledged"] + (count or self.suite.of(60, 250))
        self.load.wait(PATIENCE, f"{goal} acknowledgements and all listeners live", lambda state:
                       state["acknowledged"] >= goal and state["live"] == self.load.listeners)

    def weigh(self, node):
        """A node was started anew: its memory is weighed against what it is now."""
        self.before[node] = node.resident()

    def mark(self):
        """The fault is over: recovery is timed from here."""
        self.marks += 1
        self.load.say("mark")

    def recovered(self):
        """Waits until every writer was answered since the mark, and every listener is live."""
        self.load.wait(PATIENCE, "all writers answered and all listeners live", lambda state:
                       state["marks"] == self.marks and state["back"])

    def all_hear(self, patience=20):
        """Waits until every listener has what is acknowledged by now; the seconds it took."""
        begun, last = time.monotonic(), self.load.next_state()["last"]
        self.load.wait(patience, "all listeners have what was acknowledged", lambda state:
                       all(had >= owed for had, owed in zip(state["had"], last)))
        return time.monotonic() - begun

    def health(self, node, healthy, patience=20):
        """Waits until `/health` of a node says so; the seconds it took, and what it says."""
        begun = time.monotonic()
        status = 200 if healthy else 503
        said = wait(patience, f"/health of {node.name} says {status}",
                    lambda: (lambda answer: answer[1] if answer[0] == status else None)(node.get("/health")))
        return time.monotonic() - begun, json.loads(said)

    def last_message(self):
        """Of the first room, as the API tells it."""
        room = self.load.next_state()["rooms"][0]
        _, _, said = ask(self.nodes[0], "GET", f"/api/v1/chat/rooms/{room}/messages?limit=1", None, sign_in(self.nodes[0], "admin"))
        return json.loads(said)["messages"][0]

    # --- afterwards ------------------------------------------------------------------------------------------------

    def expect_away(self, seconds):
        """No listener that was live may have been away for longer."""
        self.expected.append(lambda report: report["away_ms"] > seconds * 1000 and
                             f"a listener was away for {report['away_ms'] / 1000:.1f} s, {seconds} s are allowed")

    def expect_closed(self, *codes):
        """Sockets may be closed with these codes only."""
        self.expected.append(lambda report: set(report["closed"]) - {str(code) for code in codes} and
                             f"sockets were closed with {report['closed']}")

    def row(self, fault, recovery=("first", "every")):
        """Ends it: the fault's row in the table. `recovery`: which times it shows."""
        report, wrong = self.end()
        count = {what: sum(report[where].get(key, 0) for where in ("heard", "audit") for key in keys)
                 for what, keys in (("lost", ("lost", "missed")), ("doubled", ("doubled",)))}
        first, every = ([mark[key] for mark in report["marks"]] for key in ("first_ms", "all_ms"))
        return {"fault": fault, "database": self.database, "load": self.load.words(report),
                "acknowledged": report["acknowledged"], "refused": report["refused"], **count,
                "first": max((ms for ms in first if ms is not None), default=None),
                "every": max((ms for ms in every if ms is not None), default=None),
                "away": report["away_ms"], "recovery": recovery, "notes": self.notes, "wrong": wrong}

    def end(self):
        """Ends load and site and looks at what they leave: the report, and what is wrong."""
        report = self.load.stop()
        wrong = self.wrong + [words for words in (expected(report) for expected in self.expected) if words]
        wrong += [f"{count} messages {what} ({where})" for where in ("heard", "audit") for what, count in
                 report[where].items() if count and what in ("lost", "doubled", "reordered", "damaged", "missed", "holes")]
        wrong += [f"{count} × {what}" for what, count in report["unexpected"].items()]
        if report["audit"]["targets"] < len(self.nodes):
            wrong.append(f"only {report['audit']['targets']} of {len(self.nodes)} nodes answered in the end")
        for node in self.nodes:
            wrong += self.look_at(node)
        checked = subprocess.run([self.suite.binary, "check"], cwd=self.folder, env=os.environ | self.environment,
                                 capture_output=True, text=True)
        if checked.returncode:
            wrong.append("switchboard check: " + " ".join(line for line in checked.stdout.splitlines() if "FAULT" in line))
        for node in self.nodes:
            code = node.end()
            if code != 0:
                wrong.append(f"{node.name} ended with {code} on SIGTERM")
        return report, wrong + self.damage()

    def look_at(self, node):
        """What a node keeps of people who are gone."""
        wrong = []
        if node.has_ended():
            return [f"{node.name} is gone: {node.tail(500)}"]
        try:
            wait(15, "", lambda: not node.connections())
        except Failed:
            wrong.append(f"{node.name} keeps {node.connections()} connections of clients that are gone")
        bound = self.before[node] * GROWTH + SLACK
        try:
            wait(15, "", lambda: node.resident() <= bound)
        except Failed:
            wrong.append(f"{node.name} has {node.resident() >> 20} MiB of memory, {self.before[node] >> 20} when load began")
        with open(node.log, errors="replace") as log:
            wrong += [f"{node.name} wrote: {line.strip()[:300]}" for line in log if "panicked at" in line][:3]
        return wrong

    def damage(self):
        """What the database itself says, with nobody at it."""
        questions = {
            "rooms whose numbers aren't 1 to last_seq":
                "select count(*) from rooms r where r.last_seq <> (select count(*) from messages m where m.room_id = r.id) "
                "or r.last_seq <> (select coalesce(max(seq), 0) from messages m where m.room_id = r.id)",
            "rooms whose revisions go beyond last_rev":
                "select count(*) from rooms r where r.last_rev < (select coalesce(max(rev), 0) from messages m "
                "where m.room_id = r.id) or r.last_rev < r.last_seq",
            "revisions that stand twice":
                "select count(*) from (select 1 from messages group by room_id, rev having count(*) > 1) t",
            "messages that stand twice":
                "select count(*) from (select 1 from messages where client_id is not null "
                "group by room_id, sender_id, client_id having count(*) > 1) t",
        }
        if self.database != "SQLite":
            found = {what: self.suite.postgres.query(self.name, question)[0][0] for what, question in questions.items()}
            return [f"{count} {what}" for what, count in found.items() if count != "0"] + self.suite.postgres.wrong(self.name)
        with sqlite3.connect(f"{self.folder}/switchboard.db") as database:
            sound = database.execute("pragma integrity_check").fetchall()
            broken = database.execute("pragma foreign_key_check").fetchall()
            found = {what: database.execute(question).fetchone()[0] for what, question in questions.items()}
        database.close()
        wrong = [f"{count} {what}" for what, count in found.items() if count]
        wrong += [] if sound == [("ok",)] else [f"integrity_check: {sound[:3]}"]
        return wrong + ([f"foreign_key_check: {broken[:3]}"] if broken else [])


class Load:
    """The generator's scenario `endure`, and what it says of itself."""

    def __init__(self, suite, nodes, arguments):
        options = {"--writers": "12", "--listeners": "18", "--rooms": "3"} | dict(zip(arguments[::2], arguments[1::2]))
        self.writers, self.listeners, self.rooms = (int(options[f"--{name}"]) for name in ("writers", "listeners", "rooms"))
        base = [f"http://{node.address}:{node.port}" for node in nodes]
        command = [suite.generator, "endure", "--target", base[0], "--as", f"admin:{PASSWORD}", "--accounts", "6"]
        command += [part for url in base[1:] for part in ("--also", url)]
        self.process = subprocess.Popen(command + [part for pair in options.items() for part in pair], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.news, self.count = threading.Condition(), 0
        self.state, self.report = {"acknowledged": 0, "live": 0, "marks": 0, "back": False, "last": [], "had": []}, None
        running.append(self)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            with self.news:
                said = json.loads(line)
                if "scenario" in said:
                    self.report = said
                else:
                    self.state, self.count = said, self.count + 1
                self.news.notify_all()

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def wait(self, seconds, what, until):
        with self.news:
            if not self.news.wait_for(lambda: until(self.state) or self.process.poll() is not None, seconds):
                raise Failed(f"not within {seconds} s: {what}; it stands at {self.state}")
        if self.process.poll() is not None:
            raise Failed(f"the generator ended: {self.process.stderr.read()[-500:]}")

    def next_state(self):
        """How it goes from now on."""
        count = self.count
        self.wait(10, "a word of the generator's", lambda _: self.count > count)
        return self.state

    def counts(self):
        """From here its pace is measured."""
        self.begun, self.base = time.monotonic(), self.state["acknowledged"]

    def stop(self):
        self.seconds = time.monotonic() - self.begun
        self.say("stop")
        try:
            self.process.wait(150)
        except subprocess.TimeoutExpired:
            raise Failed("the generator doesn't end")
        wait(10, "the generator's report", lambda: self.report)
        return self.report

    def end(self):
        if self in running:
            running.remove(self)
            self.process.kill()
            self.process.wait()

    def words(self, report):
        each = f", {self.rooms} rooms" if self.rooms > 1 else ""
        return f"{self.writers} writers, {self.listeners} listeners{each}; {(report['acknowledged'] - self.base) / self.seconds:.0f} posts/s"
