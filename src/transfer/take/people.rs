//! People who come: who has an account here by the same address is that person, and stays as they are here; others get an
//! account, under another name where theirs is somebody else's. A name alone makes nobody the same. Called by `transfer::take`.

use std::collections::{HashMap, HashSet};

use super::Taking;
use super::row::{set, text};
use crate::admin::value::Value;
use crate::db::Conn;
use crate::db::values::{MOST_ROWS, over, room_for};
use crate::error::Result;
use crate::text::fold;
use crate::transfer::lines::{Line, Lines};
use crate::transfer::mapping::MET;
use crate::users;

/// Characters of a user name.
const LONGEST_NAME: usize = 32;

impl Taking<'_> {
    /// Those who get an account, under the names that they get; and those who have one here, with its id.
    pub(super) async fn meet(
        &mut self,
        conn: &mut Conn,
        lines: &Lines,
        batch: Vec<Line>,
    ) -> Result<(Vec<Line>, Vec<(String, i64)>)> {
        if self.keeps_ids {
            return Ok((batch, Vec::new()));
        }
        let addresses: Vec<String> = batch.iter().map(|line| fold(text(lines, line, "email"))).collect();
        let names: Vec<String> = batch.iter().map(|line| fold(text(lines, line, "username"))).collect();
        let met_by_address = taken(conn, "email_folded", &addresses).await?;
        let mut names_taken: HashSet<String> = taken(conn, "username_folded", &names).await?.into_keys().collect();
        let (mut fresh, mut met) = (Vec::new(), Vec::new());
        for (mut line, address) in batch.into_iter().zip(addresses) {
            let name = text(lines, &line, "username").to_owned();
            if let Some(ours) = met_by_address.get(&address) {
                self.report.here("users", 1);
                self.report.note("People who have an account here by the same address, and keep it as it is", name);
                met.push((line.theirs, *ours));
                continue;
            }
            let free = free_name(conn, &name, &names_taken).await?;
            names_taken.insert(fold(&free));
            if free != name {
                self.report.note(
                    "People whose name is somebody else's here, and what they are called",
                    format!("{name} → {free}"),
                );
                set(lines, &mut line, "username", Value::Text(free));
            }
            self.admit(lines, &mut line);
            fresh.push(line);
        }
        Ok((fresh, met))
    }

    /// What a newcomer may: nobody gets rights over a site by an import, nor comes in without a password.
    fn admit(&mut self, lines: &Lines, line: &mut Line) {
        let (name, role) = (text(lines, line, "username").to_owned(), text(lines, line, "role").to_owned());
        if role != "user" {
            set(lines, line, "role", Value::Text("user".to_owned()));
            self.report.note(
                "Staff elsewhere, who are users here: switchboard user role NAME ROLE",
                format!("{name} ({role})"),
            );
        }
        if text(lines, line, "password_hash").is_empty() {
            set(lines, line, "password_hash", Value::Text(self.closed.clone()));
        }
    }

    pub(super) async fn store_people(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        let (fresh, met) = self.meet(conn, lines, fresh).await?;
        let source = self.source()?;
        source.remember(conn, "users", met.clone()).await?;
        source.remember(conn, MET, met).await?;
        let folded: Vec<[String; 4]> =
            fresh.iter().map(|line| FOLDED.map(|(_, of)| fold(text(lines, line, of)))).collect();
        let mut rows = self.rows(conn, lines, fresh).await?;
        for (row, folded) in rows.iter_mut().zip(folded) {
            row.values.extend(folded.map(Into::into));
        }
        self.insert(conn, lines, rows, &FOLDED.map(|(name, _)| name), false).await.map(|_| ())
    }

    /// What belongs to people's accounts: nothing of it comes to one that was here.
    pub(super) async fn store_of_new_people(
        &mut self,
        conn: &mut Conn,
        lines: &Lines,
        mut fresh: Vec<Line>,
    ) -> Result<()> {
        let owner = |line: &Line| match lines.model.resource.key {
            "user_id" => line.theirs.clone(),
            _ => text(lines, line, "user_id").to_owned(),
        };
        let owners: Vec<String> = fresh.iter().map(owner).collect();
        let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
        let met = self.source()?.came(conn, MET, &owners).await?;
        let before = fresh.len();
        fresh.retain(|line| !met.contains_key(&owner(line)));
        let slug = lines.model.slug();
        self.report.left(
            slug,
            "their owners have an account here, which stays as it is",
            (before - fresh.len()) as u64,
        );
        if slug == "two-factors" {
            self.warn_of_factors(lines, &fresh)?;
        }
        self.store_plainly(conn, lines, fresh).await.map(|_| ())
    }

    /// A second factor that this site's key doesn't open keeps its owner out, rather than letting them in without it.
    fn warn_of_factors(&mut self, lines: &Lines, fresh: &[Line]) -> Result<()> {
        for line in fresh {
            if self.app.keys.open(crate::auth::keys::Purpose::TwoFactor, text(lines, line, "secret"))?.is_none() {
                self.report.note(
                    "People whose second factor is sealed with another SECRET_KEY: they can't sign in before you take that key \
                     along, or run switchboard user reset-two-factor NAME",
                    format!("account {} there", line.theirs),
                );
            }
        }
        Ok(())
    }
}

/// Columns that are searched and kept apart by, and what each is made of.
const FOLDED: [(&str, &str); 4] = [
    ("username_folded", "username"),
    ("email_folded", "email"),
    ("first_name_folded", "first_name"),
    ("last_name_folded", "last_name"),
];

/// Which of `values` somebody has in `column`, and who. Cost: 1 indexed query for each 64.
async fn taken(conn: &mut Conn, column: &str, values: &[String]) -> Result<HashMap<String, i64>> {
    let mut found = HashMap::new();
    let before = format!("select {column}, id from users where {column} in (values");
    for values in values.chunks(MOST_ROWS) {
        let rows = values.iter().map(|value| [value.as_str().into()]).collect();
        let asked = over(&before, rows, ["".into()], room_for(values.len()), ")");
        found.extend(conn.run_one(asked).await?.read::<(String, i64)>()?);
    }
    Ok(found)
}

/// `name`, or the first of `name-2`, `name-3` … that nobody has.
async fn free_name(conn: &mut Conn, name: &str, taken: &HashSet<String>) -> Result<String> {
    if !taken.contains(&fold(name)) {
        return Ok(name.to_owned());
    }
    let mut number = 2;
    loop {
        let end = format!("-{number}");
        let most = LONGEST_NAME - end.len();
        let free = format!("{}{end}", name.get(..most).unwrap_or(name));
        if !taken.contains(&fold(&free)) && users::by_name(conn, &free).await?.is_none() {
            return Ok(free);
        }
        number += 1;
    }
}
