//! Acts of the domain as the backoffice does them: works in somebody's name, and a model's row as its admin reads it.

use std::sync::Arc;

use switchboard::admin::resource::{Column, Kind, Resource};
use switchboard::admin::value::{Key, Row, Value};
use switchboard::clock::Timestamp;
use switchboard::db::Conn;
use switchboard::error::Result;
use switchboard::ids::{SessionId, UserId};
use switchboard::on_db;
use switchboard::users::{Person, Role};
use switchboard::work::Work;

use super::app::Site;

impl Site {
    /// A work in the name of the account with this id, as if it had this role.
    pub async fn work(&self, id: i64, role: Role) -> Work {
        let person = Person {
            id: UserId(id),
            username: format!("u{id}"),
            role,
            session_id: SessionId(-1),
            session_seen_at: Timestamp(0),
        };
        Work::begin(&self.app, Some(&person)).await.unwrap()
    }

    /// A work of the first account, an administrator.
    pub async fn admin(&self) -> Work {
        self.work(1, Role::Admin).await
    }

    /// The row as it stands; `None` when there is none.
    pub async fn row(&self, resource: &'static Resource, key: i64) -> Option<Row> {
        let key = Key::Id(key);
        let columns: Vec<&'static Column> = resource.stored().collect();
        let mut conn = self.app.db.read().await.unwrap();
        let mut values = Vec::new();
        for column in &columns {
            values.push(value(&mut conn, resource, column, &key).await?);
        }
        Some(Row { key, columns: Arc::new(columns), values })
    }

    /// Deletes a row as the backoffice does.
    pub async fn delete(&self, resource: &'static Resource, id: i64, role: Role) -> Result<()> {
        let row = self.row(resource, id).await.unwrap();
        let mut work = self.work(1, role).await;
        (resource.delete.unwrap())(&mut work, &row).await?;
        work.commit().await
    }

    /// Puts back a row that was deleted, as the backoffice does.
    pub async fn restore(&self, resource: &'static Resource, row: &Row) -> Result<()> {
        let mut work = self.admin().await;
        (resource.restore.unwrap())(&mut work, row).await?;
        work.commit().await
    }
}

async fn value(conn: &mut Conn, resource: &Resource, column: &Column, key: &Key) -> Option<Value> {
    let sql = format!("select \"{}\" from {} where {} = $1", column.name, resource.table, resource.key);
    let id = key.id();
    Some(match column.kind {
        Kind::Text | Kind::Long | Kind::Choice(_) => {
            let text: Option<Option<String>> =
                on_db!(conn, c => sqlx::query_scalar(&sql).bind(id).fetch_optional(c).await).unwrap();
            text?.map_or(Value::Null, Value::Text)
        }
        Kind::Flag => {
            let flag: Option<bool> =
                on_db!(conn, c => sqlx::query_scalar(&sql).bind(id).fetch_optional(c).await).unwrap();
            Value::Flag(flag?)
        }
        Kind::Int | Kind::Reference(_) | Kind::Time | Kind::Count(..) => {
            let number: Option<Option<i64>> =
                on_db!(conn, c => sqlx::query_scalar(&sql).bind(id).fetch_optional(c).await).unwrap();
            match (number?, column.kind) {
                (None, _) => Value::Null,
                (Some(time), Kind::Time) => Value::Time(Timestamp(time)),
                (Some(number), _) => Value::Int(number),
            }
        }
    })
}
