//! The form of a row: `/admin/{slug}/add` and `/admin/{slug}/{id}/`.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::fields::{Section, sections};
use super::frame::{Frame, framed};
use super::grant::{Add, Change, Grant, View};
use super::inlines::{Related, related};
use super::lists::{form_pair, without_done};
use super::{choosing, previews, sudo};
use crate::admin::change::{self, Saved};
use crate::admin::form::{self, Sent, needs_sudo};
use crate::admin::label::Labels;
use crate::admin::resource::{Act, Action, Resource, Typed};
use crate::admin::value::{Key, Row};
use crate::admin::{permission, record};
use crate::app::App;
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::users::Person;
use crate::web::extract::Fields;
use crate::web::render::PageError;
use crate::work::Work;

pub struct FormPages;

#[derive(Template)]
#[template(path = "admin/form.html")]
struct FormPage {
    chrome: Frame,
    resource: &'static Resource,
    /// Empty for a new row.
    key: String,
    sections: Vec<Section>,
    errors: FieldErrors,
    /// What no single field is to blame for.
    refusal: String,
    /// Of a stale form: each field that differs, as it is now and as it was typed.
    stale: Vec<(String, String, String)>,
    version: String,
    token: String,
    list: String,
    related: Vec<Related>,
    actions: Vec<&'static Action>,
    preview: bool,
    may_change: bool,
    may_delete: bool,
    may_add: bool,
}

impl FormPages {
    /// `GET /admin/{slug}/add`; what the address gives is filled in.
    pub async fn add(grant: Grant<Add>, RawQuery(query): RawQuery) -> Result<Response, PageError> {
        let mut sent = Sent(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect());
        // Nobody else's: a form with a token that was used is taken for one that was sent before.
        sent.0.retain(|(name, _)| name != "form_token" && name != "version");
        let Grant { app, person, resource, .. } = &grant;
        let shown = FormPage::load(app, person, resource, None, &sent).await?;
        Ok(framed(StatusCode::OK, &shown))
    }

    /// `POST /admin/{slug}/add`.
    pub async fn create(
        grant: Grant<Add>,
        Fields(pairs): Fields<Vec<(String, String)>>,
    ) -> Result<Response, PageError> {
        let sent = Sent(pairs);
        let Grant { app, person, ip, resource, .. } = &grant;
        let who = Who { app, person, ip, resource };
        if let Some(answer) = who.asks_back(&sent, None).await? {
            return Ok(answer);
        }
        let made = who.create(&sent).await?;
        who.answer(made, None, &sent, "added").await
    }

    /// `GET /admin/{slug}/{id}/`.
    pub async fn change(
        grant: Grant<View>,
        Path((_, id)): Path<(String, String)>,
        RawQuery(query): RawQuery,
    ) -> Result<Response, PageError> {
        let Grant { app, person, resource, .. } = &grant;
        let (query, done) = without_done(&query.unwrap_or_default());
        let mut sent = Sent(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        // Of the address only the list to go back to: what a form holds comes by the form.
        sent.0.retain(|(name, _)| name == "list");
        let row = find(app, person, resource, &id).await?;
        let mut shown = FormPage::load(app, person, resource, Some(&row), &sent).await?;
        shown.chrome = shown.chrome.saying(&done);
        let page = framed(StatusCode::OK, &shown);
        Ok(if shown.preview { previews::framing(page) } else { page })
    }

    /// `POST /admin/{slug}/{id}/`.
    pub async fn save(
        grant: Grant<Change>,
        Path((_, id)): Path<(String, String)>,
        Fields(pairs): Fields<Vec<(String, String)>>,
    ) -> Result<Response, PageError> {
        let mut sent = Sent(pairs);
        let Grant { app, person, ip, resource, .. } = &grant;
        let who = Who { app, person, ip, resource };
        let row = find(app, person, resource, &id).await?;
        permission::require_row(resource, person, Act::Change, &row)?;
        if sent.has("_saveasnew") {
            copy_what_is_typed_once(resource, &row, &mut sent);
        }
        if let Some(answer) = who.asks_back(&sent, Some(&row)).await? {
            return Ok(answer);
        }
        if sent.has("_saveasnew") {
            permission::require(resource, person, Act::Add)?;
            let made = who.create(&sent).await?;
            return who.answer(made, None, &sent, "added").await;
        }
        match who.update(&row.key, &sent).await? {
            Ok((Saved::Yes, key)) => who.answer(Ok(key), Some(&row), &sent, "saved").await,
            Ok((Saved::Unchanged, key)) => who.answer(Ok(key), Some(&row), &sent, "unchanged").await,
            Ok((Saved::Stale(now), _)) => {
                let shown = FormPage::stale(app, person, resource, &now, &sent).await?;
                Ok(framed(StatusCode::CONFLICT, &shown))
            }
            Err(error) => who.answer(Err(error), Some(&row), &sent, "").await,
        }
    }
}

/// What a form shows but doesn't take of a row that is there goes along into a new one made of it.
fn copy_what_is_typed_once(resource: &Resource, row: &Row, sent: &mut Sent) {
    for column in resource.columns.iter().filter(|column| column.typed == Typed::Once) {
        if !sent.has(column.name) {
            sent.0.push((column.name.to_owned(), row.get(column.name).plain()));
        }
    }
}

/// The row that an address names.
pub async fn find(app: &App, person: &Person, resource: &'static Resource, id: &str) -> Result<Row> {
    let key = resource.parse_key(id).ok_or(record::NOT_THERE)?;
    record::read(&mut app.db.read().await?, resource, person, &key).await
}

/// What a form's own fields are wrong with, or a rule that refuses; everything else is a fault.
type Tried<T> = Result<T, Refused>;

enum Refused {
    Fields(FieldErrors),
    Rule(Error),
}

impl Refused {
    /// Errors: what isn't a refusal.
    fn of<T>(done: Result<T>) -> Result<Tried<T>> {
        match done {
            Ok(value) => Ok(Ok(value)),
            Err(Error::Invalid(errors)) => Ok(Err(Self::Fields(errors))),
            Err(error @ (Error::Conflict(_) | Error::Forbidden(_))) => Ok(Err(Self::Rule(error))),
            Err(error) => Err(error),
        }
    }
}

/// Who saves what.
struct Who<'a> {
    app: &'a App,
    person: &'a Person,
    ip: &'a str,
    resource: &'static Resource,
}

impl Who<'_> {
    async fn work(&self) -> Result<Work> {
        let mut work = Work::begin(self.app, Some(self.person)).await?;
        work.ip = self.ip.to_owned();
        Ok(work)
    }

    /// What the form asks before it saves: a row to look up, the choice made there, or the password again.
    async fn asks_back(&self, sent: &Sent, row: Option<&Row>) -> Result<Option<Response>> {
        let Self { app, person, resource, .. } = self;
        if let Some(name) = sent.get("_lookup") {
            let column = permission::column(resource, person, name)?;
            let path = self.path(row.map(|row| &row.key));
            return choosing::for_form(app, person, resource, column, &path, sent).await.map(Some);
        }
        if sent.has("_chosen") {
            let shown = FormPage::load(app, person, resource, row, sent).await?;
            return Ok(Some(framed(StatusCode::OK, &shown)));
        }
        // Saved as new, all that was typed counts, not only what differs from the row that it was typed over.
        let row = row.filter(|_| !sent.has("_saveasnew"));
        let mut conn = app.db.read().await?;
        let input = form::read(&mut conn, resource, person, row, sent).await;
        drop(conn);
        let input = match input {
            Ok(input) => input,
            // Told by the save, with everything else that is wrong.
            Err(Error::Invalid(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !needs_sudo(resource, &input, row.is_none()) {
            return Ok(None);
        }
        let path = self.path(row.map(|row| &row.key));
        let why = tr!("This changes what an account may do, or how it is protected.");
        sudo::ask(app, person, sent, &path, &why, resource.passwords).await
    }

    fn path(&self, key: Option<&Key>) -> String {
        match key {
            Some(key) => format!("/admin/{}/{key}/", self.resource.slug),
            None => format!("/admin/{}/add", self.resource.slug),
        }
    }

    async fn create(&self, sent: &Sent) -> Result<Tried<Key>> {
        let is_token = |token: &&str| token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit());
        let token = sent.get("form_token").filter(is_token);
        if let Some(made) = self.made_before(token).await? {
            return Ok(Ok(made));
        }
        let done = async {
            let mut conn = self.app.db.read().await?;
            let input = form::read(&mut conn, self.resource, self.person, None, sent).await?;
            drop(conn);
            let mut work = self.work().await?;
            let key = change::create(&mut work, self.resource, &input, token).await?;
            work.commit().await?;
            Ok(key)
        };
        let made = Refused::of(done.await)?;
        // Refused perhaps because the same form, sent twice at once, has been done meanwhile.
        match (made, self.made_before(token).await?) {
            (Err(_), Some(key)) => Ok(Ok(key)),
            (made, _) => Ok(made),
        }
    }

    /// What the form with this token made, when it is sent for the second time.
    async fn made_before(&self, token: Option<&str>) -> Result<Option<Key>> {
        let Some(token) = token else { return Ok(None) };
        let made = audit::made_by(&mut self.app.db.read().await?, self.person.id, self.resource.slug, token).await?;
        Ok(made.and_then(|made| self.resource.parse_key(&made)))
    }

    async fn update(&self, key: &Key, sent: &Sent) -> Result<Tried<(Saved, Key)>> {
        let done = async {
            let mut conn = self.app.db.read().await?;
            let row = record::find(&mut conn, self.resource, key).await?.ok_or(record::NOT_THERE)?;
            let input = form::read(&mut conn, self.resource, self.person, Some(&row), sent).await?;
            drop(conn);
            let mut work = self.work().await?;
            let version = sent.get("version").filter(|version| !version.is_empty());
            let saved = change::update(&mut work, self.resource, key, &input, version, "change").await?;
            work.commit().await?;
            Ok((saved, key.clone()))
        };
        Refused::of(done.await)
    }

    /// Where the browser goes once it is saved; or the form again, with what is wrong.
    async fn answer(
        &self,
        done: Tried<Key>,
        row: Option<&Row>,
        sent: &Sent,
        code: &str,
    ) -> Result<Response, PageError> {
        let slug = self.resource.slug;
        let list = sent.list();
        let refused = match done {
            Ok(key) => {
                let list_pair = if list.is_empty() { String::new() } else { format!("&{}", form_pair("list", &list)) };
                let to = if sent.has("_continue") {
                    format!("/admin/{slug}/{key}/?done={code}{list_pair}")
                } else if sent.has("_addanother") {
                    format!("/admin/{slug}/add?done={code}{list_pair}")
                } else if list.is_empty() {
                    format!("/admin/{slug}/?done={code}")
                } else {
                    format!("/admin/{slug}/?{list}&done={code}")
                };
                return Ok(Redirect::to(&to).into_response());
            }
            Err(refused) => refused,
        };
        let mut shown = FormPage::load(self.app, self.person, self.resource, row, sent).await?;
        let status = match refused {
            Refused::Fields(errors) => {
                shown.blame(errors);
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refused::Rule(error) => {
                shown.refusal = error.to_string();
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::CONFLICT)
            }
        };
        Ok(framed(status, &shown))
    }
}

impl FormPage {
    async fn load(
        app: &App,
        person: &Person,
        resource: &'static Resource,
        row: Option<&Row>,
        sent: &Sent,
    ) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let rows: Vec<Row> = row.cloned().into_iter().collect();
        let labels = Labels::of(&mut conn, &rows).await?;
        let may = |act| match row {
            Some(row) => permission::require_row(resource, person, act, row).is_ok(),
            None => permission::may(resource, person, act),
        };
        let may_change = if row.is_some() { may(Act::Change) } else { may(Act::Add) };
        let sections = sections(&mut conn, person, resource, row, sent, &labels, may_change).await?;
        let related = match row {
            Some(row) => related(&mut conn, person, resource, &row.key).await?,
            None => Vec::new(),
        };
        let title = match row {
            Some(row) => labels.name(resource, row),
            None => tr!("Add {}", resource.singular()),
        };
        let actions =
            resource.actions.iter().filter(|action| row.is_some() && change::may_act(resource, person, action));
        let full = match row {
            Some(row) => record::find(&mut conn, resource, &row.key).await?,
            None => None,
        };
        let (_, done) = without_done(&form_pair("done", sent.get("done").unwrap_or_default()));
        Ok(Self {
            chrome: Frame::new(app, person, title).at(resource.slug).saying(&done),
            resource,
            key: row.map(|row| row.key.to_string()).unwrap_or_default(),
            sections,
            errors: FieldErrors::default(),
            refusal: String::new(),
            stale: Vec::new(),
            version: match sent.get("version") {
                Some(version) => version.to_owned(),
                None => full.map(|full| form::version(resource, &full)).unwrap_or_default(),
            },
            token: sent.get("form_token").map_or_else(crate::auth::random_token, str::to_owned),
            list: sent.list(),
            related,
            actions: actions.collect(),
            preview: row.is_some() && resource.preview.is_some() && person.is_admin(),
            may_change,
            may_delete: row.is_some() && may(Act::Delete),
            may_add: permission::may(resource, person, Act::Add),
        })
    }

    /// The form of a row that somebody else has saved since: what was typed, beside what stands now.
    async fn stale(app: &App, person: &Person, resource: &'static Resource, now: &Row, sent: &Sent) -> Result<Self> {
        let mut fresh = sent.clone();
        fresh.0.retain(|(name, _)| name != "version");
        fresh.0.push(("version".into(), form::version(resource, now)));
        let mut shown = Self::load(app, person, resource, Some(now), &fresh).await?;
        for field in shown.sections.iter().flat_map(|section| &section.fields).filter(|field| field.is_typed) {
            if field.stored != field.value {
                shown.stale.push((field.title.clone(), field.stored.clone(), field.value.clone()));
            }
        }
        Ok(shown)
    }

    /// Puts messages beside their fields; those of no field of the form above it.
    fn blame(&mut self, errors: FieldErrors) {
        for field in self.sections.iter_mut().flat_map(|section| &mut section.fields) {
            field.error = errors.of(field.name);
        }
        let fields = self.sections.iter().flat_map(|section| &section.fields);
        let known: Vec<&str> = fields.filter(|field| field.is_typed).map(|field| field.name).collect();
        let elsewhere = errors.0.iter().filter(|(name, _)| !known.contains(name));
        self.refusal = elsewhere.flat_map(|(_, messages)| messages).cloned().collect::<Vec<_>>().join(" ");
        self.errors = errors;
    }
}
