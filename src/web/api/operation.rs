//! How the API is declared: an [`Area`] takes each handler together with a [`Call`], what the document says of it, so that
//! no route stands without its description and none is described that doesn't stand. Routes, the OpenAPI document and the
//! browsable pages' forms all come of it.

use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};
use tower::ServiceBuilder;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Content, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Required, SecurityRequirement};
use utoipa::{PartialSchema, ToSchema};

use super::{ROOT, negotiation, problem};
use crate::app::App;

pub type Named = (String, RefOr<Schema>);

const PATIENCE: Duration = Duration::from_secs(30);

/// A part of the API: what it is about, its routes, and what the document says of them.
pub struct Area {
    pub tag: Tag,
    /// Where its paths begin.
    root: &'static str,
    pub router: Router<App>,
    pub operations: Vec<(HttpMethod, String, utoipa::openapi::path::Operation)>,
    pub schemas: Vec<Named>,
}

impl Area {
    pub fn new(name: &str, about: &str) -> Self {
        Self::under(ROOT, name, about)
    }

    /// An area of the site's own addresses, outside the API's.
    pub fn outside(name: &str, about: &str) -> Self {
        Self::under("", name, about)
    }

    fn under(root: &'static str, name: &str, about: &str) -> Self {
        let tag = TagBuilder::new().name(name).description(Some(about)).build();
        Self { tag, root, router: Router::new(), operations: Vec::new(), schemas: Vec::new() }
    }

    /// Adds a call: `method` on `path`, which begins with `/`, without the root, and names its parameters in braces.
    pub fn add<H, T>(mut self, method: Method, path: impl Into<String>, handler: H, call: Call) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let path = format!("{}{}", self.root, path.into());
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let late = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, call.patience);
        let around = ServiceBuilder::new()
            .option_layer((!call.any_type).then(|| from_fn(negotiation::accepts)))
            .option_layer(call.polled.then(|| from_fn(negotiation::conditional)))
            .layer(late);
        self.router = self.router.route(&path, on(filter, handler).layer(around));
        let method = described(&method);
        let (operation, schemas) = call.described(&method, &path, &self.tag.name);
        self.schemas.extend(schemas);
        self.operations.push((method, path, operation));
        self
    }
}

/// What the document says of a route. Made by [`op`].
pub struct Call {
    summary: String,
    about: String,
    is_open: bool,
    polled: bool,
    any_type: bool,
    patience: Duration,
    body: Option<RequestBody>,
    parameters: Vec<Parameter>,
    responses: Vec<(String, RefOr<Response>)>,
    schemas: Vec<Named>,
}

/// A call that takes somebody signed in, who waits 30 seconds at most.
pub fn op(summary: impl Into<String>) -> Call {
    Call {
        summary: summary.into(),
        about: String::new(),
        is_open: false,
        polled: false,
        any_type: false,
        patience: PATIENCE,
        body: None,
        parameters: Vec::new(),
        responses: Vec::new(),
        schemas: Vec::new(),
    }
}

impl Call {
    /// More than the summary, in CommonMark.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Takes anybody.
    pub fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Is read again and again: an unchanged answer is 304.
    pub fn polled(mut self) -> Self {
        self.polled = true;
        self
    }

    /// May take longer than 30 seconds.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A JSON body that has to be there.
    pub fn body<T: ToSchema>(self) -> Self {
        self.takes::<T>("application/json", Required::True)
    }

    /// A JSON body that may be left out.
    pub fn optional_body<T: ToSchema>(self) -> Self {
        self.takes::<T>("application/json", Required::False)
    }

    /// A body of another type; several types may be taken.
    pub fn body_of<T: ToSchema>(self, media_type: &str) -> Self {
        self.takes::<T>(media_type, Required::True)
    }

    fn takes<T: ToSchema>(mut self, media_type: &str, required: Required) -> Self {
        let content = Content::new(Some(self.refer::<T>()));
        self.takes_schema(media_type, required, content)
    }

    fn takes_schema(mut self, media_type: &str, required: Required, content: Content) -> Self {
        let before = self.body.take();
        let body = before.map_or_else(RequestBodyBuilder::new, RequestBodyBuilder::from);
        self.body = Some(body.content(media_type, content).required(Some(required)).build());
        self
    }

    /// A JSON body whose schema, called `name`, isn't a type's.
    pub fn body_like(mut self, name: &str, schema: Object) -> Self {
        self.schemas.push((name.to_owned(), schema.into()));
        let content = Content::new(Some(Ref::from_schema_name(name)));
        self.takes_schema("application/json", Required::True, content)
    }

    /// A number in the path.
    pub fn id(self, name: &str, about: &str) -> Self {
        let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
        self.path(name, about, ObjectBuilder::new().schema_type(Type::Integer).format(format).examples([1]).build())
    }

    /// A text in the path.
    pub fn word(self, name: &str, about: &str) -> Self {
        self.path(name, about, ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).build())
    }

    fn path(mut self, name: &str, about: &str, schema: Object) -> Self {
        let parameter = parameter(name, ParameterIn::Path, about).required(Required::True).schema(Some(schema));
        self.parameters.push(parameter.build());
        self
    }

    /// What may be asked after the `?`.
    pub fn query<T: PartialSchema>(self, name: &str, about: &str) -> Self {
        self.query_like(name, about, T::schema())
    }

    /// The same, of a schema that isn't a type's.
    pub fn query_like(mut self, name: &str, about: &str, schema: RefOr<Schema>) -> Self {
        let parameter = parameter(name, ParameterIn::Query, about).required(Required::False).schema(Some(schema));
        self.parameters.push(parameter.build());
        self
    }

    /// A header that may be sent.
    pub fn header(mut self, name: &str, about: &str) -> Self {
        let parameter = parameter(name, ParameterIn::Header, about).required(Required::False);
        self.parameters.push(parameter.schema(Some(String::schema())).build());
        self
    }

    /// A schema that others of the call refer to by `name`.
    pub fn holds(mut self, name: &str, schema: Object) -> Self {
        self.schemas.push((name.to_owned(), schema.into()));
        self
    }

    /// A list that is read page by page: `limit` and `cursor`.
    pub fn paged(self) -> Self {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(100))
            .default(Some(serde_json::json!(50)))
            .build();
        self.query_like("limit", "How many at most; more than 100 are 100.", limit.into())
            .query::<String>("cursor", "`next` of the page before.")
    }

    /// What it answers when all is well.
    pub fn answers<T: ToSchema>(mut self, status: u16, about: &str) -> Self {
        let content = Content::new(Some(self.refer::<T>()));
        self.answers_content(status, about, "application/json", content)
    }

    /// The same, of a schema that isn't a type's, called `name`.
    pub fn answers_like(mut self, status: u16, about: &str, name: &str, schema: Object) -> Self {
        self.schemas.push((name.to_owned(), schema.into()));
        let content = Content::new(Some(Ref::from_schema_name(name)));
        self.answers_content(status, about, "application/json", content)
    }

    /// Answers a line of text.
    pub fn answers_text(mut self, about: &str) -> Self {
        self.any_type = true;
        self.answers_content(200, about, "text/plain", Content::new(Some(String::schema())))
    }

    fn answers_content(mut self, status: u16, about: &str, media_type: &str, content: Content) -> Self {
        let response = ResponseBuilder::new().description(about).content(media_type, content).build();
        self.responses.push((status.to_string(), response.into()));
        self
    }

    /// Answers bytes of any type, and is asked for them by any `Accept`.
    pub fn answers_file(mut self, about: &str) -> Self {
        let bytes =
            ObjectBuilder::new().schema_type(Type::String).content_media_type("application/octet-stream").build();
        self.any_type = true;
        self.answers_content(200, about, "*/*", Content::new(Some(bytes)))
    }

    /// Answers without a body.
    pub fn answers_nothing(mut self, status: u16, about: &str) -> Self {
        let response = ResponseBuilder::new().description(about).build();
        self.responses.push((status.to_string(), response.into()));
        self
    }

    /// A refusal of its own, besides those that go without saying: what can't be read, who isn't signed in.
    pub fn refuses(mut self, status: u16, about: &str) -> Self {
        self.responses.retain(|(before, _)| *before != status.to_string());
        self.responses.push((status.to_string(), problem::response(about).into()));
        self
    }

    /// A reference to the schema of `T`, which the document then holds; lists and plain values stand where they are.
    fn refer<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        let is_plain = |schema: &Schema| match schema {
            Schema::Array(_) => true,
            Schema::Object(object) => object.schema_type != SchemaType::Type(Type::Object),
            _ => false,
        };
        match T::schema() {
            RefOr::T(schema) if is_plain(&schema) => RefOr::T(schema),
            schema => {
                self.schemas.push((T::name().into_owned(), schema));
                Ref::from_schema_name(T::name()).into()
            }
        }
    }

    /// The operation, with the refusals that go without saying.
    fn described(
        mut self,
        method: &HttpMethod,
        path: &str,
        tag: &str,
    ) -> (utoipa::openapi::path::Operation, Vec<Named>) {
        for status in self.implied() {
            let is_said = self.responses.iter().any(|(said, _)| said == status);
            if !is_said {
                self.responses.push((status.to_owned(), Ref::from_response_name(problem::name_of(status)).into()));
            }
        }
        self.responses.sort_by(|a, b| a.0.cmp(&b.0));
        let about = Some(self.about).filter(|about| !about.is_empty());
        let mut operation = OperationBuilder::new()
            .tag(tag)
            .summary(Some(self.summary))
            .description(about)
            .operation_id(Some(operation_id(method, path)))
            .request_body(self.body);
        for parameter in self.parameters {
            operation = operation.parameter(parameter);
        }
        for (status, response) in self.responses {
            operation = operation.response(status, response);
        }
        let none: [&str; 0] = [];
        operation = match self.is_open {
            true => operation.security(SecurityRequirement::default()),
            false => operation,
        };
        let operation = ["bearer", "cookie"]
            .iter()
            .fold(operation, |operation, scheme| operation.security(SecurityRequirement::new(*scheme, none)));
        (operation.build(), self.schemas)
    }

    fn implied(&self) -> Vec<&'static str> {
        let mut statuses = vec!["503"];
        let paths = self.parameters.iter().filter(|parameter| matches!(parameter.parameter_in, ParameterIn::Path));
        let has_path = paths.count() > 0;
        // A token that isn't good is refused wherever it is shown.
        statuses.push("401");
        if self.body.is_some() {
            statuses.extend(["400", "413", "415", "422"]);
        }
        if !self.parameters.is_empty() && !statuses.contains(&"400") {
            statuses.push("400");
        }
        if has_path {
            statuses.push("404");
        }
        if self.polled {
            statuses.push("304");
        }
        if !self.any_type {
            statuses.push("406");
        }
        statuses
    }
}

fn parameter(name: &str, place: ParameterIn, about: &str) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(about))
}

/// `postChatRoomsIdMessages`.
fn operation_id(method: &HttpMethod, path: &str) -> String {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let verb =
        serde_json::to_value(method).ok().and_then(|verb| verb.as_str().map(str::to_lowercase)).unwrap_or_default();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    verb + &words.collect::<String>()
}

fn described(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
