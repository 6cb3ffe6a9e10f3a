//! `switchboard serve`: migrates, listens, and on SIGTERM or Ctrl-C goes in good order: no new connections, sockets
//! closed with 1012, what is queued written, out within ten seconds.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app::{App, Seams};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::live::mailbox::Close;
use crate::web::transport::{Door, Peer};
use crate::{jobs, log, routes, telemetry};

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;
const SOCKETS_MAY_TAKE: Duration = Duration::from_secs(3);
const REQUESTS_MAY_TAKE: Duration = Duration::from_secs(3);
const LATE_SOCKETS_MAY_TAKE: Duration = Duration::from_millis(800);
/// Mails on their way: beside the sockets and the requests. The leases cover the rest.
const MAILS_MAY_TAKE: Duration = Duration::from_secs(5);
/// To other nodes.
const LAST_WORDS_MAY_TAKE: Duration = Duration::from_millis(300);
/// Within the ten seconds that all of it has.
const WRITES_MAY_TAKE: Duration = Duration::from_millis(2500);

/// Serves until told to stop. Errors: what keeps it from starting, in one line.
pub async fn run(config: Config) -> Result<()> {
    log::start(&config)?;
    private_folder(&config)?;
    let listener = listen(&config).await?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let app = App::start(with_address(config, address)?, Seams::default()).await?;
    announce(&app, address);
    let served = serve(app, listener, stop_signal()?).await;
    telemetry::end().await;
    served
}

/// Serves on `listener` until `stop` ends, then drains. Called by tests, too.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
    let jobs = jobs::start(&app);
    let router = routes::router(app.clone()).await?;
    let service = router.into_make_service_with_connect_info::<Peer>();
    let (drain, drained) = oneshot::channel::<()>();
    let server = axum::serve(Door(listener), service).with_graceful_shutdown(async {
        let _ = drained.await;
    });
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        () = stop => {}
        ended = &mut server => return ended.map_err(Error::internal)?.map_err(Error::internal),
    }
    tracing::info!(sockets = app.hub.open_sockets(), "stopping");
    let _ = drain.send(());
    app.hub.say_bye();
    let requests = async {
        let _ = timeout(SOCKETS_MAY_TAKE, app.hub.close_all(Close::Restart)).await;
        let _ = timeout(REQUESTS_MAY_TAKE, &mut server).await;
        // Handshakes that were under way have ended by now, and what they opened is told to go, too.
        let _ = timeout(LATE_SOCKETS_MAY_TAKE, app.hub.close_all(Close::Restart)).await;
    };
    let _ = tokio::join!(requests, timeout(MAILS_MAY_TAKE, app.mail.drain()));
    // Once more: while its sockets went it said that it lives.
    app.hub.say_bye();
    let _ = timeout(LAST_WORDS_MAY_TAKE, app.hub.bus().said()).await;
    drop(jobs);
    let _ = timeout(WRITES_MAY_TAKE, async {
        app.writer.flush().await?;
        app.db.checkpoint().await?;
        app.db.close().await;
        Ok::<(), Error>(())
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}

/// The socket that systemd hands over (`LISTEN_FDS`, sd_listen_fds(3)), which stays open between two runs; otherwise one
/// of our own.
async fn listen(config: &Config) -> Result<TcpListener> {
    let handed = ListenFd::from_env().take_tcp_listener(0);
    let handed = handed.map_err(|e| Error::startup(format!("The socket that was handed over isn't TCP: {e}")))?;
    if let Some(socket) = handed {
        socket.set_nonblocking(true).map_err(Error::internal)?;
        return TcpListener::from_std(socket).map_err(Error::internal);
    }
    bound(config.bind).map_err(|e| Error::startup(format!("BIND = \"{}\" can't be listened on: {e}", config.bind)))
}

/// With room for all who come back at once after a restart: with the library's 128, whoever found no place tried again a
/// second later, and 10,000 sockets took 4.4 seconds of which the server was idle for three.
fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // As the library does: an address whose connections have just ended is free again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// With port 0 the system chose one; the site's own address follows it.
fn with_address(mut config: Config, address: SocketAddr) -> Result<Config> {
    if config.bind.port() == 0 && config.base_url.port() == Some(0) {
        config.base_url.set_port(Some(address.port())).map_err(|()| Error::startup("BASE_URL can't take a port"))?;
    }
    config.bind = address;
    Ok(config)
}

fn private_folder(config: &Config) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = &config.upload_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| Error::startup(format!("UPLOAD_DIR = \"{}\" can't be made: {e}", folder.display())))
}

/// What a newcomer needs to see, on standard output also when the log goes elsewhere.
fn announce(app: &App, address: SocketAddr) {
    let site = app.config.origin();
    tracing::info!(%address, database = app.db.engine_name(), version = env!("CARGO_PKG_VERSION"), "listening");
    println!("Switchboard is at {site}");
    if let Some(token) = app.setup_token() {
        println!("Nobody is registered yet. Make the first administrator here, once:\n  {site}/setup?token={token}");
    }
}

fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
