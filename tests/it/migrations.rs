//! Two versions run side by side while a site is upgraded, so a migration of one release leaves the code of the one before
//! what it knows: it adds tables, indexes and columns that may be left out, and takes nothing away and tightens nothing.
//! Every migration from 0006 on is held to that, by what the schema was before it and is after it.

use std::collections::BTreeMap;

use switchboard::db::{Conn, Db, Engine as Driver};
use switchboard::on_db;

use crate::support::app::{Database, both};
use crate::support::schema::{migrate, up_to};

/// Before the first release: there was no code before it.
const LAST_FREE: i64 = 5;

/// What stands in a schema, each thing by a name, with what must stay as it is.
type Schema = BTreeMap<String, String>;

/// Columns by table and name, tables, indexes, constraints. A column tells its type, whether it may be null, and its default.
const SQLITE: &str = "
    select 'column ' || t.name || '.' || c.name, c.type || case when c.\"notnull\" = 1 then ' not null' else '' end
            || coalesce(' default ' || c.dflt_value, '')
        from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'
    union all select 'table ' || name, sql from sqlite_master where type = 'table' and sql is not null
    union all select 'index ' || name || ' of ' || tbl_name, sql from sqlite_master where type = 'index' and sql is not null
    union all select 'trigger ' || name, '' from sqlite_master where type = 'trigger'";
const POSTGRES: &str = "
    select 'column ' || table_name || '.' || column_name, data_type || case when is_nullable = 'NO' then ' not null' else '' end
            || coalesce(' default ' || column_default, '') || case when is_identity = 'YES' then ' default identity' else '' end
        from information_schema.columns where table_schema = current_schema()
    union all select 'table ' || tablename, '' from pg_tables where schemaname = current_schema()
    union all select 'index ' || indexname || ' of ' || tablename, indexdef from pg_indexes where schemaname = current_schema()
    union all select 'constraint ' || c.conname || ' of ' || r.relname, pg_get_constraintdef(c.oid) from pg_constraint c
        join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace where n.nspname = current_schema()
    union all select 'trigger ' || g.tgname || ' of ' || r.relname, '' from pg_trigger g join pg_class r on r.oid = g.tgrelid
        join pg_namespace n on n.oid = r.relnamespace where n.nspname = current_schema() and not g.tgisinternal";

async fn schema(conn: &mut Conn) -> Schema {
    let sql = if matches!(conn.engine(), Driver::Sqlite(_)) { SQLITE } else { POSTGRES };
    let rows: Vec<(String, String)> =
        on_db!(conn, c => sqlx::query_as(sql).persistent(false).fetch_all(c).await).unwrap();
    rows.into_iter().filter(|(name, _)| !name.contains("_sqlx_migrations")).collect()
}

/// What the code before a migration would stumble over.
fn faults(before: &Schema, after: &Schema) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, was) in before {
        match after.get(name) {
            None => faults.push(format!("{name} is gone")),
            // SQLite writes new columns at the end of a table's text, and anything else is a table made anew.
            Some(is) if name.starts_with("table ") && is.starts_with(was.trim_end_matches([')', '\n', ' '])) => {}
            Some(is) if is != was => faults.push(format!("{name} was “{was}” and is “{is}”")),
            Some(_) => {}
        }
    }
    let is_new = |table: &str| !before.contains_key(&format!("table {table}"));
    for (name, is) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        if let Some((table, _)) = name.strip_prefix("column ").and_then(|rest| rest.split_once('.')) {
            if !is_new(table) && is.contains("not null") && !is.contains("default") {
                faults.push(format!("{name} has to be filled in, and has no default"));
            }
        } else if let Some((_, table)) = name.split_once(" of ") {
            // Of a new column alone it binds nobody who doesn't know it.
            let has_new_column = after.keys().any(|key| {
                let column = key.strip_prefix(&format!("column {table}."));
                column.is_some_and(|column| !before.contains_key(key) && is.contains(column))
            });
            let binds =
                name.starts_with("constraint") || name.starts_with("trigger") || is.to_lowercase().contains("unique");
            if !is_new(table) && binds && !has_new_column {
                faults.push(format!("{name} asks for more than before: {is}"));
            }
        } else if name.starts_with("trigger") {
            faults.push(format!("{name} does what the code before doesn't expect"));
        }
    }
    faults
}

both! {
    async fn every_migration_leaves_the_code_before_it_what_it_knows(engine: Engine) {
        let database = Database::new(engine).await;
        let db = Db::open(&database.url).await.unwrap();
        let versions: Vec<i64> = up_to(engine, i64::MAX).await.iter().map(|migration| migration.version).collect();
        migrate(&database, &db, engine, LAST_FREE).await;
        let mut before = schema(&mut db.read().await.unwrap()).await;
        assert!(before.len() > 200, "all of it is read: {}", before.len());
        for version in versions.into_iter().filter(|version| *version > LAST_FREE) {
            migrate(&database, &db, engine, version).await;
            let after = schema(&mut db.read().await.unwrap()).await;
            assert_eq!(faults(&before, &after), Vec::<String>::new(), "migration {version}");
            before = after;
        }
    }
}

both! {
    async fn what_the_code_before_would_stumble_over_is_found(engine: Engine) {
        let database = Database::new(engine).await;
        let db = Db::open(&database.url).await.unwrap();
        migrate(&database, &db, engine, i64::MAX).await;
        let before = schema(&mut db.read().await.unwrap()).await;
        let bad = [
            ("drop table pins", "pins"),
            ("alter table users drop column bio", "users.bio"),
            ("alter table users rename column bio to about", "users.bio"),
            ("alter table pins rename to marks", "pins"),
            ("drop index pins_room", "pins_room"),
            ("create unique index one_a_room on pins (room_id)", "one_a_room"),
            ("alter table pins add column note text not null", "pins.note"),
            ("alter table pins alter column pinned_by set not null", "pins.pinned_by"),
            ("alter table pins alter column created_at type numeric", "pins.created_at"),
            ("alter table pins alter column created_at drop not null", "pins.created_at"),
            ("alter table pins add constraint late check (created_at > 5)", "late"),
            ("create table pins_new (id integer primary key, message_id bigint); drop table pins; alter table pins_new rename to pins", "pins"),
        ];
        for (sql, named) in bad {
            let found = after(&db, &before, sql).await;
            // What one of the engines can't do at all needs no finding.
            let Some(found) = found else { continue };
            assert!(found.iter().any(|fault| fault.contains(named)), "{sql}: {found:?}");
        }
        let good = [
            "create table notes (id bigint primary key not null, text text not null unique)",
            "create index pins_note on pins (created_at)",
            "alter table pins add column note text",
            "alter table pins add column weight bigint not null default 0",
            "alter table pins add column note text; create unique index pins_note on pins (note)",
            "alter table pins add column chosen_by bigint references users (id) on delete set null",
        ];
        for sql in good {
            assert_eq!(after(&db, &before, sql).await, Some(Vec::new()), "{sql}");
        }
    }
}

/// The faults of a migration that is undone again; `None` where this engine knows no such statement.
async fn after(db: &Db, before: &Schema, sql: &str) -> Option<Vec<String>> {
    let mut tx = db.write().await.unwrap();
    on_db!(tx, c => sqlx::raw_sql(sql).execute(c).await.map(|_| ())).ok()?;
    Some(faults(before, &schema(&mut tx).await))
}
