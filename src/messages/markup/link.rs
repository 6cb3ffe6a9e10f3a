//! Where a link leads, told beside it unless its own text says so: what is called "your bank" may be anything.

use pulldown_cmark::Event;
use url::Url;

/// Stands for the site itself, against which a browser reads a relative address.
const OWN: &str = "https://own.invalid/";

/// A link's target, and its text as far as it has been read.
pub struct Place {
    /// The host as a browser asks for it, in ASCII; of mail the address. None for the site's own pages.
    host: Option<String>,
    /// Part of it is a name before an `@`, which looks like another host.
    has_user: bool,
    text: String,
}

impl Place {
    /// Cost: O(length).
    pub fn new(target: &str) -> Self {
        // `https:there.example` is another host or a page of ours, whichever the site itself is served by: both are told.
        let url = Url::parse(target).or_else(|_| Url::parse(OWN)?.join(target)).ok();
        let host = url.as_ref().and_then(|url| match url.scheme() {
            "http" | "https" => url.host_str().filter(|host| *host != "own.invalid").map(str::to_owned),
            "mailto" => Some(url.path().to_owned()).filter(|address| !address.is_empty()),
            _ => None,
        });
        let has_user = url.is_some_and(|url| !url.username().is_empty() || url.password().is_some());
        Self { host, has_user, text: String::new() }
    }

    /// More of its text.
    pub fn says(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What is to stand behind it; nothing when its text says as much. Cost: O(length).
    pub fn told(self) -> Vec<Event<'static>> {
        match &self.host {
            Some(host) if !self.shows(host) => {
                let host = Event::Text(format!("({host})").into());
                vec![Event::InlineHtml(" <span class=\"host\">".into()), host, Event::InlineHtml("</span>".into())]
            }
            _ => Vec::new(),
        }
    }

    /// Whether the text is an address at this host, letter by letter: one in other scripts reads like any.
    fn shows(&self, host: &str) -> bool {
        let text = self.text.trim();
        if self.has_user || !text.to_ascii_lowercase().contains(host) {
            return false;
        }
        let said = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
        text.eq_ignore_ascii_case(host)
            || [said(text), said(&format!("https://{text}"))].contains(&Some(host.to_owned()))
    }
}
