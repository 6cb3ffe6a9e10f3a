//! Makes the README's pictures of a made-up site, so that they show what there is:
//!
//!     CHROMIUM=$(command -v chromium) cargo run --example screenshots [FOLDER]
//!
//! It takes Chromium and chromedriver, which `tests/run` installs, and leaves nothing behind but `docs/pictures`.

#[path = "../tests/it/support/browser.rs"]
#[allow(dead_code)]
mod browser;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use switchboard::app::{App, Seams};
use switchboard::auth::password;
use switchboard::cli::serve::serve;
use switchboard::config::{Config, Sources};
use switchboard::demo::{Plan, Site, store};
use switchboard::i18n::Language;
use switchboard::ids::UserId;
use switchboard::users::change;
use switchboard::work::Work;
use tokio::net::TcpListener;

use browser::{Browsers, Window};

/// As the driver of browsers logs in.
mod actors {
    pub const PASSWORD: &str = "seven-blue-horses-run-late";
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A picture: its file, the page, how wide the window is, whether it is dark, and what language is spoken.
struct Picture(&'static str, &'static str, u32, bool, Language);

const PICTURES: [Picture; 6] = [
    Picture("chat", "/chat/rooms/1", 1280, false, Language::English),
    Picture("phone", "/chat/rooms/1", 390, true, Language::English),
    Picture("people", "/people", 1280, false, Language::English),
    Picture("dashboard", "/admin/", 1280, false, Language::English),
    Picture("list", "/admin/messages/", 1280, true, Language::English),
    Picture("arabic", "/chat/rooms/1", 1280, false, Language::Arabic),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).map_or_else(|| "docs/pictures".into(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let scratch = tempfile::tempdir()?;
    let (app, base, name) = site(scratch.path()).await?;
    let browsers = Browsers::start().await.ok_or("CHROMIUM says where Chromium is")?;
    for picture in PICTURES {
        take(&app, &browsers, &base, &name, &folder, picture).await?;
    }
    Ok(())
}

/// A served site full of talk, its address, and its administrator.
async fn site(folder: &Path) -> Outcome<(App, String, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let at = |name: &str| folder.join(name).display().to_string();
    let flags = [
        ("BIND", address.to_string()),
        ("DATABASE_URL", format!("sqlite://{}", at("site.db"))),
        ("UPLOAD_DIR", at("uploads")),
        ("SECRET_KEY", "of a site that is gone in a minute".to_owned()),
    ];
    let flags = BTreeMap::from_iter(flags.map(|(key, value)| (key.to_owned(), value)));
    let config = Config::load(&Sources { folder: folder.to_owned(), environment: false, flags })?;
    let app = App::start(config, Seams::default()).await?;
    let plan = Plan::parse("60", "14", "3000", "1")?;
    let invented = Site::invent(plan, app.clock.now());
    let name = invented.first_administrator().to_owned();
    let hash = password::hash(actors::PASSWORD.to_owned()).await?;
    store::fill(&app, invented, &hash, |_| {}).await?;
    tokio::spawn(serve(app.clone(), listener, std::future::pending()));
    Ok((app, format!("http://{address}"), name))
}

async fn take(app: &App, browsers: &Browsers, base: &str, name: &str, folder: &Path, picture: Picture) -> Outcome<()> {
    let Picture(file, path, width, dark, language) = picture;
    let mut work = Work::begin(app, None).await?;
    change::set_language(&mut work, UserId(1), Some(language)).await?;
    work.commit().await?;
    let window: Window = browsers.window(base, width, dark).await;
    window.fill_log_in(name).await;
    window.go(path).await;
    window.until("document.readyState === 'complete'").await;
    if path.starts_with("/chat") {
        window.until_connected().await;
    }
    let shot = window.client.screenshot().await?;
    window.close().await;
    let image = image::load_from_memory_with_format(&shot, ImageFormat::Png)?;
    let mut packed = Cursor::new(Vec::new());
    image.to_rgb8().write_to(&mut packed, ImageFormat::WebP)?;
    let to = folder.join(file).with_extension("webp");
    std::fs::write(&to, packed.into_inner())?;
    println!("{} {}×{}", to.display(), image.width(), image.height());
    Ok(())
}
