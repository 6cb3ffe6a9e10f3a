"""What a machine gives runs out or moves: a reader's patience, the disk, the clock."""
import os, resource, shutil, signal, struct, subprocess, threading, time

from processes import Failed
from sockets import Socket, sign_in
from trial import Trial

# Of frames kept for readers that are behind, a node has some MiB a room, whatever their number.
BEHIND = 64 << 20


def slow_readers(suite):
    """Sockets that read nothing for a while, and some that read too slowly: they are closed with 1013 and resume, memory is
    bounded, others aren't delayed."""
    load = ("--rooms", "1", "--rest", "0", "--length", "3900", "--listeners", "6")
    with Trial(suite, load=load) as trial:
        node, room = trial.nodes[0], trial.load.next_state()["rooms"][0]
        me = sign_in(node, "admin")
        stuck, slow = ([Socket(node, me, f"/ws/chat/{room}", buffer=4096) for _ in range(count)]
                       for count in (suite.of(6, 20), suite.of(3, 10)))
        over, most = threading.Event(), 0
        readers = [threading.Thread(target=dawdle, args=(socket, over)) for socket in slow]
        for reader in readers:
            reader.start()
        try:
            goal = trial.load.state["acknowledged"] + beyond_all_buffers()
            while trial.load.next_state()["acknowledged"] < goal:
                most = max(most, node.resident())
        finally:
            over.set()
        for socket in stuck:
            socket.read_to_the_end()
        for reader in readers:
            reader.join()
        codes = {socket.code for socket in stuck + slow}
        if codes != {1013}:
            trial.wrong.append(f"readers that are behind were closed with {codes}")
        if most > trial.before[node] * 1.5 + BEHIND:
            trial.wrong.append(f"memory grew from {trial.before[node] >> 20} to {most >> 20} MiB")
        for socket in stuck + slow:
            resume(trial, node, me, room, socket.rev)
        trial.notes.append(f"{len(stuck)} that read nothing and {len(slow)} slow ones closed with 1013 and resumed; memory "
                           f"at most {most >> 20} MiB, {trial.before[node] >> 20} before")
        trial.expect_away(0)
        trial.expected.append(lambda report: report["told"]["p99_us"] > 5_000_000 and
                              f"others heard late: {report['told']}")
        return trial.row("readers that don't read")


def beyond_all_buffers():
    """How many of those messages (some 8 KB each as frames) are more than the system and the server keep for a reader."""
    with open("/proc/sys/net/ipv4/tcp_wmem") as limits:
        most = int(limits.read().split()[2])
    return (min(most, 16 << 20) + (6 << 20)) // 8000


def dawdle(socket, over):
    """Reads a little, now and then; in the end all there is."""
    while not over.is_set() and socket.read(16384):
        time.sleep(0.1)
    socket.read_to_the_end()


def resume(trial, node, me, room, rev):
    """Who was let go comes back with the revision it has, and gets what follows it or is told of a gap."""
    socket = Socket(node, me, f"/ws/chat/{room}?after={rev}")
    said = socket.until("synced")
    revs = [frame["rev"] for frame in said if frame["type"] == "message"]
    gap = [frame for frame in said if frame["type"] == "gap"]
    if gap and gap[0]["from"] != rev + 1 or not gap and revs != list(range(rev + 1, rev + 1 + len(revs))):
        trial.wrong.append(f"after revision {rev} came {revs[:3]} or {gap}")
    socket.close()


def full_disk(suite):
    """No room on the disk: posts are refused, none is half kept, and it goes on when there is room again."""
    folder = suite.new_folder("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs", folder], capture_output=True)
    suite.mounted += [folder] if mounted.returncode == 0 else []
    # A server that can't write on is told so by an error, not ended by a signal.
    ignore = None if suite.mounted else lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Trial(suite, folder=folder, preexec=ignore) as trial:
        node, way = trial.nodes[0], "tmpfs" if suite.mounted else "RLIMIT_FSIZE"
        for _ in range(suite.of(1, 3)):
            trial.steady()
            refused = trial.load.state["refused"]
            fill = fill_disk(folder) if suite.mounted else limit_files(node, trial.folder)
            try:
                trial.load.wait(60, "posts are refused", lambda state: state["refused"] > refused + 20)
            finally:
                trial.mark()
                fill()
            trial.recovered()
        trial.steady()
        trial.expect_away(0)
        return trial.row(f"full disk ({way})")


def fill_disk(folder):
    """Fills it to the last byte; what makes room again."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                pass
    return lambda: os.remove(path)


def limit_files(node, folder):
    """No file of the server's may grow beyond what its log has now; what ends that."""
    size = os.path.getsize(f"{folder}/switchboard.db-wal")
    no_limit = resource.RLIM_INFINITY
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size, no_limit))
    return lambda: resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (no_limit, no_limit))


def clock(suite):
    """The time of day jumps an hour ahead, two back, and home again: nothing comes in another order."""
    compiler = shutil.which("cc")
    if not compiler:
        return suite.skip("needs a C compiler, for the library that moves a process's clock")
    folder = suite.new_folder("clock")
    source, library, moved = (os.path.join(part, name) for part, name in
                              ((os.path.dirname(__file__), "clock.c"), (folder, "clock.so"), (folder, "moved")))
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    set_clock(moved, 0)
    with Trial(suite, environment={"LD_PRELOAD": library, "MOVED_CLOCK": moved}) as trial:
        for hours in (1, -1, 0):
            set_clock(moved, hours * 3600)
            trial.mark()
            trial.recovered()
            trial.steady()
            trial.all_hear()
            said = trial.last_message()["timestamp"]
            expected = time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() + hours * 3600))
            if said[:13] != expected and time.gmtime().tm_min not in (0, 59):
                raise Failed(f"the clock wasn't moved: a message is from {said}, {expected} was expected")
        trial.expect_away(0)
        return trial.row("clock an hour ahead, an hour back, and right again")


def set_clock(path, seconds):
    """In place: the file is mapped."""
    with open(path, "r+b" if os.path.exists(path) else "wb", buffering=0) as file:
        file.write(struct.pack("=q", seconds))
