//! The routes of an API. Each is defined once for the router that serves it, the [`Access`] that authorizes
//! it, and the OpenAPI contract (`docs/openapi.json`) that describes it.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http::Method;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::access::{Access, Caller};
use super::precondition::evaluate_if_match;

/// An HTTP method on a path. Its description for the contract is created on demand, and exists only with the
/// feature `contract`.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The HTTP method.
    pub method: Method,
    /// The path in the syntax of both `axum` and OpenAPI, such as `/orders/{order_id}`.
    pub path: &'static str,
    /// The unique `operationId` in the contract, such as `placeOrder`.
    pub id: &'static str,
    /// The callers that may use the operation.
    pub access: Access,
    filter: MethodFilter,
    #[cfg(feature = "contract")]
    describe: fn(&mut OperationDescription),
}

// Without the feature, no code refers to the descriptions, so deployed functions contain no schemas: these
// are half a megabyte that every cold start would load.
macro_rules! constructors {
    ($($name:ident $method:ident),+) => {$(
        #[doc = concat!("An operation with the method `", stringify!($method), "`.")]
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

    /// Creates the description for the contract.
    #[cfg(feature = "contract")]
    pub fn description(&self) -> OperationDescription {
        let mut description = OperationDescription::default();
        (self.describe)(&mut description);
        description
    }
}

/// Generates the JSON Schema of a type, and adds the schemas it references to the generator's
/// definitions.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// The description of an operation in the contract. It omits what all operations have in common: the problems
/// of the gateway and of invalid requests, and the correlation id.
#[derive(Debug, Clone, Default)]
pub struct OperationDescription {
    /// One line: verb and noun.
    pub summary: &'static str,
    /// The description below the summary; may be empty.
    pub detail: &'static str,
    /// The parameters of the path and the query, and the headers.
    pub parameters: Vec<Parameter>,
    /// The request body, if there is one.
    pub body: Option<Body>,
    /// The responses except problems.
    pub responses: Vec<ResponseDescription>,
    /// The problems that are specific to this operation.
    pub problems: Vec<OperationProblem>,
}

/// The location of a parameter: OpenAPI's `in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub enum ParameterLocation {
    /// A segment of the path.
    Path,
    /// The query string.
    Query,
    /// A header of the request.
    Header,
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The location of the parameter.
    pub location: ParameterLocation,
    /// The name of the parameter.
    pub name: &'static str,
    /// Whether a request without the parameter is invalid.
    pub required: bool,
    /// The purpose of the parameter.
    pub description: &'static str,
    /// The schema of its values.
    pub schema: SchemaFn,
}

/// A JSON request body.
#[derive(Debug, Clone)]
pub struct Body {
    /// The name of its type, which is also the name of its schema in the contract.
    pub name: String,
    /// The schema of its values.
    pub schema: SchemaFn,
}

/// A response that is not a problem.
#[derive(Debug, Clone)]
pub struct ResponseDescription {
    /// The HTTP status.
    pub status: u16,
    /// What the response means.
    pub description: &'static str,
    /// The media type and the schema of the body, if there is one.
    pub body: Option<(&'static str, SchemaFn)>,
    /// The names and descriptions of headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// A problem that is specific to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationProblem {
    /// The HTTP status.
    pub status: u16,
    /// The end of its `type`, such as `order-final`.
    pub name: &'static str,
    /// When the operation returns this problem.
    pub description: &'static str,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl OperationDescription {
    /// Sets the summary and the description of the operation.
    pub fn about(&mut self, summary: &'static str, detail: &'static str) -> &mut Self {
        (self.summary, self.detail) = (summary, detail);
        self
    }

    /// Adds a path parameter, which is required.
    pub fn path<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Path, name, true, description)
    }

    /// Adds an optional query parameter.
    pub fn query<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Query, name, false, description)
    }

    /// Adds an optional header.
    pub fn header<T: JsonSchema>(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        self.parameter::<T>(ParameterLocation::Header, name, false, description)
    }

    /// Adds a required header.
    pub fn required_header<T: JsonSchema>(
        &mut self,
        name: &'static str,
        description: &'static str,
    ) -> &mut Self {
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

    /// Sets the request body, which is required.
    pub fn body<T: JsonSchema>(&mut self) -> &mut Self {
        self.body = Some(Body { name: T::schema_name().into_owned(), schema: schema_of::<T> });
        self
    }

    /// Adds a response with a JSON body.
    pub fn response<T: JsonSchema>(&mut self, status: u16, description: &'static str) -> &mut Self {
        self.response_as::<T>(status, "application/json", description)
    }

    /// Adds a response with a body of another media type.
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

    /// Adds a response without a body.
    pub fn empty_response(&mut self, status: u16, description: &'static str) -> &mut Self {
        self.responses.push(ResponseDescription { status, description, body: None, headers: Vec::new() });
        self
    }

    /// Adds a header to the response that was added last.
    pub fn with_header(&mut self, name: &'static str, description: &'static str) -> &mut Self {
        if let Some(response) = self.responses.last_mut() {
            response.headers.push((name, description));
        }
        self
    }

    /// Adds a problem that is specific to the operation. `name` is the end of its `type`.
    pub fn problem(&mut self, status: u16, name: &'static str, description: &'static str) -> &mut Self {
        self.problems.push(OperationProblem { status, name, description });
        self
    }
}

/// The operations of an API with their handlers.
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
    /// Adds an operation with its handler.
    #[must_use]
    pub fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        // A GET handler also handles HEAD: the response is the same without its body.
        let mut guarded = on(operation.filter, handler);
        if operation.method == Method::GET {
            guarded = guarded.route_layer(from_fn(evaluate_if_match));
        }
        let guarded = guarded.route_layer(from_fn_with_state(operation.access, authorize));
        self.router = self.router.route(operation.path, guarded);
        self.operations.push(operation);
        self
    }

    /// The operations, for the contract.
    pub fn operations(self) -> Vec<Operation> {
        self.operations
    }

    /// The router, for the host.
    pub fn router(self, state: S) -> Router {
        self.router.with_state(state)
    }
}

async fn authorize(State(access): State<Access>, caller: Caller, request: Request, next: Next) -> Response {
    match access.authorize(&caller).and_then(|()| access.check_api_key(&caller, request.headers())) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            tracing::info!(?caller, ?access, "access denied");
            problem.into_response()
        }
    }
}
