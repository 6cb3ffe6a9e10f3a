"""Programs that serve while something is tried or measured: started, waited for, asked, ended. Nothing that was started here
is left running. Used by benches/compare and tests/faults."""
import atexit, os, re, shutil, signal, socket, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
running = []


class Failed(Exception):
    """What didn't come true, in words."""


def clean_up_at_exit(folder, last=lambda: None, keep=False):
    """Whatever ends this process: ends what runs, calls `last`, removes the folder or says where it is."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))

    def clean():
        for program in reversed(list(running)):
            program.end()
        if keep:
            print(f"Kept in {folder}", file=sys.stderr)
            return
        last()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(clean)


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def wait(seconds, what, until, pause=0.01):
    """Looks again and again until it is so; what it came to."""
    end = time.monotonic() + seconds
    while True:
        found = until()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


class Program:
    """A process that answers HTTP at `address:port`; `up` is how long it took to do so."""

    def __init__(self, command, folder, environment=None, name="server", address="127.0.0.1", port=None, prefix=(),
                 preexec=None):
        self.name, self.folder, self.address, self.port = name, folder, address, port or free_port(address)
        self.command = [*prefix, *(part.replace("PORT", str(self.port)) for part in command)]
        self.environment, self.preexec = os.environ | (environment or {}), preexec
        self.log = os.path.join(folder, "log")
        self.process = None

    def start(self, wait_until_up=True):
        with open(self.log, "ab") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=self.preexec)
        running.append(self)
        if wait_until_up:
            self.wait_until_up()
        self.up = time.monotonic() - begun
        return self

    def wait_until_up(self):
        wait(60, f"{self.name} answers", lambda: self.answers() or self.has_ended(), 0.001)
        if self.has_ended():
            raise Failed(f"{self.name} doesn't start: {self.tail()}")

    def has_ended(self):
        return self.process is None or self.process.poll() is not None

    def answers(self):
        return self.get("/up", 1)[0] == 200

    def get(self, path, patience=10, headers=""):
        """Status and text of an answer; status 0 when there is none."""
        try:
            with socket.create_connection((self.address, self.port), patience) as probe:
                probe.settimeout(patience)
                probe.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.address}:{self.port}\r\n{headers}"
                              "Connection: close\r\n\r\n".encode())
                answer = b""
                while part := probe.recv(65536):
                    answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            return int(head[9:12] or 0), body.decode(errors="replace")
        except (OSError, ValueError):
            return 0, ""

    def tail(self, length=2000):
        with open(self.log, errors="replace") as log:
            return log.read()[-length:]

    def resident(self, what="VmRSS"):
        """Bytes in memory; of those `RssAnon` are what no file holds."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{what}:\s+(\d+)", status.read())[1]) * 1024

    def connections(self):
        """How many connections the process serves: open, or closed by the other side only."""
        with open(f"/proc/{self.process.pid}/net/tcp") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        # `01` and `08` as the kernel says it; others (TIME_WAIT, say) are the kernel's own.
        return sum(int(row[1].split(":")[1], 16) == self.port and row[3] in ("01", "08") for row in rows)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """As a power cut would end it."""
        self.process.kill()
        self.process.wait()
        running.remove(self)

    def end(self, patience=15):
        """Ends it in good order: its exit code, or None when it had to be killed."""
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            # It may be frozen.
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def put_into_readme(name, lines):
    """Puts lines between the two comments of this name."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    path = os.path.join(ROOT, "README.md")
    with open(path) as file:
        before, found, rest = file.read().partition(begin)
    if not found:
        raise Failed(f"README.md has no place for {name}")
    with open(path, "w") as file:
        file.write(before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2])


def machine():
    """The machine in a few words."""
    with open("/proc/cpuinfo") as file:
        processor = re.search(r"model name\s*: (.*)", file.read())
    kernel = os.uname().release.split("-")[0]
    return f"{processor[1] if processor else os.uname().machine}, {os.cpu_count()} cores, Linux {kernel}"
