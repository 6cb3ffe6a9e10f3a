//! What the site has written to people, read from its outbox.

use std::time::Duration;

use super::app::Site;

const PATIENCE: Duration = Duration::from_secs(10);

impl Site {
    /// The text of the newest letter to `to` whose subject holds `about`, once it is queued: some are queued beside the
    /// answer.
    pub async fn letter(&self, to: &str, about: &str) -> String {
        let sql = format!(
            "select text from emails where \"to\" = '{to}' and subject like '%{about}%' order by \"id\" desc limit 1"
        );
        let looked = async {
            let mut every = tokio::time::interval(Duration::from_millis(10));
            loop {
                every.tick().await;
                let mut conn = self.app.db.read().await.unwrap();
                let found: Option<String> =
                    switchboard::on_db!(conn, c => sqlx::query_scalar(&sql).fetch_optional(c).await).unwrap();
                if let Some(text) = found {
                    return text;
                }
            }
        };
        tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("no letter to {to} about {about}"))
    }

    /// How many letters to `to` are about this.
    pub async fn letters(&self, to: &str, about: &str) -> i64 {
        let sql = format!("select count(*) from emails where \"to\" = '{to}' and subject like '%{about}%'");
        self.number(&sql).await
    }
}

/// The path of the link in a letter.
#[track_caller]
pub fn link(letter: &str) -> String {
    let url = letter.split_whitespace().find(|word| word.contains("token=")).expect("a link");
    let (_, rest) = url.split_once("://").expect("an address");
    rest[rest.find('/').expect("a path")..].to_owned()
}

/// The token of the link in a letter.
#[track_caller]
pub fn token(letter: &str) -> String {
    link(letter).split_once("token=").expect("a token").1.to_owned()
}
