//! The browsable pages over a made-up API, one with every kind of field, body and answer: what its forms look like, what
//! they send, and what is linked in its answers.

use axum::Json;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{Multipart, Path, RawQuery, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard::web::api::browse;
use switchboard::web::api::document::Document;
use switchboard::web::api::json::Body;
use switchboard::web::api::operation::{Area, op};
use switchboard::web::api::problem::Problem;
use tower::ServiceExt;
use utoipa::ToSchema;

use crate::support::app::{Engine, Options, Site};

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Blue,
}

#[derive(Serialize, Deserialize, ToSchema)]
struct Size {
    width: i64,
}

#[allow(dead_code)] // Only its schema is used.
#[derive(ToSchema)]
struct NewThing {
    /// What it is *called*.
    #[schema(required = true, nullable = false, min_length = 2, max_length = 20, example = "Lamp")]
    name: Option<String>,
    #[schema(max_length = 4000)]
    story: Option<String>,
    #[schema(minimum = 1, maximum = 9)]
    count: Option<i64>,
    price: Option<f64>,
    is_good: Option<bool>,
    colour: Option<Colour>,
    member_ids: Option<Vec<i64>>,
    tags: Option<Vec<String>>,
    size: Option<Size>,
    #[schema(format = Password)]
    secret: Option<String>,
    current_password: Option<String>,
}

#[allow(dead_code)]
#[derive(ToSchema)]
struct Upload {
    note: Option<String>,
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Answers what was sent, as an object with an id; refuses a `name` that is `bad`.
async fn echo(Body(sent): Body<Value>) -> Result<(StatusCode, Json<Value>), Problem> {
    if sent["name"] == "bad" {
        return Err(Problem::field("name", "Not <this> name.").at("nowhere", "There is more."));
    }
    Ok((StatusCode::CREATED, Json(json!({"id": 7, "sent": sent}))))
}

async fn list(RawQuery(query): RawQuery) -> Json<Value> {
    let evil = json!({"id": 3, "room_id": 4, "member_ids": [1], "text": "</pre><script>alert(1)</script>",
        "own": "/api/v1/things/3?a=1&b=\"2\"", "picture": "/avatars/initials/A.svg", "foreign": "//evil.example/api/v1",
        "elsewhere": "https://evil.example/", "lookalike": "/api/v1evil", "big": 9_007_199_254_740_993_i64, "none": null});
    Json(json!({"items": [evil], "next": "after+3", "query": query}))
}

async fn upload(mut parts: Multipart) -> Json<Value> {
    let mut all = Vec::new();
    while let Some(part) = parts.next_field().await.unwrap() {
        let (name, file) = (part.name().unwrap().to_owned(), part.file_name().map(str::to_owned));
        all.push(json!([name, file, part.text().await.unwrap()]));
    }
    Json(all.into())
}

async fn picture(Path(_): Path<i64>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/png")], "not really")
}

fn areas() -> Vec<Area> {
    let find = op("All things").open().paged().query::<String>("q", "Words in it.").answers::<Value>(200, "Things.");
    let make = op("Make a thing").open().body::<NewThing>().answers::<Value>(201, "It.").refuses(403, "No.");
    let change = op("Change a thing").about("Not *all* of it.").open().id("id", "Which.").body::<NewThing>();
    let one = op("One thing").open().id("id", "Which.").answers::<Value>(200, "It.");
    let remove = op("Delete a thing").open().id("id", "Which.").answers_nothing(204, "Gone.");
    let put = op("Mark a thing").open().id("id", "Which.").answers_nothing(204, "Marked.");
    let send = op("Send a file").open().body_of::<Upload>("multipart/form-data").answers::<Value>(200, "Sent.");
    let show = op("A picture").open().id("id", "Which.").answers_file("It.");
    let nothing = || async { StatusCode::NO_CONTENT };
    let it = || async { Json(json!({"id": 3, "name": "Old lamp", "secret": "hush", "next": null})) };
    let lamp = || op("Lamps").open().id("id", "Which.").answers::<Value>(200, "Lamps.");
    vec![
        Area::new("Things", "Made up.")
            .add(Method::GET, "/things", list, find)
            .add(Method::POST, "/things", echo, make)
            .add(Method::GET, "/things/{id}", it, one)
            .add(
                Method::PATCH,
                "/things/{id}",
                |Path::<i64>(_), body: Body<Value>| echo(body),
                change.answers::<Value>(200, "It."),
            )
            .add(Method::PUT, "/things/{id}", nothing, put)
            .add(Method::DELETE, "/things/{id}", nothing, remove)
            .add(Method::GET, "/things/special", it, op("The special thing").open().answers::<Value>(200, "It."))
            .add(Method::GET, "/admin/lamps/{id}", it, lamp())
            .add(Method::GET, "/shop/lamps/{id}", it, lamp())
            .add(Method::GET, "/shop/rooms/{id}/lamps", list, lamp())
            .add(Method::POST, "/files", upload, send)
            .add(Method::GET, "/pictures/{id}", picture, show),
    ]
}

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// What came back.
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    #[track_caller]
    fn shows(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "{text} isn't in {}", self.text);
        self
    }

    #[track_caller]
    fn hides(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text} is in {}", self.text);
        self
    }
}

/// The made-up API with its pages. Keeps the site that it stands in.
struct Api(Site);

impl Api {
    async fn new() -> Self {
        let options = Options { settings: vec![("DEBUG", "true")], ..Options::default() };
        Self(Site::with(Engine::Sqlite, options).await)
    }

    async fn send(&self, request: axum::http::request::Builder, body: impl Into<Bytes>) -> Page {
        let areas = areas();
        let (document, _) = Document::with(&areas, &self.0.app.config);
        let api = areas.into_iter().fold(axum::Router::new(), |api, area| api.merge(area.router));
        let router = browse::around(&self.0.app, document, api).with_state(self.0.app.clone());
        let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = to_bytes(body, usize::MAX).await.unwrap();
        Page { status: parts.status, headers: parts.headers, text: String::from_utf8(text.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Request::get(format!("/api/v1{path}")).header("accept", BROWSER), "").await
    }

    async fn post(&self, path: &str, form: &str) -> Page {
        let request = Request::post(format!("/api/v1{path}")).header("accept", BROWSER);
        self.send(request.header("content-type", "application/x-www-form-urlencoded"), form.to_owned()).await
    }

    /// What the API was sent for this form, as JSON; read out of the page again.
    async fn sent(&self, form: &str) -> Value {
        let page = self.post("/things", form).await;
        assert_eq!(page.status, 201, "{}", page.text);
        let json =
            page.text.split_once("aria-label=\"The answer as JSON\">").unwrap().1.split_once("</pre>").unwrap().0;
        let text =
            without_tags(json).replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&");
        serde_json::from_str::<Value>(&text).unwrap()["sent"].clone()
    }
}

/// The text of a page.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
    }
    text
}

#[tokio::test]
async fn every_kind_of_field_has_an_input_of_its_kind() {
    let api = Api::new().await;
    let page = api.get("/things").await;
    assert_eq!(page.status, 200);
    page.shows(r#"<input id="post-fields-name" name="name" type="text" value="" required placeholder="e.g. Lamp" minlength="2" maxlength="20""#)
        .shows(r#"<div class="hint" id="post-fields-name-help">What it is <em>called</em>.</div>"#)
        .shows(r#"<textarea id="post-fields-story" name="story""#)
        .shows(r#"<input id="post-fields-count" name="count" type="number" value="" min="1" max="9""#)
        .shows(r#"name="price" type="number""#)
        .shows(r#"<select id="post-fields-is_good" name="is_good"><option value="">not given</option><option>true</option><option>false</option></select>"#)
        .shows(r#"<select id="post-fields-colour" name="colour"><option value="">not given</option><option>red</option><option>blue</option></select>"#)
        .shows(r#"name="member_ids" type="text""#)
        .shows(r#"<textarea id="post-fields-size" name="size""#)
        .shows(r#"name="secret" type="password""#)
        .shows(r#"name="current_password" type="password""#)
        .shows("{\n  &#34;name&#34;: &#34;Lamp&#34;\n}</textarea>");
    let files = api.get("/files").await;
    assert_eq!(files.status, 405);
    files.shows(r#"enctype="multipart/form-data""#).shows(r#"name="file" type="file""#);
    page.shows(r#"<input id="query-q" name="q" type="text""#).hides("query-cursor");
}

#[tokio::test]
async fn a_form_is_sent_as_json_of_the_right_types() {
    let api = Api::new().await;
    let form = "name=Lamp&story=One%0D%0Atwo&count=3&price=1.5&is_good=false&colour=blue&member_ids=1,+2&tags=a,b&size=%7B%22width%22:2%7D&secret=hush";
    let sent = api.sent(form).await;
    let right = json!({"name": "Lamp", "story": "One\ntwo", "count": 3, "price": 1.5, "is_good": false, "colour": "blue",
        "member_ids": [1, 2], "tags": ["a", "b"], "size": {"width": 2}, "secret": "hush"});
    assert_eq!(sent, right);
    let empty = api.sent("name=&story=&count=&is_good=&colour=&member_ids=&unknown=x").await;
    assert_eq!(empty, json!({"name": "", "unknown": "x"}), "what is left empty isn't said, unless it is needed");
    let unfit = api.sent("name=Lamp&count=many&is_good=perhaps&member_ids=1,x&size=big&colour=green").await;
    let as_it_is = json!({"name": "Lamp", "count": "many", "is_good": "perhaps", "member_ids": [1, "x"], "size": "big", "colour": "green"});
    assert_eq!(unfit, as_it_is, "the API itself refuses what doesn't fit");
    assert_eq!(api.sent("_body=%7B%22raw%22:+%5B1%5D%7D").await, json!({"raw": [1]}));
}

#[tokio::test]
async fn a_refused_form_comes_back_as_it_was_typed_but_for_its_passwords() {
    let api = Api::new().await;
    let page =
        api.post("/things", "name=bad&story=%3Cb%3Elong%3C/b%3E&colour=blue&secret=hush&current_password=hush2").await;
    assert_eq!(page.status, 422);
    page.shows(r#"value="bad" required"#)
        .shows(r#"aria-invalid="true" aria-describedby="post-fields-name-error post-fields-name-help""#)
        .shows(r#"<p class="error" id="post-fields-name-error">Not &#60;this&#62; name.</p>"#)
        .shows("nowhere: There is more.")
        .shows("&#60;b&#62;long&#60;/b&#62;</textarea>")
        .shows("<option selected>blue</option>")
        .shows(r##"<a href="#post">Back to the form</a>"##)
        .hides("hush");
    let raw = api.post("/things", "_body=%7B%22name%22:%22bad%22,%22secret%22:%22hush%22%7D").await;
    assert_eq!(raw.status, 422);
    raw.shows("&#34;name&#34;: &#34;bad&#34;,\n  &#34;secret&#34;: &#34;&#34;").hides("hush");
    let broken = api.post("/things", "_body=%7B%22secret%22:+%22hush").await;
    assert_eq!(broken.status, 400);
    broken.shows("This isn&#39;t JSON").hides("hush");
}

#[tokio::test]
async fn a_form_reaches_every_method_and_never_a_get() {
    let api = Api::new().await;
    let changed = api.post("/things/3", "_method=PATCH&name=New").await;
    assert_eq!(changed.status, 201);
    changed.shows("<code>PATCH /api/v1/things/3</code>").shows("New");
    let marked = api.post("/things/3", "_method=PUT").await;
    assert_eq!(marked.status, 200, "a browser would show nothing of a 204");
    marked.shows("<b>204 No Content</b>").shows("The answer has no body.");
    let gone = api.post("/things/3", "_method=DELETE").await;
    assert_eq!(gone.status, 200);
    gone.shows("<b>204 No Content</b>").shows("DELETE /api/v1/things/3");
    for other in ["GET", "TRACE", "CONNECT", "nonsense", "delete"] {
        let page = api.post("/things/3", &format!("_method={other}")).await;
        assert_eq!(page.status, 405, "{other}");
        assert!(page.headers.contains_key("allow"));
    }
    // Only a browser's form is read so.
    let request = Request::post("/api/v1/things/3").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(api.send(request, "_method=DELETE").await.status, 405);
}

#[tokio::test]
async fn deleting_is_confirmed_first_and_a_patch_begins_with_what_is_there() {
    let api = Api::new().await;
    let page = api.get("/things/3").await;
    page.shows("<details class=\"way\"><summary>Delete…</summary>")
        .shows(r#"<input type="hidden" name="_method" value="DELETE">"#)
        .shows("Yes, delete")
        .shows("Old lamp&#34;\n}</textarea>")
        .shows("Not <em>all</em> of it.");
    assert_eq!(page.text.matches("hush").count(), 1, "only in the answer itself");
}

#[tokio::test]
async fn what_was_made_and_what_is_named_is_linked_and_all_is_escaped() {
    let api = Api::new().await;
    let made = api.post("/things", "name=Lamp").await;
    assert_eq!(made.status, 201);
    made.shows(r#"<a href="/api/v1/things/7">/api/v1/things/7</a>"#);
    let page = api.get("/things?q=x").await;
    page.hides("<script>")
        .shows("&#60;/pre&#62;&#60;script&#62;")
        .shows(r#"<a href="/api/v1/things/3">3</a>"#)
        .shows(r#"href="/api/v1/things/3?a=1&#38;b=&#34;2&#34;""#)
        .shows(r#"href="/avatars/initials/A.svg""#)
        .shows("9007199254740993")
        .hides(r#"href="//evil"#)
        .hides(r#"href="https://evil"#)
        .hides(r#"href="/api/v1evil"#)
        .hides("/api/v1/chat/rooms/4");
}

#[tokio::test]
async fn what_a_room_holds_is_linked_to_where_it_stands_by_itself_and_not_to_the_backoffice() {
    let api = Api::new().await;
    let page = api.get("/shop/rooms/1/lamps").await;
    page.shows(r#"<a href="/api/v1/shop/lamps/3">3</a>"#).hides("/api/v1/admin/lamps");
}

#[tokio::test]
async fn lists_are_paged_and_asked_by_links_and_a_form() {
    let api = Api::new().await;
    let page = api.get("/things?q=a%26b&limit=&cursor=after2").await;
    page.shows(r#"href="/api/v1/things?q=a%26b&#38;limit=">First page"#)
        .shows(r#"href="/api/v1/things?q=a%26b&#38;limit=&#38;cursor=after%2B3">Next page"#)
        .shows(r#"name="q" type="text" value="a&#38;b""#)
        .shows("q=a%26b&#38;cursor=after2");
    let json = api.get("/things?q=x&format=json").await;
    assert_eq!(json.headers["content-type"], "application/json");
    assert_eq!(serde_json::from_str::<Value>(&json.text).unwrap()["query"], "q=x", "the API isn't asked for a format");
}

#[tokio::test]
async fn a_literal_path_wins_over_a_parameter() {
    let api = Api::new().await;
    api.get("/things/special").await.shows("<h1>The special thing</h1>");
    api.get("/things/3").await.shows("<h1>One thing</h1>").shows(r#"<a href="/api/v1/things">things</a>"#);
    api.get("/things").await.shows("/api/v1/things/special");
}

#[tokio::test]
async fn files_are_sent_by_a_real_form_without_its_empty_parts() {
    let api = Api::new().await;
    let body = "--xyz\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\n\r\n\
        --xyz\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\na\r\nb\r\n\
        --xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\ncontent-type: text/plain\r\n\r\nHi\r\n\
        --xyz--\r\n";
    let request = Request::post("/api/v1/files").header("accept", BROWSER);
    let page = api.send(request.header("content-type", "multipart/form-data; boundary=xyz"), body).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let text = without_tags(&page.text);
    assert!(text.contains("&#34;a.txt&#34;,\n    &#34;Hi&#34;"), "{text}");
    assert!(text.contains(r"&#34;a\nb&#34;") && !text.contains("&#34;note&#34;"), "{text}");
}

#[tokio::test]
async fn a_link_to_a_file_leads_a_browser_to_the_file() {
    let api = Api::new().await;
    let file = api.get("/pictures/1").await;
    assert_eq!((file.headers["content-type"].to_str().unwrap(), file.text.as_str()), ("image/png", "not really"));
    let page = api.send(Request::get("/api/v1/pictures/1").header("accept", "text/html"), "").await;
    page.shows("The answer is a file.").shows("/api/v1/pictures/1?format=json");
}
