//! What is looked up when `/metrics` is asked for: who is here, what waits, what is in use. Called by `metrics.rs`.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, Opts};

use crate::admin::dashboard;
use crate::app::App;
use crate::error::{Error, Result};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The gauges, each with its value. Cost: 1 query of bounded counts.
pub async fn now(app: &App) -> Result<Vec<MetricFamily>> {
    let mut families = Vec::new();
    let mut tell = |name: &str, help: &str, value: f64| -> Result<()> {
        let gauge = Gauge::new(name, help).map_err(Error::internal)?;
        gauge.set(value);
        families.extend(gauge.collect());
        Ok(())
    };
    tell("switchboard_sockets_open", "Sockets that are open here.", app.hub.open_sockets() as f64)?;
    tell("switchboard_rooms_followed", "Rooms that somebody here follows.", app.hub.in_use().len() as f64)?;
    tell("switchboard_people_online", "People with a socket, on any node.", app.hub.people_online() as f64)?;
    tell("switchboard_writer_queue", "Messages and read marks that wait to be stored.", app.writer.waiting() as f64)?;
    if let Some(queues) = in_time(app).await {
        let outbox = labelled("switchboard_outbox_mails", "Mails by status; counted up to 10,001.", "status")?;
        outbox.with_label_values(&["queued"]).set(queues.mails_queued as f64);
        outbox.with_label_values(&["stuck"]).set(queues.mails_stuck as f64);
        outbox.with_label_values(&["failed"]).set(queues.mails_failed as f64);
        tell(
            "switchboard_reports_open",
            "Reports that wait for staff; counted up to 10,001.",
            queues.reports_open as f64,
        )?;
        families.extend(outbox.collect());
    }
    let (open, free) = app.db.connections();
    let pool =
        labelled("switchboard_database_connections", "Connections to the database that read, by state.", "state")?;
    pool.with_label_values(&["idle"]).set(free as f64);
    pool.with_label_values(&["used"]).set(open.saturating_sub(free) as f64);
    families.extend(pool.collect());
    let build = labelled("switchboard_build_info", "Always 1; its label is the version.", "version")?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
    families.extend(build.collect());
    Ok(families)
}

/// `None` while the database is away: the rest is wanted then more than ever.
async fn in_time(app: &App) -> Option<dashboard::Queues> {
    match tokio::time::timeout(PATIENCE, dashboard::queues(app)).await {
        Ok(Ok(queues)) => Some(queues),
        Ok(Err(_)) | Err(_) => None,
    }
}

fn labelled(name: &str, help: &str, label: &str) -> Result<GaugeVec> {
    GaugeVec::new(Opts::new(name, help), &[label]).map_err(Error::internal)
}
