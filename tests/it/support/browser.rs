//! Real browsers: Chromium driven through chromedriver, each with a profile of its own. `tests/run` installs both
//! and says where Chromium is; without that, browser tests say that they were skipped.

use std::process::Stdio;
use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::actors::PASSWORD;

/// Only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A driver and the windows opened through it.
pub struct Browsers {
    _driver: Child,
    address: String,
}

/// One person's browser.
pub struct Window {
    pub client: Client,
    base: String,
    driver: String,
}

impl Browsers {
    /// `None` when there is no browser to drive.
    pub async fn start() -> Option<Self> {
        if std::env::var_os("CHROMIUM").is_none() {
            eprintln!("skipped: CHROMIUM isn't set; tests/run sets it");
            return None;
        }
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { _driver: driver, address: format!("http://localhost:{port}") })
    }

    /// A window so wide, in the light or the dark scheme.
    pub async fn window(&self, base: &str, width: u32, dark: bool) -> Window {
        self.open(base, width, dark, json!({})).await
    }

    /// A window whose pages run no scripts.
    pub async fn window_without_scripts(&self, base: &str) -> Window {
        self.open(base, 1280, false, json!({"profile.managed_default_content_settings.javascript": 2})).await
    }

    async fn open(&self, base: &str, width: u32, dark: bool, preferences: Value) -> Window {
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--disable-dev-shm-usage".into(),
            "--hide-scrollbars".into(),
            format!("--window-size={},{}", width.max(500), 900),
        ];
        if dark {
            args.push("--force-dark-mode".into());
            args.push("--blink-settings=preferredColorScheme=0".into());
        }
        let mut options = json!({"binary": std::env::var("CHROMIUM").unwrap(), "args": args, "prefs": preferences});
        if width < 500 {
            options["mobileEmulation"] =
                json!({"deviceMetrics": {"width": width, "height": 844, "pixelRatio": 1.0, "touch": false}});
        }
        let logs = json!({"browser": "ALL"});
        let wanted = [
            ("goog:chromeOptions", options),
            ("goog:loggingPrefs", logs),
            // axe takes its time over the API's reference.
            ("timeouts", json!({"script": 120_000})),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value));
        let capabilities: Map<String, Value> = Map::from_iter(wanted);
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&self.address).await;
        Window { client: client.expect("Chromium starts"), base: base.to_owned(), driver: self.address.clone() }
    }
}

impl Window {
    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.wait(&format!("[name={name}]:not([type=hidden])")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    pub async fn click(&self, selector: &str) {
        self.wait(selector).await.click().await.unwrap();
    }

    pub async fn wait(&self, selector: &str) -> fantoccini::elements::Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Waits until a script's expression is true.
    pub async fn until(&self, expression: &str) {
        let met = async {
            while self.eval(expression).await.unwrap_or_default() != json!(true) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, met).await.is_err() {
            let page = self.client.source().await.unwrap_or_default();
            panic!("never true: {expression}\n{page}");
        }
    }

    pub async fn eval(&self, expression: &str) -> Result<Value, CmdError> {
        self.client.execute(&format!("return ({expression})"), vec![]).await
    }

    /// The texts of all messages on the page that the server has, from top to bottom.
    pub async fn said(&self) -> Vec<String> {
        let texts = "[...document.querySelectorAll('#log [data-seq] .text')].map(e => e.innerText.trim())";
        serde_json::from_value(self.eval(texts).await.unwrap()).unwrap()
    }

    pub async fn register(&self, name: &str) {
        self.go("/register").await;
        self.fill("username", name).await;
        self.fill("email", &format!("{name}@example.org")).await;
        self.fill("password", PASSWORD).await;
        self.click("button.primary").await;
        self.wait(".sidebar").await;
    }

    pub async fn fill_log_in(&self, name: &str) {
        self.go("/login").await;
        self.fill("username", name).await;
        self.fill("password", PASSWORD).await;
        self.click("button.primary").await;
        self.wait(".sidebar").await;
    }

    /// Writes a message and sends it with Enter.
    pub async fn say(&self, text: &str) {
        self.fill("content", &format!("{text}\u{e007}")).await;
    }

    /// What the console has complained of since this was last asked: scripts, policies, addresses that aren't there.
    pub async fn complaints(&self) -> Vec<Value> {
        let session = self.client.session_id().await.unwrap().expect("a session");
        let address = format!("{}/session/{session}/se/log", self.driver);
        let request = reqwest::Client::new().post(address).json(&json!({"type": "browser"}));
        let told: Value = request.send().await.unwrap().json().await.unwrap();
        let told = told["value"].as_array().cloned().unwrap_or_else(|| panic!("{told}"));
        told.into_iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING").collect()
    }

    pub async fn until_connected(&self) {
        self.until("document.getElementById('state').dataset.state === 'live'").await;
    }

    pub async fn until_said(&self, count: usize) {
        self.until(&format!("document.querySelectorAll('#log [data-seq]').length >= {count}")).await;
    }

    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}
