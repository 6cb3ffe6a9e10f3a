//! What a process costs: CPU and memory of the server from `/proc`, and this one's own limits.

use std::collections::BTreeMap;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Fault;

/// Takes as many open files as the system lets this process have.
pub fn raise_file_limit() -> Result<(), Fault> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// How many sockets may be open at once here.
pub fn file_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A moment, with the CPU that server and generator have used up to it.
pub struct Mark {
    at: Instant,
    server: Option<Used>,
    own: Used,
}

/// What lies between two marks: seconds of time, and of CPU.
#[derive(Clone, Copy)]
pub struct Span {
    pub seconds: f64,
    pub server: Option<f64>,
    pub own: f64,
}

#[derive(Default)]
struct Used {
    /// Nanoseconds of each thread: exact, but a thread that ends takes its share along.
    threads: BTreeMap<u32, u64>,
    /// Of the whole process, in steps of 10 ms.
    whole: f64,
}

impl Mark {
    pub fn now(pid: Option<u32>) -> Self {
        let own = Used::read("/proc/self");
        Self { server: pid.map(|pid| Used::read(&format!("/proc/{pid}"))), own, at: Instant::now() }
    }

    pub fn until(&self, later: &Self) -> Span {
        Span {
            seconds: later.at.duration_since(self.at).as_secs_f64(),
            server: self.server.as_ref().zip(later.server.as_ref()).map(|(from, to)| from.until(to)),
            own: self.own.until(&later.own),
        }
    }
}

impl Used {
    fn read(process: &str) -> Self {
        let mut used = Self::default();
        for task in std::fs::read_dir(format!("{process}/task")).into_iter().flatten().flatten() {
            let id: Option<u32> = task.file_name().to_str().and_then(|name| name.parse().ok());
            let spent = std::fs::read_to_string(task.path().join("schedstat")).ok();
            let spent = spent.and_then(|text| text.split(' ').next()?.parse().ok());
            used.threads.extend(id.zip(spent));
        }
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        // The name, in brackets, may hold anything; user and system time are the 12th and 13th after it.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        used.whole = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0;
        used
    }

    fn until(&self, later: &Self) -> f64 {
        let none_ended = self.threads.keys().all(|id| later.threads.contains_key(id));
        if none_ended && !later.threads.is_empty() {
            let of = |used: &Self| used.threads.values().sum::<u64>();
            return (of(later) - of(self)) as f64 / 1e9;
        }
        later.whole - self.whole
    }
}

/// Resident bytes of a process.
pub fn resident(pid: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
