//! `switchboard migrate`: applies the migrations and exits.

use crate::config::Config;
use crate::db::Db;
use crate::error::Result;

pub async fn run(config: Config) -> Result<()> {
    let db = Db::open_with(config.database_url.reveal(), config.pooling).await?;
    db.migrate().await?;
    db.close().await;
    println!("The {} database is up to date.", db.engine_name());
    Ok(())
}
