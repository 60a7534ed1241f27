//! The routes of an API, each told once: the router serves it, [`Access`] guards it, and the contract
//! (`docs/openapi.json`) describes it.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http::Method;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::access::{Access, Caller};

/// A method on a path. What the contract says of it is only worked out when somebody asks, and only there with the
/// feature `contract`.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, as `axum` and OpenAPI both spell it: `/orders/{order_id}`.
    pub path: &'static str,
    /// Its name for programs, unique in the contract: `placeOrder`.
    pub id: &'static str,
    /// Who may use it.
    pub access: Access,
    filter: MethodFilter,
    #[cfg(feature = "contract")]
    describe: fn(&mut OperationDescription),
}

// Without the feature nothing leads to a description any more, and no function that is deployed contains schemas: half a
// megabyte that a cold start would have to read.
macro_rules! constructors {
    ($($name:ident $method:ident),+) => {$(
        #[doc = concat!("`", stringify!($method), "` on a path.")]
        #[inline]
        pub fn $name(
            path: &'static str,
            id: &'static str,
            access: Access,
            #[cfg_attr(not(feature = "contract"), expect(unused_variables))]
            describe: fn(&mut OperationDescription),
        ) -> Self {
            Self {
                method: Method::$method,
                path,
                id,
                access,
                filter: MethodFilter::$method,
                #[cfg(feature = "contract")]
                describe,
            }
        }
    )+};
}

impl Operation {
    constructors!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    /// What the contract says of it.
    #[cfg(feature = "contract")]
    pub fn description(&self) -> OperationDescription {
        let mut description = OperationDescription::default();
        (self.describe)(&mut description);
        description
    }
}

/// Writes a type's JSON Schema, with what it refers to put beside it.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// What the contract says of an operation. What holds for all need not be said: problems of the gateway and of bad
/// requests, the correlation id.
#[derive(Debug, Clone, Default)]
pub struct OperationDescription {
    /// One line.
    pub summary: &'static str,
    /// More about it.
    pub detail: &'static str,
    /// Parameters and headers. Those of the path are required, all others only where they say so.
    pub parameters: Vec<Parameter>,
    /// What is sent with it.
    pub body: Option<Body>,
    /// Answers that are no problems.
    pub responses: Vec<ResponseDescription>,
    /// Problems that are this operation's own.
    pub problems: Vec<OperationProblem>,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Where it stands.
    pub location: ParameterLocation,
    /// Its name.
    pub name: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// What it is for.
    pub description: &'static str,
    /// What it may be.
    pub schema: SchemaFn,
}

/// What is sent with a request.
#[derive(Debug, Clone)]
pub struct Body {
    /// The name of its type: that of the gateway's model, too.
    pub name: String,
    /// What it may be.
    pub schema: SchemaFn,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct ResponseDescription {
    /// Its status.
    pub status: u16,
    /// What it means.
    pub description: &'static str,
    /// The media type of its body, and what is in it, if it has one.
    pub body: Option<(&'static str, SchemaFn)>,
    /// Headers, and what they say.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// A problem that only this operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationProblem {
    /// Its status.
    pub status: u16,
    /// The end of its `type`: `order-final`.
    pub name: &'static str,
    /// When it is answered.
    pub description: &'static str,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl OperationDescription {
    /// What it does: a line, and what else there is to say.
    pub fn about(&mut self, summary: &'static str, detail: &'static str) -> &mut Self {
        (self.summary, self.detail) = (summary, detail);
        self
    }

    /// A part of the path.
    pub fn path<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Path, name, true, description)
    }

    /// A parameter of the query that may be left out.
    pub fn query<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Query, name, false, description)
    }

    /// A header that may be left out.
    pub fn header<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Header, name, false, description)
    }

    /// A header that has to be there.
    pub fn required_header<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Header, name, true, description)
    }

    fn parameter<T: JsonSchema>(
        &mut self,
        location: ParameterLocation,
        name: &'static str,
        required: bool,
        description: &'static str,
    ) -> &mut Self {
        self.parameters.push(Parameter { location, name, required, description, schema: schema_of::<T> });
        self
    }

    /// The body that has to be sent.
    pub fn body<T: JsonSchema>(&mut self) -> &mut Self {
        self.body = Some(Body { name: T::schema_name().into_owned(), schema: schema_of::<T> });
        self
    }

    /// An answer with JSON in it.
    pub fn response<T: JsonSchema>(&mut self, status: u16, description: &'static str) -> &mut Self {
        self.response_as::<T>(status, "application/json", description)
    }

    /// An answer with a body of another media type.
    pub fn response_as<T: JsonSchema>(
        &mut self,
        status: u16,
        media_type: &'static str,
        description: &'static str,
    ) -> &mut Self {
        let body = Some((media_type, schema_of::<T> as SchemaFn));
        self.responses.push(ResponseDescription { status, description, body, headers: Vec::new() });
        self
    }

    /// An answer without a body.
    pub fn empty_response(&mut self, status: u16, description: &'static str) -> &mut Self {
        self.responses.push(ResponseDescription { status, description, body: None, headers: Vec::new() });
        self
    }

    /// A header of the answer that was named last.
    pub fn with_header(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        if let Some(answer) = self.responses.last_mut() {
            answer.headers.push((name, description));
        }
        self
    }

    /// A problem of its own: the end of its `type`, and when it is answered.
    pub fn problem(&mut self, status: u16, name: &'static str, description: &'static str) -> &mut Self {
        self.problems.push(OperationProblem { status, name, description });
        self
    }
}

/// Operations with their handlers.
pub struct Routes<S> {
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self { router: Router::new(), operations: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// One more.
    #[must_use]
    pub fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let guarded = on(operation.filter, handler).route_layer(from_fn_with_state(operation.access, guard));
        self.router = self.router.route(operation.path, guarded);
        self.operations.push(operation);
        self
    }

    /// What the contract describes.
    pub fn operations(self) -> Vec<Operation> {
        self.operations
    }

    /// What the host serves.
    pub fn router(self, state: S) -> Router {
        self.router.with_state(state)
    }
}

async fn guard(State(access): State<Access>, caller: Caller, request: Request, next: Next) -> Response {
    match access.authorize(&caller) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            tracing::info!(?caller, ?access, "not let in");
            problem.into_response()
        }
    }
}
