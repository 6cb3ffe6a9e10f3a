//! Acts on ticked rows, or on all that fit: asked for once more, then done. `/admin/{slug}/action`.

use std::borrow::Cow;
use std::time::Duration;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::frame::{Frame, framed};
use super::grant::{Grant, View};
use super::{exports, sudo};
use crate::admin::bulk::{self, Deed, Outcome};
use crate::admin::form::Sent;
use crate::admin::label::Labels;
use crate::admin::query::{Query, shortened};
use crate::admin::resource::{Act, Resource};
use crate::admin::value::Key;
use crate::admin::{change, permission, record};
use crate::error::{Error, Result};
use crate::i18n;
use crate::users::Person;
use crate::web::extract::Fields;
use crate::web::render::PageError;

/// The field that says how many rows were confirmed.
const COUNT: &str = "count";
/// Shorter than a request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Names shown of the rows that it will be done to.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "admin/confirm.html")]
struct ConfirmPage {
    chrome: Frame,
    resource: &'static Resource,
    /// What is done, and what that means.
    label: Cow<'static, str>,
    meaning: Cow<'static, str>,
    destructive: bool,
    count: usize,
    names: Vec<(String, String)>,
    kept: Vec<(String, String)>,
    back: String,
}

#[derive(Template)]
#[template(path = "admin/outcome.html")]
struct OutcomePage {
    chrome: Frame,
    resource: &'static Resource,
    done: usize,
    refused: Vec<(String, String, String)>,
    back: String,
}

/// `POST /admin/{slug}/action`: `action`, and `ids` or `all` with the list's query as `list`. Without `confirm` it
/// asks. Cost: bounded by 10,000 rows.
pub async fn act(grant: Grant<View>, Fields(pairs): Fields<Vec<(String, String)>>) -> Result<Response, PageError> {
    let sent = Sent(pairs);
    let Grant { app, person, ip, resource, .. } = &grant;
    let keys = keys(&grant, &sent).await?;
    if keys.is_empty() {
        return Err(Error::Malformed(tr!("Nothing was ticked: tick some {} first.", resource.plural())))?;
    }
    if sent.get("action") == Some("export") {
        return exports::of_ticked(&grant, &sent, keys).await;
    }
    let deed = deed(resource, person, sent.get("action").unwrap_or_default())?;
    if !sent.has("confirm") {
        return Ok(framed(StatusCode::OK, &ConfirmPage::load(&grant, &sent, deed, &keys).await?));
    }
    if sent.get(COUNT).is_some_and(|count| count != keys.len().to_string()) {
        return Err(Error::Conflict(msgid!(
            "The list has changed since it was shown, so nothing was done. Look at it again."
        )))?;
    }
    let asks = match deed {
        Deed::Delete => true,
        Deed::Act(action) => action.sudo,
    };
    if asks {
        let path = format!("/admin/{}/action", resource.slug);
        let why = tr!("This is done to several records at once, or can do much harm.");
        if let Some(page) = sudo::ask(app, person, &sent, &path, &why, &[]).await? {
            return Ok(page);
        }
    }
    // Not to be cut off in the middle by a browser that goes away.
    let (app, person, ip, resource) = (app.clone(), person.clone(), ip.clone(), *resource);
    let run = async move { bulk::run(&app, &person, &ip, resource, deed, &keys).await };
    let run = tokio::spawn(i18n::within(i18n::current(), run));
    let Ok(run) = tokio::time::timeout(PATIENCE, run).await else {
        return Err(Error::Conflict(msgid!(
            "This takes long: it goes on by itself, and history shows how far it is. Don't repeat it."
        )))?;
    };
    let outcome = run.map_err(Error::internal)??;
    answer(&grant, &sent, outcome).await
}

fn deed(resource: &'static Resource, person: &Person, name: &str) -> Result<Deed> {
    if name == "delete" {
        permission::require(resource, person, Act::Delete)?;
        return Ok(Deed::Delete);
    }
    let unknown = || {
        Error::Malformed(tr!("{models} have no action “{name}”.", models = resource.plural(), name = shortened(name)))
    };
    let action = resource.action(name).ok_or_else(unknown)?;
    if !change::may_act(resource, person, action) {
        return Err(Error::Forbidden(msgid!("Your role can't do that.")));
    }
    Ok(Deed::Act(action))
}

/// The rows that it is to be done to, each once.
async fn keys(grant: &Grant<View>, sent: &Sent) -> Result<Vec<Key>> {
    let Grant { app, person, resource, .. } = grant;
    if sent.has("all") {
        let query = Query::parse(resource, person, sent.get("list").unwrap_or_default())?;
        return bulk::matching(&mut app.db.read().await?, resource, person, &query).await;
    }
    let mut keys = Vec::new();
    for id in sent.all("ids") {
        let unknown = || Error::Malformed(tr!("“{}” names no record.", shortened(id)));
        keys.push(resource.parse_key(id).ok_or_else(unknown)?);
    }
    keys.sort();
    keys.dedup();
    if keys.len() > bulk::MOST {
        return Err(bulk::TOO_MANY);
    }
    Ok(keys)
}

/// Back to the row's own page, or to the list as it was.
fn back(resource: &Resource, sent: &Sent) -> String {
    match sent.get("back").and_then(|id| resource.parse_key(id)) {
        Some(key) => format!("/admin/{}/{key}/?", resource.slug),
        None => format!("/admin/{}/?{}", resource.slug, sent.list()),
    }
}

async fn answer(grant: &Grant<View>, sent: &Sent, outcome: Outcome) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = grant;
    let back = back(resource, sent);
    if outcome.refused.is_empty() {
        return Ok(Redirect::to(&format!("{back}&done=done-{}", outcome.done)).into_response());
    }
    let names = names(grant, outcome.refused.iter().map(|(key, _)| key)).await?;
    let refused = outcome.refused.into_iter().map(|(key, why)| {
        let name = names.iter().find(|(id, _)| *id == key.to_string()).map(|(_, name)| name.clone());
        (key.to_string(), name.unwrap_or_else(|| format!("{} {key}", resource.singular())), why)
    });
    let page = OutcomePage {
        chrome: Frame::new(app, person, tr!("Not all of it could be done")).at(resource.slug),
        resource,
        done: outcome.done,
        refused: refused.take(100).collect(),
        back,
    };
    Ok(framed(StatusCode::CONFLICT, &page))
}

/// What the first of `keys` are called.
async fn names<'a>(grant: &Grant<View>, keys: impl Iterator<Item = &'a Key>) -> Result<Vec<(String, String)>> {
    let mut conn = grant.app.db.read().await?;
    let rows = record::named(&mut conn, grant.resource, keys.take(100).map(Key::id)).await?;
    let labels = Labels::of(&mut conn, &rows).await?;
    Ok(rows.iter().map(|row| (row.key.to_string(), labels.name(grant.resource, row))).collect())
}

/// What was sent, and how many rows that means now.
fn kept(sent: &Sent, count: usize) -> Vec<(String, String)> {
    let own = |name: &str| name == sudo::FIELD || name == COUNT;
    let kept = sent.0.iter().filter(|(name, _)| !own(name)).cloned();
    kept.chain([(COUNT.to_owned(), count.to_string())]).collect()
}

impl ConfirmPage {
    async fn load(grant: &Grant<View>, sent: &Sent, deed: Deed, keys: &[Key]) -> Result<Self> {
        let Grant { app, person, resource, .. } = grant;
        let (label, meaning, destructive) = match deed {
            Deed::Delete if resource.delete_note.is_empty() => {
                (tr!("Delete"), tr!("They are gone for good, with what belongs to them."), true)
            }
            Deed::Delete => (tr!("Delete"), resource.delete_note(), true),
            Deed::Act(action) => (action.label(), action.confirm(), action.destructive),
        };
        let title = tr!("{}: are you sure?", label);
        Ok(Self {
            chrome: Frame::new(app, person, title).at(resource.slug),
            resource,
            label,
            meaning,
            destructive,
            count: keys.len(),
            names: names(grant, keys.iter().take(NAMED)).await?,
            kept: kept(sent, keys.len()),
            back: back(resource, sent),
        })
    }
}
