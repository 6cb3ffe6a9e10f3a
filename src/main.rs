//! The binary: reads the command line and calls one function a command. A failure is one line on standard error.

use std::process::ExitCode;

use switchboard::cli;

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
    switchboard::log::flush();
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}
