//! The program as its own process: started, asked, killed.

use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedReceiver;

use super::app::{Database, Engine};

/// A serving process over a database of its own.
pub struct Process {
    pub base: String,
    /// The first lines, up to the one that says where the site is, and the setup link if there is one.
    pub said: Vec<String>,
    child: Child,
    /// What it writes after those.
    log: UnboundedReceiver<String>,
    pub database: Database,
}

fn command(database: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command
        .env_clear()
        .env("DATABASE_URL", &database.url)
        .current_dir(database.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the program to its end in `database`'s folder, with `input` on standard input.
pub async fn run(database: &Database, arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = command(database);
    command.args(arguments).stdin(Stdio::piped()).envs(environment.iter().copied().collect::<HashMap<_, _>>());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    child.wait_with_output().await.unwrap()
}

/// What a run printed on standard output, and on standard error.
pub fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Process {
    pub async fn serve(engine: Engine) -> Self {
        Self::over(Database::new(engine).await, "127.0.0.1:0").await
    }

    pub async fn over(database: Database, bind: &str) -> Self {
        Self::with(database, bind, &[]).await
    }

    /// One with more in its environment.
    pub async fn with(database: Database, bind: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = command(&database);
        command.env("BIND", bind).env("MESSAGE_RATE", "off").envs(environment.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let base = loop {
            let line = lines.next_line().await.unwrap().expect("it serves");
            said.push(line.clone());
            if let Some(base) = line.strip_prefix("Switchboard is at ") {
                break base.to_owned();
            }
        };
        // The rest is read as it comes, so that the pipe never fills.
        let (rest, log) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = rest.send(line);
            }
        });
        let mut process = Self { base, said, child, log, database };
        if process.is_fresh().await {
            while process.said.iter().all(|line| !line.contains("/setup?token=")) {
                let line = process.log.recv().await.unwrap();
                process.said.push(line);
            }
        }
        process
    }

    /// Whether nobody is registered: then two more lines say how to begin.
    async fn is_fresh(&self) -> bool {
        let list = run(&self.database, &["user", "list"], "", &[]).await;
        texts(&list).0.lines().count() == 1
    }

    /// Everything it writes up to the line that says this; fails when it never does.
    pub async fn logs(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let reading = async {
            while let Some(line) = self.log.recv().await {
                lines.push(line);
                if lines.last().unwrap().contains(text) {
                    return true;
                }
            }
            false
        };
        let said = tokio::time::timeout(Duration::from_secs(30), reading).await;
        assert!(
            said == Ok(true),
            "it never said “{text}” ({}): {lines:#?}",
            if said.is_ok() { "it ended" } else { "in time" }
        );
        lines
    }

    /// The token of the setup link.
    pub fn setup_token(&self) -> &str {
        self.said.iter().find_map(|line| line.split_once("/setup?token=")).unwrap().1
    }

    pub async fn kill_9(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// The same site again, at the same address.
    pub async fn again(self) -> Self {
        let Self { base, database, .. } = self;
        Self::over(database, base.strip_prefix("http://").unwrap()).await
    }

    /// Asks the process to go, as a service manager does, and waits for it: its exit code.
    pub async fn terminate(&mut self) -> i32 {
        let pid = self.child.id().unwrap().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        self.child.wait().await.unwrap().code().unwrap()
    }
}
