//! Lines of the log that are gathered for a moment and written in one go: a line for each request would cost a system call
//! each. Warnings and errors are written at once, with what was said before them; the rest at most [`PAUSE`] later. Called
//! by `log.rs`.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

const PAUSE: Duration = Duration::from_millis(50);
/// Bytes that wait for no pause.
const MOST_WAITING: usize = 64 * 1024;

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub struct Batched(Arc<Shared>);

struct Shared {
    lines: Mutex<Vec<u8>>,
    waiting: Condvar,
    /// Held while lines are taken and written, so that they keep their order.
    out: Mutex<Out>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    /// Room for lines, while others are written.
    spare: Vec<u8>,
}

/// One line's way in.
pub struct Line<'a> {
    shared: &'a Shared,
    is_urgent: bool,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Batched {
    /// Starts the thread that writes to `out`. Errors: the system has no thread left.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let out = Out { writer: Box::new(out), spare: Vec::new() };
        let batched = Self(Arc::new(Shared { lines: Mutex::default(), waiting: Condvar::new(), out: Mutex::new(out) }));
        let writer = batched.clone();
        thread::Builder::new().name("log".into()).spawn(move || writer.0.run())?;
        Ok(batched)
    }

    /// Writes what waits. A log that can't be written to loses it: there is nowhere to say so.
    pub fn flush(&self) {
        self.0.flush();
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let lines = held(&self.lines);
            drop(self.waiting.wait_while(lines, |lines| lines.is_empty()).unwrap_or_else(PoisonError::into_inner));
            thread::sleep(PAUSE);
            self.flush();
        }
    }

    fn flush(&self) {
        let mut out = held(&self.out);
        let Out { writer, spare } = &mut *out;
        std::mem::swap(spare, &mut *held(&self.lines));
        let _ = writer.write_all(spare).and_then(|()| writer.flush());
        spare.clear();
        spare.shrink_to(2 * MOST_WAITING);
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = held(&self.shared.lines);
        let was_empty = lines.is_empty();
        lines.extend_from_slice(line);
        let is_full = lines.len() >= MOST_WAITING;
        drop(lines);
        if self.is_urgent || is_full {
            self.shared.flush();
        } else if was_empty {
            self.shared.waiting.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Batched {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.0, is_urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { shared: &self.0, is_urgent: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            held(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_keep_their_order_and_an_urgent_one_takes_those_before_it_along() {
        let paper = Paper::default();
        let log = Batched::start(paper.clone()).unwrap();
        Line { shared: &log.0, is_urgent: false }.write_all(b"one\n").unwrap();
        Line { shared: &log.0, is_urgent: true }.write_all(b"two\n").unwrap();
        assert_eq!(held(&paper.0).as_slice(), b"one\ntwo\n");
        Line { shared: &log.0, is_urgent: false }.write_all(b"three\n").unwrap();
        log.flush();
        assert_eq!(held(&paper.0).as_slice(), b"one\ntwo\nthree\n");
    }
}
