//! The program's commands and settings, from a shell's point of view.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tokio::io::AsyncBufReadExt;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::process::{Process, run, texts};
use crate::support::program::Program;

async fn add(database: &Database, name: &str, role: &str) {
    let email = format!("{name}@example.org");
    let arguments = ["user", "add", name, "--email", &email, "--role", role, "--password-stdin"];
    let added = run(database, &arguments, &format!("{PASSWORD}\n"), &[]).await;
    assert!(added.status.success(), "{:?}", texts(&added));
}

/// The one line on standard error of a command that failed.
#[track_caller]
fn refusal(output: &std::process::Output) -> String {
    let (_, error) = texts(output);
    assert!(!output.status.success());
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error
}

#[tokio::test]
async fn with_no_settings_at_all_it_serves_keeps_its_data_private_and_prints_the_setup_link() {
    let mut process = Process::serve(Engine::Sqlite).await;
    let link = process.said.iter().find_map(|line| line.trim().strip_prefix(process.base.as_str())).unwrap();
    let path = link.strip_prefix("/setup?token=").map(|token| format!("/setup?token={token}")).unwrap();
    assert_eq!(Visitor::at(&process.base).get(&path).await.status, 200);
    let folder = process.database.folder.path().to_owned();
    let mode = |path: &str| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/secret_key"), mode("test.db")), (0o700, 0o600, 0o600));
    assert_eq!(process.terminate().await, 0);
}

both! {
    async fn accounts_are_made_listed_changed_and_disabled_from_the_command_line(engine: Engine) {
        let process = Process::serve(engine).await;
        let database = &process.database;
        add(database, "ada", "admin").await;
        add(database, "bob", "user").await;
        let list = texts(&run(database, &["user", "list"], "", &[]).await).0;
        assert!(list.contains("ada@example.org") && list.contains("admin") && list.contains("bob"));
        assert!(!list.contains("argon2"), "no hash is shown");

        let mut bob = Visitor::at(&process.base);
        let log_in = [("username", "bob"), ("password", PASSWORD)];
        assert_eq!(bob.post("/login", &log_in).await.leads_to(), "/chat");
        let mut socket = bob.socket("/ws").await;
        socket.expect("connected").await;
        assert!(run(database, &["user", "disable", "BOB"], "", &[]).await.status.success());
        assert_eq!(socket.close_code().await, 4401, "the running server hears of it");
        assert_eq!(bob.post("/login", &log_in).await.status, 422);
        assert!(run(database, &["user", "enable", "bob"], "", &[]).await.status.success());
        assert!(run(database, &["user", "password", "bob", "--password-stdin"], "another good one\n", &[]).await.status.success());
        assert_eq!(bob.post("/login", &log_in).await.status, 422);
        let log_in = [("username", "bob"), ("password", "another good one")];
        assert_eq!(bob.post("/login", &log_in).await.leads_to(), "/chat");
        assert!(run(database, &["user", "role", "bob", "moderator"], "", &[]).await.status.success());
        assert!(texts(&run(database, &["user", "list"], "", &[]).await).0.contains("moderator"));
    }
}

both! {
    async fn a_lost_second_factor_is_turned_off_from_the_command_line(engine: Engine) {
        let database = Database::new(engine).await;
        add(&database, "ada", "admin").await;
        let reset = ["user", "reset-two-factor", "ADA"];
        assert!(refusal(&run(&database, &reset, "", &[]).await).contains("isn't on"));
        let site = Site::over(database, 0, Options::default()).await;
        site.sql("update users set totp_enabled = true").await;
        site.sql("insert into two_factors (user_id, secret, confirmed_at, created_at) values (1, 'x', 1, 1)").await;
        let output = run(&site.database, &reset, "", &[]).await;
        assert!(output.status.success() && texts(&output).0.contains("two-factor is off"), "{:?}", texts(&output));
        let left = "select (select count(*) from users where totp_enabled) + (select count(*) from two_factors)";
        assert_eq!(site.number(left).await, 0);
        assert_eq!(site.number("select count(*) from emails where subject = 'Two-factor is off'").await, 1);
    }
}

both! {
    async fn what_a_user_command_cannot_do_it_says_in_one_line(engine: Engine) {
        let database = Database::new(engine).await;
        add(&database, "ada", "admin").await;
        let cases: [(&[&str], &str); 7] = [
            (&["user", "disable", "ada"], "last administrator"),
            (&["user", "role", "ada", "user"], "last administrator"),
            (&["user", "role", "ada", "king"], "is no role"),
            (&["user", "role", "bob", "user"], "no account called bob"),
            (&["user", "add", "ADA", "--email", "x@example.org", "--password-stdin"], "already taken"),
            (&["user", "add", "a", "--email", "nowhere", "--password-stdin"], "not an e-mail address"),
            (&["user", "add", "eve", "--email", "eve@example.org"], "--password-stdin"),
        ];
        for (arguments, says) in cases {
            let error = refusal(&run(&database, arguments, PASSWORD, &[]).await);
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
        let error = refusal(&run(&database, &["user", "add", "eve", "--email", "eve@example.org", "--password-stdin"], "short", &[]).await);
        assert!(error.contains("8 to 128 characters") && !error.contains("short"), "{error}");
    }
}

both! {
    async fn migrate_applies_the_migrations_and_may_be_repeated(engine: Engine) {
        let database = Database::new(engine).await;
        for _ in 0..2 {
            let done = run(&database, &["migrate"], "", &[]).await;
            assert!(done.status.success() && texts(&done).0.contains("up to date"), "{:?}", texts(&done));
        }
    }
}

both! {
    async fn check_prints_the_settings_without_secrets_and_fails_on_a_fault(engine: Engine) {
        let database = Database::new(engine).await;
        let secret = "0123456789abcdef0123456789abcdef";
        let settings = [("SECRET_KEY", secret), ("SMTP_URL", "smtp://ann:hidden@127.0.0.1:1"), ("REDIS_URL", "redis://127.0.0.1:1")];
        let checked = run(&database, &["check"], "", &settings).await;
        let (text, _) = texts(&checked);
        assert_eq!(checked.status.code(), Some(1));
        assert!(text.contains("MESSAGE_RATE       1/s burst 5") && text.contains("smtp://ann:********@127.0.0.1:1"), "{text}");
        assert!(!text.contains(secret) && !text.contains("hidden"), "{text}");
        assert_eq!(text.matches("FAULT").count(), 2, "{text}");
        run(&database, &["migrate"], "", &[]).await;
        let checked = run(&database, &["check"], "", &[]).await;
        assert!(checked.status.success() && texts(&checked).0.contains("up to date"), "{:?}", texts(&checked));
    }
}

#[tokio::test]
async fn a_bad_setting_stops_the_start_with_one_line_that_names_it() {
    let database = Database::new(Engine::Sqlite).await;
    for (key, value, accepted) in [
        ("BIND", "somewhere", "127.0.0.1:8000"),
        ("BASE_URL", "ftp://x", "https://"),
        ("BASE_URL", "http://x/path", "without a path"),
        ("DEBUG", "perhaps", "true or false"),
        ("DATABASE_URL", "mysql://x", "postgres://"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("MESSAGE_RATE", "fast", "1/s burst 5"),
        ("LOGIN_RATE", "5/fortnight", "5/min"),
        ("BACKUP_AT", "half past three", "03:30"),
        ("BACKUP_KEEP", "0", "1 to 1000"),
        ("UPLOAD_MAX_BYTES", "much", "25 MiB"),
        ("PAGE_CACHE", "0", "a size such as 64 MiB, or off"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/8"),
        ("CORS_ORIGINS", "example.org", "https://app.example.org"),
        ("SMTP_URL", "mail.example.org", "smtp+starttls://"),
        ("MAIL_FROM", "nobody", "chat@example.org"),
        ("RUST_LOG", "a=b=c", "info"),
    ] {
        let error = refusal(&run(&database, &["serve"], "", &[(key, value)]).await);
        assert!(error.contains(key) && error.contains(value) && error.contains(accepted), "{key}: {error}");
    }
    for url in ["host=db user=ann password=hunter2", "jdbc:postgresql://ann:hunter2@db/chat"] {
        let error = refusal(&run(&database, &["serve"], "", &[("DATABASE_URL", url)]).await);
        assert!(error.contains("DATABASE_URL") && !error.contains("hunter2"), "{error}");
    }
    let error = refusal(&run(&database, &["serve"], "", &[("SECRET_KEY", "tooshort")]).await);
    assert!(error.contains("SECRET_KEY") && error.contains("32 characters") && !error.contains("tooshort"), "{error}");
}

#[tokio::test]
async fn settings_come_in_layers_and_a_name_that_is_none_is_refused() {
    let database = Database::new(Engine::Sqlite).await;
    let folder = database.folder.path();
    let setting = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut all = vec!["check"];
        all.extend(arguments);
        let text = texts(&run(&database, &all, "", environment).await).0;
        text.lines().find_map(|line| line.strip_prefix("MESSAGE_RATE")).map(|value| value.trim().to_owned())
    };
    assert_eq!(setting(&[], &[]).await.unwrap(), "1/s burst 5");
    std::fs::write(folder.join("switchboard.toml"), "message_rate = \"2/s\"\nupload_max_bytes = 1000\n").unwrap();
    assert_eq!(setting(&[], &[]).await.unwrap(), "2/s");
    std::fs::write(folder.join(".env"), "MESSAGE_RATE=3/s\n").unwrap();
    assert_eq!(setting(&[], &[]).await.unwrap(), "3/s");
    assert_eq!(setting(&[], &[("MESSAGE_RATE", "4/s"), ("UNRELATED", "x")]).await.unwrap(), "4/s");
    assert_eq!(setting(&[], &[("MESSAGE_RATE", "")]).await.unwrap(), "3/s", "empty is not set");
    assert_eq!(setting(&["--message-rate", "5/s"], &[("MESSAGE_RATE", "4/s")]).await.unwrap(), "5/s");
    std::fs::write(folder.join(".env"), "MESAGE_RATE=3/s\n").unwrap();
    let error = refusal(&run(&database, &["check"], "", &[]).await);
    assert!(error.to_lowercase().contains("mesage_rate") && error.contains("MESSAGE_RATE"), "{error}");
    std::fs::write(folder.join(".env"), "POSTGRES_PASSWORD=hunter2\n").unwrap();
    let error = refusal(&run(&database, &["check"], "", &[]).await);
    assert!(error.to_lowercase().contains("postgres_password") && !error.contains("hunter2"), "{error}");
    std::fs::remove_file(folder.join(".env")).unwrap();
    std::fs::write(folder.join("switchboard.toml"), "port = 80\n").unwrap();
    let error = refusal(&run(&database, &["check"], "", &[]).await);
    assert!(error.contains("port") && error.contains("80") && error.contains("Accepted"), "{error}");
    std::fs::write(folder.join("switchboard.toml"), "port = = 80\n").unwrap();
    assert!(refusal(&run(&database, &["check"], "", &[]).await).contains("switchboard.toml"));
    std::fs::write(folder.join("switchboard.toml"), "secret_key = \"hunter2\n").unwrap();
    let error = refusal(&run(&database, &["check"], "", &[]).await);
    assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_said_in_one_line_without_its_password() {
    let database = Database::new(Engine::Sqlite).await;
    for (url, says) in [
        ("postgres://ann:hidden@127.0.0.1:1/chat", "127.0.0.1:1 can't be reached"),
        ("sqlite:///proc/nowhere/chat.db", "can't be opened"),
    ] {
        let error = refusal(&run(&database, &["serve", "--bind", "127.0.0.1:0"], "", &[("DATABASE_URL", url)]).await);
        assert!(error.contains(says) && !error.contains("hidden"), "{error}");
    }
    std::fs::write(
        database.folder.path().join("text.db"),
        "this is no database, it is a text of some length".repeat(40),
    )
    .unwrap();
    let error = refusal(&run(&database, &["migrate"], "", &[("DATABASE_URL", "sqlite://text.db")]).await);
    assert!(error.contains("text.db"), "{error}");
}

both! {
    async fn a_database_of_a_newer_version_is_left_alone(engine: Engine) {
        let database = Database::new(engine).await;
        assert!(run(&database, &["migrate"], "", &[]).await.status.success());
        let db = switchboard::db::Db::open(&database.url).await.unwrap();
        let mut tx = db.write().await.unwrap();
        switchboard::on_db!(tx, c => sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             select 9000, 'future', true, checksum, 0 from _sqlx_migrations limit 1").execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        let error = refusal(&run(&database, &["serve", "--bind", "127.0.0.1:0"], "", &[]).await);
        assert!(error.contains("newer Switchboard") && error.contains("9000"), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_in_one_line() {
    let process = Process::serve(Engine::Sqlite).await;
    let database = Database::new(Engine::Sqlite).await;
    let bind = process.base.strip_prefix("http://").unwrap();
    assert!(refusal(&run(&database, &["--bind", bind], "", &[]).await).contains(bind));
}

#[tokio::test]
async fn logs_go_to_files_when_asked_and_never_show_what_was_typed() {
    let database = Database::new(Engine::Sqlite).await;
    std::fs::write(database.folder.path().join(".env"), "LOG_DIR=logs\nAPI=true\n").unwrap();
    let mut process = Process::over(database, "127.0.0.1:0").await;
    let mut ann = Visitor::at(&process.base);
    ann.register("ann").await;
    let room = ann.public_room("General").await;
    ann.say(room, "between us").await;
    ann.get("/setup?token=guess").await;
    let mut program = Program::at(&process.base);
    program.log_in("ann").await;
    drop(program.socket("/ws").await);
    for _ in 0..2 {
        program.post("/auth/refresh", json!({"refresh": program.refresh})).await;
    }
    process.terminate().await;
    let read = |name: &str| std::fs::read_to_string(process.database.folder.path().join("logs").join(name)).unwrap();
    let (main, access) = (read("switchboard.log"), read("access.log"));
    assert!(main.starts_with("[INFO] 20") && main.contains(" - listening address="), "{main}");
    assert!(access.contains("method=POST path=/chat/rooms/1 status=303"), "{access}");
    assert!(access.contains("path=/ws status=101") && main.contains("used twice"), "{access}{main}");
    let cookie = ann.cookie().unwrap().split('=').nth(1).unwrap();
    for secret in [PASSWORD, "between us", "guess", cookie, program.access.as_deref().unwrap(), &program.refresh] {
        assert!(!main.contains(secret) && !access.contains(secret), "{secret}");
    }
}

/// As systemd does it: a socket that is open already is the process's third file.
const HAND_OVER: &str = "
import os, socket, sys
held = socket.create_server(('127.0.0.1', 0))
print(held.getsockname()[1], flush=True)
os.dup2(held.fileno(), 3)
os.set_inheritable(3, True)
os.execve(sys.argv[1], sys.argv[1:], os.environ | {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())})
";

#[tokio::test]
async fn it_serves_on_the_socket_that_systemd_hands_over() {
    let database = Database::new(Engine::Sqlite).await;
    let mut child = tokio::process::Command::new("python3")
        .args(["-c", HAND_OVER, env!("CARGO_BIN_EXE_switchboard"), "serve"])
        .env("DATABASE_URL", &database.url)
        .env("BIND", "127.0.0.1:1")
        .current_dir(database.folder.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.next_line().await.unwrap().unwrap();
    // Before it is there, too: who connects waits.
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/up")).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn check_says_what_is_amiss_in_the_settings_and_what_to_do() {
    let database = Database::new(Engine::Sqlite).await;
    let settings = [("BASE_URL", "https://chat.example.org"), ("DEBUG", "true"), ("LOGIN_RATE", "off")];
    let (said, _) = texts(&run(&database, &["check"], "", &settings).await);
    for amiss in ["DEBUG is on.", "LOGIN_RATE is off.", "Name it in TRUSTED_PROXIES", "Set SMTP_URL and MAIL_FROM"] {
        assert!(said.contains(amiss), "{amiss}: {said}");
    }
    assert!(!said.contains("unencrypted"), "{said}");
    let (sound, _) = texts(&run(&database, &["check"], "", &[("BIND", "0.0.0.0:8000")]).await);
    assert!(sound.contains("Passwords travel unencrypted.") && !sound.contains("DEBUG is on."), "{sound}");
}

#[tokio::test]
async fn check_finds_a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let database = Database::new(Engine::Sqlite).await;
    run(&database, &["user", "list"], "", &[]).await;
    let key = database.folder.path().join("data/secret_key");
    let modes = [(0o600, false), (0o640, true)];
    for (mode, is_amiss) in modes {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let (said, _) = texts(&run(&database, &["check"], "", &[]).await);
        assert_eq!(said.contains("secret_key can be read by other users"), is_amiss, "{said}");
    }
}
