"""What nodes stand on goes away and comes back: Redis, PostgreSQL, the network between."""
import os, subprocess, time

from processes import Failed, running
from stores import Redis
from trial import Trial

# Seconds that a post in the queue waits for the database; what is refused sooner is refused too soon. Over HTTP the session is
# read first, and a read is refused at once where its connection is cut, so that posts by frames count here.
WAITS = 5


def redis(suite):
    """Redis stops: chat goes on in each node and between them, `/health` says so; and comes back without a restart."""
    with Trial(suite, nodes=2, database="PostgreSQL", redis=suite.redis) as trial:
        suite.redis.stop()
        try:
            without(trial, trial.nodes)
        finally:
            suite.redis.start()
        trial.mark()
        with_it_again(trial)
        trial.expect_away(0)
        trial.expect_closed()
        return trial.row("Redis stopped and started")


def without(trial, nodes):
    for node in nodes:
        _, said = trial.health(node, healthy=False)
        if said.get("redis") is not False or said.get("database") is not True:
            trial.wrong.append(f"/health of {node.name} without Redis: {said}")
    trial.steady()
    trial.notes.append(f"without Redis all heard within {trial.all_hear():.1f} s")


def with_it_again(trial):
    trial.notes.append(f"healthy after {max(trial.health(node, healthy=True)[0] for node in trial.nodes):.1f} s")
    trial.recovered()
    trial.steady()
    trial.all_hear()


def postgres(suite, mode):
    """PostgreSQL is restarted: short, what is posted waits for it; long, it is refused, and sockets stay open."""
    with Trial(suite, database="PostgreSQL") as trial:
        for long in (False, True):
            before, begun = trial.load.state, time.monotonic()
            suite.postgres.stop(mode)
            try:
                if long:
                    trial.load.wait(60, "posts are refused", lambda state: state["refused"] > before["refused"] + 5)
                    trial.health(trial.nodes[0], healthy=False)
            finally:
                trial.mark()
                suite.postgres.start()
            away = time.monotonic() - begun
            trial.recovered()
            if not long and away < WAITS - 1 and trial.load.state["refused_by_frame"] > before["refused_by_frame"]:
                trial.wrong.append(f"posts were refused though PostgreSQL was away for {away:.1f} s only")
            trial.health(trial.nodes[0], healthy=True)
            trial.steady()
        trial.expect_away(0)
        trial.expect_closed()
        return trial.row(f"PostgreSQL restarted ({mode}), at once and after posts were refused")


def postgres_fast(suite):
    return postgres(suite, "fast")


def postgres_immediate(suite):
    return postgres(suite, "immediate")


def proof(suite):
    """The suite itself: a message that somebody takes out of the database must be missed, or no row means anything."""
    with Trial(suite, database="PostgreSQL", load=("--writers", "4", "--listeners", "3")) as trial:
        suite.postgres.query(trial.name, "delete from messages where id = (select id from messages order by id desc offset 20 limit 1)")
        row = trial.row("a message taken out by hand, which must be missed")
        missed = row["lost"] == 1 and any("last_seq" in words for words in row["wrong"])
        return {"wrong": [] if missed else [f"the suite doesn't see a lost message: {row}"], "hidden": True}


class Networks:
    """A network for each node: one way for its clients, another to Redis. `unplug` takes the second away, without a word
    to either side, as a broken switch would."""

    def __init__(self, count):
        self.tag, self.folder = f"swb{os.getpid() % 10000}", ""
        self.names = [f"{self.tag}-{n}" for n in range(count)]
        running.append(self)
        for n, name in enumerate(self.names):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            for way, net in (("c", 1), ("r", 101)):
                here, there = f"{self.tag}{way}{n}", f"{self.tag}{way}{n}p"
                ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
                ip("addr", "add", f"10.213.{net + n}.1/30", "dev", here)
                ip("-n", name, "addr", "add", f"10.213.{net + n}.2/30", "dev", there)
                ip("link", "set", here, "up")
                ip("-n", name, "link", "set", there, "up")

    def places(self):
        return [(f"10.213.{1 + n}.2", ("ip", "netns", "exec", name)) for n, name in enumerate(self.names)]

    def redis(self):
        return [f"10.213.{101 + n}.1" for n in range(len(self.names))]

    def plug(self, n, state):
        ip("link", "set", f"{self.tag}r{n}", state)

    def end(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        if self in running:
            running.remove(self)


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def network(suite):
    """The way from a node to Redis is cut, then from both, each time silently."""
    try:
        networks = Networks(2)
    except (Failed, FileNotFoundError) as error:
        return suite.skip(f"needs network namespaces ({error})")
    redis = Redis(suite.new_folder("redis"), networks.redis())
    try:
        with Trial(suite, nodes=2, database="PostgreSQL", places=networks.places(), redis=redis) as trial:
            for cut in ([0], [0, 1]):
                for n in cut:
                    networks.plug(n, "down")
                without(trial, [trial.nodes[n] for n in cut])
                for n in cut:
                    networks.plug(n, "up")
                trial.mark()
                with_it_again(trial)
            trial.expect_away(0)
            trial.expect_closed()
            return trial.row("network to Redis cut, for one node, then for both")
    finally:
        redis.end()
        running.remove(redis)
        networks.end()
