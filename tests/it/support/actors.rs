//! People: a visitor's browser without JavaScript ([`Visitor`]), and the same signed in.

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE, USER_AGENT};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};

use super::app::Site;
use super::socket::Socket;

pub const PASSWORD: &str = "correct horse battery";

/// A browser without JavaScript: keeps cookies, follows nothing by itself.
#[derive(Clone)]
pub struct Visitor {
    client: Client,
    base: String,
    /// Each as `name=value`.
    jar: Vec<String>,
    /// What it says it is.
    pub agent: String,
    pub name: String,
}

/// What came back.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// As it was sent.
    pub body: Vec<u8>,
}

impl Page {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body: Vec<u8> = response.bytes().await.unwrap().into();
        Self { status, headers, text: String::from_utf8_lossy(&body).into_owned(), body }
    }

    /// Where a 303 leads; fails when it is none.
    #[track_caller]
    pub fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers[LOCATION].to_str().unwrap()
    }

    /// The room's id, of the answer to making one.
    #[track_caller]
    pub fn room(&self) -> i64 {
        self.leads_to().strip_prefix("/chat/rooms/").unwrap().parse().unwrap()
    }
}

impl Visitor {
    pub fn new(site: &Site) -> Self {
        Self::at(&site.url(""))
    }

    pub fn at(base: &str) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { client, base: base.to_owned(), jar: Vec::new(), agent: String::new(), name: String::new() }
    }

    /// Registers `name` and is signed in.
    pub async fn registered(site: &Site, name: &str) -> Self {
        let mut visitor = Self::new(site);
        visitor.register(name).await;
        visitor
    }

    /// Registers `name`, who is made an administrator.
    pub async fn admin(site: &Site, name: &str) -> Self {
        Self::of_role(site, name, "admin").await
    }

    /// Registers `name`, who is given a role.
    pub async fn of_role(site: &Site, name: &str, role: &str) -> Self {
        let visitor = Self::registered(site, name).await;
        site.sql(&format!("update users set role = '{role}' where username = '{name}'")).await;
        visitor
    }

    /// Logs in as `name`, who has registered elsewhere.
    pub async fn logged_in(site: &Site, name: &str) -> Self {
        let mut visitor = Self::new(site);
        let page = visitor.post("/login", &[("username", name), ("password", PASSWORD)]).await;
        assert_eq!(page.leads_to(), "/chat");
        visitor
    }

    pub async fn register(&mut self, name: &str) {
        let email = format!("{name}@example.org");
        let fields = [("username", name), ("email", email.as_str()), ("password", PASSWORD)];
        let page = self.post("/register", &fields).await;
        assert_eq!(page.leads_to(), "/chat");
        self.name = name.to_owned();
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        let request = if self.agent.is_empty() { request } else { request.header(USER_AGENT, &self.agent) };
        if self.jar.is_empty() { request } else { request.header("cookie", self.jar.join("; ")) }
    }

    pub async fn get(&self, path: &str) -> Page {
        Page::of(self.request("GET", path).send().await.unwrap()).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Page {
        let mut request = self.request("GET", path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Page::of(request.send().await.unwrap()).await
    }

    /// An answer whose body isn't read yet.
    pub async fn open(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// Posts a form; takes the cookies that come back.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(path, fields, &[]).await
    }

    pub async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Page {
        let mut request = self.request("POST", path).form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let page = Page::of(request.send().await.unwrap()).await;
        // What a page says once came with the last post, and was shown by now.
        self.jar.retain(|kept| !is_once(kept));
        for cookie in page.headers.get_all(SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        page
    }

    pub async fn post_body(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Page {
        Page::of(self.request("POST", path).header("content-type", kind).body(body).send().await.unwrap()).await
    }

    pub async fn post_multipart(&self, path: &str, form: reqwest::multipart::Form) -> Page {
        Page::of(self.request("POST", path).multipart(form).send().await.unwrap()).await
    }

    /// Keeps a cookie as a browser does: in the place of one of the same name, and not at all when it ends at once.
    fn keep(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap();
        let name = pair.split('=').next().unwrap();
        self.jar.retain(|kept| kept.split('=').next() != Some(name));
        if !cookie.contains("Max-Age=0") {
            self.jar.push(pair.to_owned());
        }
    }

    /// The cookie of this name, as `name=value`.
    pub fn cookie_of(&self, name: &str) -> Option<&str> {
        self.jar.iter().map(String::as_str).find(|kept| kept.split('=').next() == Some(name))
    }

    /// The session's cookie, as `name=value`.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie_of("switchboard").or_else(|| self.cookie_of("__Host-switchboard"))
    }

    /// The cookie with what the next page says once.
    pub fn once(&self) -> Option<&str> {
        self.jar.iter().map(String::as_str).find(|kept| is_once(kept))
    }

    pub fn set_once(&mut self, cookie: &str) {
        self.keep(cookie);
    }

    pub fn set_cookie(&mut self, cookie: &str) {
        self.keep(cookie);
    }

    /// Makes a public room.
    pub async fn public_room(&mut self, name: &str) -> i64 {
        self.post("/rooms/new", &[("kind", "public"), ("name", name)]).await.room()
    }

    /// Makes a group with one other person.
    pub async fn group_with(&mut self, name: &str, other: i64) -> i64 {
        self.post("/rooms/new", &[("kind", "group"), ("name", name), ("member_ids", &other.to_string())]).await.room()
    }

    /// Says something in a room, by the form.
    pub async fn say(&mut self, room: i64, content: &str) {
        let page = self.post(&format!("/chat/rooms/{room}"), &[("content", content)]).await;
        assert_eq!(page.leads_to(), format!("/chat/rooms/{room}#end"));
    }

    /// Opens a socket on `/ws…` as this person's page would.
    pub async fn socket(&self, path: &str) -> Socket {
        Socket::open(&self.base, path, self.cookie(), Some(&self.base)).await.unwrap()
    }

    /// Opens a socket on `/ws/chat/{room}` and waits until it follows the room: what comes after is live.
    pub async fn follows(&self, room: i64) -> Socket {
        let mut socket = self.socket(&format!("/ws/chat/{room}")).await;
        socket.expect("connected").await;
        socket
    }

    /// The status with which a socket on `/ws…` is refused.
    pub async fn refused(&self, path: &str, origin: Option<&str>) -> u16 {
        match Socket::open(&self.base, path, self.cookie(), origin).await {
            Ok(_) => panic!("{path} was opened"),
            Err(status) => status,
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }
}

fn is_once(cookie: &str) -> bool {
    cookie.split('=').next().is_some_and(|name| name.ends_with("switchboard-once"))
}
