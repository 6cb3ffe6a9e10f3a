//! The binary: reads the command line and calls one function a command. A failure is one line on standard error.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use switchboard::cli;

/// Against the system's: 15 % less CPU for a page made anew, 19 % for one that is kept; jemalloc: 4 and 15 %. Each takes
/// some 2.5 MB more when idle. One round each, preloaded into one binary, on one core. It is SQLite's, too (`override`): a
/// post takes 5 % less, alone 8 %. Without huge pages (`no_thp`) 10 MB less are taken when idle; for no more CPU on a quiet
/// machine, and for a tenth more on one that is shared with busy neighbours.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let (command, sources) = cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("switchboard: the runtime can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(cli::run(command, &sources));
    // What its tasks say last is written, too.
    drop(runtime);
    switchboard::log::flush();
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}
