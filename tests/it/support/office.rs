//! The backoffice as its staff use it: forms as a browser would send them, lists as they are read; and many rows at once.

use switchboard::on_db;

use super::actors::{PASSWORD, Page, Visitor};
use super::app::{Engine, Options, Site};

/// A tag of a page, with its attributes.
struct Tag<'a> {
    attributes: Vec<(&'a str, String)>,
    /// What comes after it.
    rest: &'a str,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

/// Text as it was before the page escaped it.
fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (code, letter) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")] {
        text = text.replace(code, letter);
    }
    text
}

/// Every tag of one of these names, in order.
fn tags<'a>(text: &'a str, names: &[&str]) -> Vec<(String, Tag<'a>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        if names.contains(&name.as_str()) {
            let tag = tag(&after[name.len()..]);
            rest = tag.rest;
            found.push((name, tag));
        }
    }
    found
}

fn tag(mut rest: &str) -> Tag<'_> {
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('>') {
            return Tag { attributes, rest: after };
        }
        let length = rest.find(['=', '>', ' ', '\n']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        match after.strip_prefix("=\"").and_then(|after| after.split_once('"')) {
            Some((value, after)) => {
                attributes.push((name, unescaped(value)));
                rest = after;
            }
            None => {
                attributes.push((name, String::new()));
                rest = after;
            }
        }
        assert!(!rest.is_empty(), "a tag isn't closed");
    }
}

/// A form's fields, as they would be sent.
#[derive(Clone, Debug)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// The value of a field; of several the last.
    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().rev().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no field {name} in {:?}", self.0))
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.retain(|(own, _)| own != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn with(&self, changes: &[(&str, &str)]) -> Self {
        let mut form = self.clone();
        changes.iter().for_each(|(name, value)| {
            form.set(name, value);
        });
        form
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl Page {
    /// What the form would send whose opening tag has `mark` in an attribute; none of its buttons.
    #[track_caller]
    pub fn form(&self, mark: &str) -> Form {
        let all = tags(&self.text, &["form"]);
        let found = all.iter().find(|(_, tag)| tag.attributes.iter().any(|(_, value)| value == mark));
        let (_, form) = found.unwrap_or_else(|| panic!("no form {mark} in {}: {}", self.status, self.text));
        let inside = form.rest.split_once("</form>").unwrap().0;
        let mut fields = Vec::new();
        for (kind, tag) in tags(inside, &["input", "textarea", "select"]) {
            let Some(name) = tag.get("name") else { continue };
            let value = match kind.as_str() {
                "textarea" => unescaped(tag.rest.split_once("</textarea>").unwrap().0),
                "select" => {
                    let options = tags(tag.rest.split_once("</select>").unwrap().0, &["option"]);
                    let chosen = options.iter().find(|(_, option)| option.get("selected").is_some());
                    let Some((_, option)) = chosen.or(options.first()) else { continue };
                    option.get("value").unwrap().to_owned()
                }
                _ if tag.get("type") == Some("checkbox") && tag.get("checked").is_none() => continue,
                _ => tag.get("value").unwrap_or_default().to_owned(),
            };
            fields.push((name.to_owned(), value));
        }
        Form(fields)
    }

    /// The form of a row.
    #[track_caller]
    pub fn record(&self) -> Form {
        self.form("record")
    }

    /// The keys of the list's rows, in order.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text);
        let links = tags(&self.text, &["a"]);
        let links = links.iter().filter(|(_, link)| link.get("data-row").is_some());
        links.map(|(_, link)| link.get("href").unwrap().split('/').nth(3).unwrap().to_owned()).collect()
    }

    /// The same as numbers.
    #[track_caller]
    pub fn ids(&self) -> Vec<i64> {
        self.keys().iter().map(|key| key.parse().unwrap()).collect()
    }

    /// Where the link `rel` leads: `next`, `prev`.
    pub fn rel(&self, rel: &str) -> Option<String> {
        let links = tags(&self.text, &["a"]);
        links
            .iter()
            .find(|(_, link)| link.get("rel") == Some(rel))
            .map(|(_, link)| link.get("href").unwrap().to_owned())
    }

    /// The list's total, as it is written.
    #[track_caller]
    pub fn total(&self) -> &str {
        assert_eq!(self.status, 200, "{}", self.text);
        self.text.split_once("id=\"total\">").unwrap().1.split(' ').next().unwrap()
    }

    /// The count beside a choice of a facet, by its label; the chosen one has a cross.
    pub fn count(&self, heading: &str, label: &str) -> Option<String> {
        let (_, facet) = self.text.split_once(&format!("<section><h2>{heading}</h2>"))?;
        let facet = facet.split_once("</section>")?.0;
        let choice = facet.split("<li>").find(|choice| choice.contains(&format!(">{label}")))?;
        Some(choice.split_once("class=\"n\">")?.1.split('<').next()?.to_owned())
    }

    /// Whether the page says this, as it is read.
    pub fn says(&self, text: &str) -> bool {
        unescaped(&self.text).contains(text)
    }

    /// Fails unless the page has this status and says this.
    #[track_caller]
    pub fn is(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.says(text), "“{text}” isn't in {}", self.text);
    }
}

impl Visitor {
    /// Opens a form, changes some fields and sends it by a button.
    pub async fn fill(&mut self, path: &str, changes: &[(&str, &str)], button: &str) -> Page {
        let form = self.get(path).await.record().with(changes).with(&[(button, "1")]);
        self.post(path.split('?').next().unwrap(), &form.pairs()).await
    }

    /// Says the password again, so that it isn't asked for in the next 15 minutes.
    pub async fn confirms(&mut self) {
        let page = self.post("/admin/sudo", &[("sudo_password", PASSWORD)]).await;
        assert_eq!(page.leads_to(), "/admin/");
    }
}

/// An administrator called ann, who has said her password again, and her site.
pub async fn office(engine: Engine) -> (Site, Visitor) {
    office_with(engine, Options::default()).await
}

pub async fn office_with(engine: Engine, options: Options) -> (Site, Visitor) {
    let site = Site::with(engine, options).await;
    let mut ann = Visitor::admin(&site, "ann").await;
    ann.confirms().await;
    (site, ann)
}

impl Site {
    /// Numbers from the database.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        let mut conn = self.app.db.read().await.unwrap();
        on_db!(conn, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
    }

    /// One text from the database.
    pub async fn text(&self, sql: &str) -> String {
        let mut conn = self.app.db.read().await.unwrap();
        on_db!(conn, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    /// `count` more people, p1 and so on, of whom many have equal values; nobody knows their passwords.
    pub async fn people(&self, count: i64) {
        self.sql(&format!(
            "insert into users (username, username_folded, email, email_folded, password_hash, first_name, last_name,
                                role, is_active, last_seen_at, created_at, updated_at, first_name_folded, last_name_folded)
             with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < {count})
             select 'p' || i, 'p' || i, 'p' || i || '@example.net', 'p' || i || '@example.net', '$argon2id$none',
                    'First' || (i % 10), 'Last' || (i % 7), case when i % 50 = 0 then 'moderator' else 'user' end,
                    i % 7 <> 0, case when i % 3 = 0 then null else 1700000000000000 + (i % 40) * 1000000 end,
                    1600000000000000 + (i % 90) * 86400000000, 1600000000000000, 'first' || (i % 10), 'last' || (i % 7)
             from n"
        ))
        .await;
    }

    /// A row of each model, with the id 1 or the first one free; returns the id by slug. There must be two accounts.
    pub async fn furnish(&self) {
        for sql in [
            "insert into rooms (kind, name, name_folded, description, created_by, member_count, last_seq, last_rev,
                                last_message_at, created_at, updated_at)
             values ('group', 'Plans', 'plans', 'Of all kinds', 1, 2, 1, 1, 5000000, 5000000, 5000000)",
            "insert into memberships (room_id, user_id, role, joined_at) values (1, 1, 'owner', 5000000), (1, 2, 'member', 5000000)",
            "insert into messages (room_id, seq, rev, sender_id, content, html, created_at)
             values (1, 1, 1, 2, 'The quick brown fox', '<p>The quick brown fox</p>', 5000000)",
            "insert into message_edits (message_id, user_id, content, created_at) values (1, 2, 'The slow fox', 5000000)",
            "insert into pins (message_id, room_id, pinned_by, created_at) values (1, 1, 1, 5000000)",
            "insert into attachments (message_id, uploader_id, filename, content_type, size, sha256, created_at)
             values (1, 2, 'Fox.png', 'image/png', 12345, 'abc', 5000000)",
            "insert into reactions (message_id, user_id, emoji, created_at) values (1, 1, '👍', 5000000)",
            "insert into interests (sender_id, recipient_id, note, created_at) values (1, 2, 'Hello?', 5000000)",
            "insert into blocks (user_id, blocked_id, created_at) values (1, 2, 5000000)",
            "insert into notifications (user_id, kind, message_id, room_id, actor_id, created_at)
             values (1, 'mention', 1, 1, 2, 5000000)",
            "insert into password_reset_tokens (user_id, token_hash, created_at, expires_at)
             values (2, 'SECRETHASHOFRESET', 5000000, 9000000000000000)",
            "insert into invitations (email, token_hash, invited_by, created_at, expires_at)
             values ('new@example.org', 'SECRETHASHOFINVITATION', 1, 5000000, 6000000)",
            "insert into api_tokens (user_id, name, token_hash, created_at) values (2, 'Bot', 'SECRETHASHOFTOKEN', 5000000)",
            "insert into emails (\"to\", subject, text, html, last_error, created_at)
             values ('bob@example.org', 'Your link', 'SECRETLINK', '<p>SECRETLINK</p>', 'SECRETERROR', 5000000)",
            "insert into reports (message_id, reporter_id, reason, created_at) values (1, 1, 'Too quick', 5000000)",
            "insert into audit_entries (actor_id, action, model, object_id, object_label, changes, ip, created_at) values
             (1, 'change', 'rooms', '1', 'Plans', '{\"description\":{\"before\":\"Was\",\"after\":\"Of all kinds\"}}', '127.0.0.1', 5000000),
             (1, 'delete', 'sessions', '77', 'SECRETSESSION', '{}', '127.0.0.1', 5000000),
             (1, 'create', 'emails', '1', 'Your link', '{\"text\":{\"before\":null,\"after\":\"SECRETLINK\"}}', '127.0.0.1', 5000000)",
        ] {
            self.sql(sql).await;
        }
    }

    /// More rows of each model, with other values, for lists; after `furnish`.
    pub async fn furnish_again(&self) {
        for (table, columns, values) in [
            (
                "rooms",
                "kind, name, name_folded, last_seq, last_message_at, created_at, updated_at",
                "'public', 'Hall', 'hall', 9, 1, 1, 1",
            ),
            ("messages", "room_id, seq, rev, content, html, edited_at, created_at", "1, 2, 2, 'a b c', '', 7, 5000000"),
            ("message_edits", "message_id, content, created_at", "2, 'a b', 5000000"),
            ("pins", "message_id, room_id, pinned_by, created_at", "2, 1, 2, 6000000"),
            (
                "attachments",
                "message_id, filename, content_type, size, sha256, created_at",
                "2, 'a.txt', 'text/plain', 1, 'x', 9",
            ),
            ("reactions", "message_id, user_id, emoji, created_at", "2, 2, 'x', 5000000"),
            (
                "interests",
                "sender_id, recipient_id, status, created_at, decided_at",
                "2, 1, 'rejected', 5000000, 6000000",
            ),
            ("blocks", "user_id, blocked_id, created_at", "2, 1, 6000000"),
            ("notifications", "user_id, kind, read_at, created_at", "2, 'interest', 9, 5000000"),
            (
                "password_reset_tokens",
                "user_id, token_hash, created_at, expires_at, used_at",
                "1, 'OTHER', 7, 9000000000000000, 8",
            ),
            (
                "invitations",
                "email, token_hash, invited_by, user_id, created_at, expires_at, used_at",
                "'old@example.org', 'OTHER', 2, 1, 7, 6000000, 8",
            ),
            ("api_tokens", "user_id, name, token_hash, created_at, revoked_at", "1, 'Old', 'OTHER', 5000000, 9"),
            ("emails", "\"to\", subject, text, status, attempts, created_at", "'a', 'Other', '', 'failed', 3, 5000000"),
            ("reports", "message_id, reason, status, handled_by, created_at", "2, 'Bad', 'resolved', 1, 5000000"),
            ("audit_entries", "action, model, object_id, object_label, created_at", "'create', 'users', '2', 'bob', 9"),
        ] {
            self.sql(&format!("insert into {table} ({columns}) values ({values})")).await;
        }
    }
}
