"""A PostgreSQL cluster and a Redis of one's own, to stop and to start again; gone afterwards."""
import glob, os, pwd, shutil, socket, subprocess

from processes import Failed, free_port, running, wait


def postgres_bin():
    """The folder of the newest PostgreSQL's programs, or None."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]), reverse=True)
    if shutil.which("pg_config"):
        folders.insert(0, subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip())
    if shutil.which("initdb"):
        folders.append(os.path.dirname(shutil.which("initdb")))
    return next((folder for folder in folders if os.path.exists(f"{folder}/initdb")), None)


class Postgres:
    """One cluster, durable as it comes, with checksums on its pages."""

    def __init__(self, folder):
        self.bin, self.folder, self.port, self.made = postgres_bin(), os.path.join(folder, "postgres"), free_port(), 0
        os.mkdir(self.folder)
        # initdb refuses to run as root.
        self.owner = {}
        if os.getuid() == 0:
            account = next((name for name in ("postgres", "nobody") if has_account(name)), "nobody")
            entry = pwd.getpwnam(account)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.owner = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chmod(self.folder, 0o755)
        self.run("initdb", "-D", f"{self.folder}/data", "-U", "switchboard", "-A", "trust", "-E", "UTF8", "--no-sync", "-k")
        self.start()
        running.append(self)

    def run(self, program, *arguments, check=True):
        # With a file in place of a pipe: the server would keep a pipe open and this would never end.
        with open(os.path.join(self.folder, "said"), "w+") as said:
            done = subprocess.run([f"{self.bin}/{program}", *arguments], cwd=self.folder, stdout=said, stderr=said,
                                  stdin=subprocess.DEVNULL, env=os.environ | {"HOME": self.folder}, **self.owner)
            said.seek(0)
            text = said.read()
        if check and done.returncode:
            raise Failed(f"{program}: {text.strip()[-500:]}")
        return text

    def start(self, wait_until_up=True):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w" if wait_until_up else "-W",
                 "-t", "120", "start", "-o",
                 f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c max_connections=200 -c shared_buffers=64MB")

    def stop(self, mode):
        """`fast` ends connections in good order, `immediate` as a crash would."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", mode, "-w", "-t", "120", "stop")

    def new_database(self):
        self.made += 1
        self.run("createdb", "-h", self.folder, "-p", str(self.port), "-U", "switchboard", f"site{self.made}")
        return f"site{self.made}"

    def url(self, database, by_file=False):
        """By the socket's file it is reached from other network namespaces, too."""
        if by_file:
            return f"postgres://switchboard@localhost:{self.port}/{database}?host={self.folder}"
        return f"postgres://switchboard@127.0.0.1:{self.port}/{database}"

    def query(self, database, question):
        """Rows of texts."""
        said = self.run("psql", "-qAt", "-F", "\t", "-h", self.folder, "-p", str(self.port), "-U", "switchboard", "-v",
                        "ON_ERROR_STOP=1", "-c", question, database)
        return [tuple(line.split("\t")) for line in said.splitlines()]

    def wrong(self, database):
        """What is damaged in its tables and indexes: read in full, by pg_amcheck where the extension is there."""
        tables = self.query(database, "select format('%I', relname) from pg_class where relkind = 'r' and "
                                      "relnamespace = 'public'::regnamespace")
        for table, in tables:
            self.query(database, f"select count(*), count(t::text) from {table} t")
        have = self.query(database, "select count(*) from pg_available_extensions where name = 'amcheck'")
        if have == [("0",)]:
            return []
        self.query(database, "create extension if not exists amcheck")
        said = self.run("pg_amcheck", "-h", self.folder, "-p", str(self.port), "-U", "switchboard", "--heapallindexed",
                        database, check=False)
        return [said.strip()[-500:]] if said.strip() else []

    def end(self):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop", check=False)


def has_account(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False


class Redis:
    """One that keeps nothing, at one or more addresses."""

    def __init__(self, folder, addresses=("127.0.0.1",)):
        self.folder, self.addresses, self.port = folder, addresses, free_port(addresses[0])
        self.process, self.given = None, 0
        running.append(self)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", *self.addresses, "--port", str(self.port), "--save", "", "--appendonly", "no", "--dir",
             self.folder, "--databases", "64", "--protected-mode", "no"], stdout=subprocess.DEVNULL)
        wait(20, "Redis answers", self.answers)

    def answers(self):
        try:
            with socket.create_connection((self.addresses[0], self.port), 1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def new_database(self):
        self.given += 1
        return self.given

    def url(self, database, reader=0):
        """As the `reader`th of those who use it reaches it."""
        return f"redis://{self.addresses[reader % len(self.addresses)]}:{self.port}/{database}"

    def end(self):
        self.stop()
