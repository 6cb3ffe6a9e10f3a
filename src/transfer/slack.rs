//! A Slack workspace's export, the ZIP file that Slack makes: people, channels, private channels, direct chats of two and of
//! more, messages with threads, edits, reactions and pins, and files where they are in it (`__uploads/`). Called by
//! `cli::import`. Nothing is ever fetched.
//!
//! People come without passwords. Talk is read day by day over all channels, so that messages come in the order of their time
//! with the memory of one day; Slack's ids (`U…`, `C…`, and a message's time in its channel) tell what came before. What isn't
//! taken is counted, with the reason.

pub mod archive;
mod blocks;
mod export;
mod mrkdwn;
mod shortcode;
mod talk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::bundle::{Bundle, Files};
use super::staging::{Member, Person, Room, Staging};
use super::take::Step;
use crate::app::App;
use crate::error::{Error, Result};
use archive::Archive;
use export::{Channel, User, moment};

/// The lists of rooms, and what their rooms become.
const LISTS: [(&str, &str); 4] =
    [("channels.json", "public"), ("groups.json", "group"), ("dms.json", "direct"), ("mpims.json", "group")];

/// Reads all of it, and translates it beside the uploads. `told` hears how far it is. Errors: [`Error::Startup`] for what isn't
/// such an export, isn't whole or isn't to be trusted; nothing of the site is touched. Cost: O(bytes), two readings; memory of
/// one day's talk.
pub async fn read(app: &App, zip: &Path, told: impl Fn(Step)) -> Result<Bundle> {
    let mut archive = Archive::open(zip)?;
    told(Step::Reading(archive.entries() as u64 * 2));
    archive.verify(|| told(Step::Read(1)))?;
    let Some(users) = archive.json::<Vec<User>>("users.json")? else {
        return Err(Error::startup(format!("{} is no export of Slack: it has no users.json.", zip.display())));
    };
    let team = users.iter().find_map(|user| user.team_id.clone()).unwrap_or_default();
    let (source, mark) = (format!("slack:{team}"), archive.mark.clone());
    let mut reading = Reading::begin(Staging::begin(app, &source).await?, &mut archive)?;
    reading.people(&users).await?;
    reading.days(&mut archive, &told).await?;
    reading.rooms()?;
    let (staged, report) = reading.staging.finish()?;
    Ok(Bundle {
        source,
        name: "the Slack workspace".to_owned(),
        mark,
        folder: staged.folder.clone(),
        files: Files::Zip(archive),
        manifest: None,
        report,
        staged: Some(staged),
    })
}

/// A room as it stands in one of the lists.
struct Place {
    channel: Channel,
    kind: &'static str,
}

/// An export on its way.
struct Reading<'a> {
    staging: Staging<'a>,
    places: Vec<Place>,
    /// Names of channels by their ids.
    channels: HashMap<String, String>,
    /// User ids by the ids of bots.
    bots: HashMap<String, String>,
    /// The files of each day: of which room, and their names.
    days: BTreeMap<String, Vec<(usize, String)>>,
    /// Entries of files by Slack's id.
    files: HashMap<String, String>,
    /// Who is called what, to be named in lists.
    shown: HashMap<String, String>,
}

impl<'a> Reading<'a> {
    fn begin(staging: Staging<'a>, archive: &mut Archive) -> Result<Self> {
        let mut places = Vec::new();
        for (list, kind) in LISTS {
            let channels: Vec<Channel> = archive.json(list)?.unwrap_or_default();
            places.extend(
                channels.into_iter().filter(|channel| !channel.id.is_empty()).map(|channel| Place { channel, kind }),
            );
        }
        let channels = places.iter().map(|place| (place.channel.id.clone(), place.channel.name.clone())).collect();
        let mut reading = Self {
            staging,
            places,
            channels,
            bots: HashMap::new(),
            days: BTreeMap::new(),
            files: HashMap::new(),
            shown: HashMap::new(),
        };
        reading.sort_entries(archive);
        Ok(reading)
    }

    /// Which entry is whose.
    fn sort_entries(&mut self, archive: &Archive) {
        let mut folders: HashMap<&str, usize> = HashMap::new();
        for (number, place) in self.places.iter().enumerate() {
            folders.insert(&place.channel.id, number);
            if !place.channel.name.is_empty() {
                folders.insert(&place.channel.name, number);
            }
        }
        let mut strange = BTreeSet::new();
        for name in archive.names() {
            if let Some((id, file)) = name.strip_prefix("__uploads/").and_then(|rest| rest.split_once('/')) {
                if !file.is_empty() {
                    self.files.insert(id.to_owned(), name.to_owned());
                }
                continue;
            }
            let Some((folder, file)) = name.split_once('/') else { continue };
            match (folders.get(folder), file.strip_suffix(".json").filter(|day| is_day(day))) {
                (Some(place), Some(day)) => {
                    self.days.entry(day.to_owned()).or_default().push((*place, name.to_owned()))
                }
                _ => {
                    strange.insert(folder);
                }
            }
        }
        self.days.values_mut().for_each(|entries| entries.sort());
        for folder in strange {
            self.staging.report.note("Folders of the export that belong to no channel, and were passed over", folder);
        }
    }

    async fn people(&mut self, users: &[User]) -> Result<()> {
        for user in users.iter().filter(|user| !user.id.is_empty()) {
            let profile = &user.profile;
            if let Some(bot) = &profile.bot_id {
                self.bots.insert(bot.clone(), user.id.clone());
            }
            let real = [&profile.real_name, &user.real_name].into_iter().find(|name| !name.is_empty());
            let (first, last) = match (profile.first_name.as_str(), profile.last_name.as_str()) {
                ("", "") => real.and_then(|name| name.split_once(' ')).unwrap_or((real.map_or("", String::as_str), "")),
                names => names,
            };
            let name =
                [&user.name, &profile.display_name].into_iter().find(|name| !name.is_empty()).unwrap_or(&user.id);
            self.shown.insert(user.id.clone(), real.unwrap_or(name).clone());
            self.staging
                .person(&Person {
                    id: &user.id,
                    name,
                    email: profile.email.as_deref(),
                    first_name: first,
                    last_name: last,
                    bio: &profile.title,
                    // Whoever was shut out there isn't let in here.
                    is_active: !user.deleted && !user.is_bot,
                    at: moment(user.updated).unwrap_or_else(|| self.staging.now()),
                })
                .await?;
        }
        Ok(())
    }

    async fn days(&mut self, archive: &mut Archive, told: &impl Fn(Step)) -> Result<()> {
        for (_, entries) in std::mem::take(&mut self.days) {
            let count = entries.len() as u64;
            self.day(archive, entries).await?;
            told(Step::Read(count));
        }
        Ok(())
    }

    /// Rooms and who is in them, behind what was said there.
    fn rooms(&mut self) -> Result<()> {
        for place in std::mem::take(&mut self.places) {
            let Place { channel, kind } = &place;
            let mut members: Vec<&String> =
                channel.members.iter().filter(|id| self.staging.name_of(id).is_some()).collect();
            members.sort();
            members.dedup();
            // What one writes to oneself has no other.
            let kind = if *kind == "direct" && members.len() != 2 { "group" } else { *kind };
            let about = if channel.purpose.value.is_empty() { &channel.topic.value } else { &channel.purpose.value };
            let about = mrkdwn::translate(about, &*self);
            let name = self.title(channel, kind, &members);
            let owner = channel.creator.as_ref().filter(|id| members.contains(id)).or(members.first().copied());
            let room = Room {
                id: &channel.id,
                kind,
                name: &name,
                description: &about,
                made_by: channel.creator.as_deref(),
                at: moment(channel.created).unwrap_or_else(|| self.staging.now()),
            };
            self.staging.room(&room)?;
            for member in &members {
                let (is_owner, notify_all) = (Some(*member) == owner, kind == "direct");
                self.staging.member(&Member { room: &room, user: member, is_owner, muted: false, notify_all })?;
            }
            if channel.is_archived {
                self.staging.report.note("Channels that were archived there, and are open here", name.clone());
            }
            self.pins(channel)?;
        }
        Ok(())
    }

    fn title(&self, channel: &Channel, kind: &str, members: &[&String]) -> String {
        let names = || {
            let names = members.iter().filter_map(|id| self.shown.get(*id).map(String::as_str));
            names.collect::<Vec<_>>().join(", ")
        };
        match (kind, channel.name.as_str()) {
            ("direct", _) => String::new(),
            ("public", "") => channel.id.clone(),
            ("group", "") => format!("Notes of {}", names()),
            // Slack's own name of a chat of several is made of theirs.
            (_, name) if name.starts_with("mpdm-") => names(),
            (_, name) => name.to_owned(),
        }
    }

    fn pins(&mut self, channel: &Channel) -> Result<()> {
        for pin in channel.pins.iter().filter(|pin| pin.kind == "C") {
            let (message, at) =
                (talk::id_of(&channel.id, &pin.id), moment(pin.created).unwrap_or_else(|| self.staging.now()));
            self.staging.pin(&message, &channel.id, pin.user.as_deref(), at)?;
        }
        Ok(())
    }
}

impl mrkdwn::Names for Reading<'_> {
    fn person(&self, id: &str) -> Option<String> {
        self.staging.name_of(id).map(str::to_owned)
    }

    fn channel(&self, id: &str) -> Option<String> {
        self.channels.get(id).filter(|name| !name.is_empty()).cloned()
    }
}

/// `2024-01-31`.
fn is_day(text: &str) -> bool {
    let is_digit = |place: usize| text.as_bytes().get(place).is_some_and(u8::is_ascii_digit);
    text.len() == 10
        && [4, 7].iter().all(|place| text.as_bytes()[*place] == b'-')
        && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit)
}
