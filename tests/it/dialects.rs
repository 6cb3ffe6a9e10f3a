//! Both engines have the same tables, columns and indexes, and every index serves both. The full-text index of messages
//! is the one place with two texts.

use std::collections::BTreeSet;

use crate::support::app::{Engine, Site, postgres_url};

async fn texts(site: &Site, sql: &str) -> BTreeSet<String> {
    let mut conn = site.app.db.read().await.unwrap();
    let rows: Vec<String> = switchboard::on_db!(conn, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_schemas_have_the_same_columns_and_indexes() {
    if postgres_url().is_none() {
        return eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
    }
    let (sqlite, postgres) = (Site::new(Engine::Sqlite).await, Site::new(Engine::Postgres).await);
    let columns = texts(
        &sqlite,
        "select t.name || '.' || c.name || case when c.\"notnull\" = 1 or c.pk > 0 then ' not null' else '' end
         from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'
         and t.name not like 'sqlite%' and t.name <> '_sqlx_migrations' and t.name not like 'messages_text%'",
    )
    .await;
    let same = texts(
        &postgres,
        "select table_name || '.' || column_name || case when is_nullable = 'NO' then ' not null' else '' end
         from information_schema.columns where table_schema = current_schema() and table_name not in ('_sqlx_migrations', 'messages_text')",
    )
    .await;
    assert!(columns.len() > 120);
    assert_eq!(columns, same);
    let indexes =
        texts(&sqlite, "select name from sqlite_master where type = 'index' and name not like 'sqlite%'").await;
    let same = texts(
        &postgres,
        "select indexname from pg_indexes where schemaname = current_schema()
         and indexname not like '%_pkey' and indexname not like '%_key' and tablename not in ('_sqlx_migrations', 'messages_text')",
    )
    .await;
    assert_eq!(indexes, same);
}
