"""Processes that end, stop or are replaced while people talk."""
import signal, time

from trial import Trial


def kill(suite, database):
    """kill -9 under load, again and again; each time the process is started again at once."""
    with Trial(suite, database=database) as trial:
        node, times = trial.nodes[0], suite.of(3, 10)
        for _ in range(times):
            trial.steady()
            node.kill()
            trial.mark()
            node.start()
            trial.recovered()
            trial.weigh(node)
        trial.steady()
        return trial.row(f"kill -9, {times} times")


def kill_sqlite(suite):
    return kill(suite, "SQLite")


def kill_postgres(suite):
    return kill(suite, "PostgreSQL")


def node_loss(suite):
    """kill -9 of one node of two: its people go on at the other, with the revision they have."""
    with Trial(suite, nodes=2, database="PostgreSQL", redis=suite.redis) as trial:
        times = suite.of(2, 6)
        for n in range(times):
            node = trial.nodes[n % 2]
            trial.steady()
            node.kill()
            trial.mark()
            trial.recovered()
            trial.steady()
            node.start()
            trial.weigh(node)
        trial.all_hear()
        return trial.row(f"node lost (kill -9), {times} times")


def frozen(suite):
    """A node that stands still and goes on: who listens there stays and gets all of it in the end."""
    seconds = suite.of(3, 10)
    with Trial(suite, nodes=2, database="PostgreSQL", redis=suite.redis, load=("--patience", "2")) as trial:
        node = trial.nodes[1]
        node.signal(signal.SIGSTOP)
        time.sleep(seconds)
        node.signal(signal.SIGCONT)
        trial.mark()
        trial.recovered()
        trial.all_hear()
        trial.steady()
        return trial.row(f"node frozen for {seconds} s")


def rolling(suite):
    """One node after the other is told to go, and started again: nobody is away for more than two seconds."""
    with Trial(suite, nodes=2, database="PostgreSQL", redis=suite.redis) as trial:
        rounds = suite.of(1, 3)
        for node in trial.nodes * rounds:
            trial.steady()
            code = node.end()
            if code != 0:
                trial.wrong.append(f"{node.name} ended with {code} on SIGTERM")
            trial.mark()
            node.start()
            trial.recovered()
            trial.weigh(node)
        trial.steady()
        trial.all_hear()
        trial.expect_away(2)
        trial.expect_closed(1012)
        return trial.row(f"rolling restart, {2 * rounds} times", recovery=("away",))
