//! Where the values of an answer lead: ids to what they are the ids of, paths and addresses of this site to themselves.
//! Called by [`super::highlight`] and [`super::page`].

use super::super::ROOT;
use super::super::document::{Document, Place, is_parameter};

/// What an id is the id of, by the name of its field: where that is, under the API's root.
const BY_NAME: [(&[&str], &str); 4] = [
    (&["room_id"], "/chat/rooms"),
    (
        &[
            "user_id",
            "sender_id",
            "recipient_id",
            "actor_id",
            "member_id",
            "uploader_id",
            "reporter_id",
            "created_by",
            "handled_by",
        ],
        "/users",
    ),
    (&["message_id", "reply_to"], "/chat/messages"),
    (&["attachment_id"], "/chat/attachments"),
];
/// The same for `id` itself, by the name of the object that has it.
const BY_HOLDER: [(&[&str], &str); 4] = [
    (&["room"], "/chat/rooms"),
    (&["user", "sender", "recipient", "actor"], "/users"),
    (&["message", "messages", "last_message"], "/chat/messages"),
    (&["attachments"], "/chat/attachments"),
];
/// Where a text that is a path leads somewhere.
const LINKED: [&str; 4] = [ROOT, "/avatars", "/docs", "/redoc"];

/// The links of one answer.
pub struct Links<'a> {
    document: &'a Document,
    /// The site's own, as `https://chat.example`.
    origin: String,
    /// Where the things stand whose ids this address's answers hold.
    collection: Option<String>,
}

impl<'a> Links<'a> {
    pub fn new(document: &'a Document, origin: String, path: &str, place: Option<Place<'a>>) -> Self {
        let collection = place.and_then(|place| collection(document, path, place.template));
        Self { document, origin, collection }
    }

    /// Where the object leads that has this `id`, in the answer itself (`holder` is empty) or under a name in it.
    pub fn object(&self, holder: &str, id: i64) -> Option<String> {
        match holder {
            "" | "items" => self.under(self.collection.as_deref()?, id),
            _ => self.under(&listed(&BY_HOLDER, holder)?, id),
        }
    }

    /// Where the id under this name leads.
    pub fn reference(&self, name: &str, id: i64) -> Option<String> {
        let one = name.strip_suffix("_ids").map_or_else(|| name.to_owned(), |start| format!("{start}_id"));
        self.under(&listed(&BY_NAME, &one)?, id)
    }

    /// Where a text leads that is a path or an address of this site.
    pub fn text<'t>(&self, text: &'t str) -> Option<&'t str> {
        let path = text.strip_prefix(&self.origin).unwrap_or(text);
        let is_clean = !path.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control());
        let leads =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let is_own = path.len() < text.len() && (path.is_empty() || path.starts_with('/'));
        (is_clean && (is_own || LINKED.iter().any(|root| leads(root)))).then_some(text)
    }

    /// Only where something is described.
    fn under(&self, collection: &str, id: i64) -> Option<String> {
        let path = format!("{collection}/{id}");
        let place = self.document.locate(&path)?;
        place.template.ends_with('}').then_some(path)
    }
}

fn listed(table: &[(&[&str], &str)], name: &str) -> Option<String> {
    let (_, path) = table.iter().find(|(names, _)| names.contains(&name))?;
    Some(format!("{ROOT}{path}"))
}

/// Where the things stand that `path` lists or makes: below it, or at a path of the same part of the API that ends in the
/// same word and an id.
fn collection(document: &Document, path: &str, template: &str) -> Option<String> {
    let below = format!("{template}/{{id}}");
    if document.paths().any(|place| place.template == below) {
        return Some(path.to_owned());
    }
    let part = |template: &str| template.strip_prefix(ROOT).and_then(|rest| rest.split('/').nth(1)).map(str::to_owned);
    let end = format!("/{}/{{id}}", template.rsplit('/').next()?);
    let elsewhere = document.paths().find(|place| {
        let parameters = place.template.split('/').filter(|word| is_parameter(word)).count();
        place.template.ends_with(&end) && parameters == 1 && part(place.template) == part(template)
    })?;
    elsewhere.template.strip_suffix("/{id}").map(str::to_owned)
}
