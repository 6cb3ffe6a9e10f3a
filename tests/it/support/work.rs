//! Acts of the domain as the backoffice does them: works in somebody's name, and a model's row as its admin reads it.

use std::time::Instant;

use switchboard::admin::record;
use switchboard::admin::resource::Resource;
use switchboard::admin::value::{Key, Row};
use switchboard::error::Result;
use switchboard::ids::{SessionId, UserId};
use switchboard::users::{Person, Role, Via};
use switchboard::work::Work;

use super::app::Site;
use super::socket::PATIENCE;

/// Waits until it is so, not for ever.
pub async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never came to be");
        tokio::task::yield_now().await;
    }
}

/// The same for what has to be asked for.
pub async fn until_so(is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to be");
    }
}

impl Site {
    /// A work in the name of the account with this id, as if it had this role.
    pub async fn work(&self, id: i64, role: Role) -> Work {
        let person = Person {
            id: UserId(id),
            username: format!("u{id}"),
            role,
            via: Via::Session(SessionId(-1)),
            signed_in_at: None,
            confirmed_at: None,
            held_back: false,
            language: None,
            avatar: None,
        };
        // Begun in nobody's name: there is no session to stand.
        let mut work = Work::begin(&self.app, None).await.unwrap();
        work.by = Some(person);
        work
    }

    /// A work of the first account, an administrator.
    pub async fn admin(&self) -> Work {
        self.work(1, Role::Admin).await
    }

    /// The row as it stands; `None` when there is none.
    pub async fn row(&self, resource: &'static Resource, key: i64) -> Option<Row> {
        let mut conn = self.app.db.read().await.unwrap();
        record::find(&mut conn, resource, &Key::Id(key)).await.unwrap()
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
