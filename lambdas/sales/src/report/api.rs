//! The API for reports, for clients with a token, and for the links in emails.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use jiff::civil::Date;
use platform::Clock;
use platform::http::{Access, FieldError, Json, Operation, Problem, Routes, Scope, parse_path_parameter};
use platform::objects::ObjectStore;
use serde::Deserialize;

use super::link::{LinkSigner, SignedLink};
use super::view::ReportView;
use super::{ReportFile, contract};
use crate::view::DownloadView;

/// The lifetime of the link to which a browser is redirected, and which it follows immediately.
const REDIRECT_LINK_LIFETIME: Duration = Duration::from_secs(60);

/// The dependencies of the routes.
#[expect(missing_docs, reason = "the fields say it")]
pub struct Api {
    /// The bucket of reports.
    pub files: Arc<dyn ObjectStore>,
    /// Verifies the links in emails.
    pub links: LinkSigner,
    pub clock: Arc<dyn Clock>,
}

/// Creates the router.
pub(crate) fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions for the contract.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::ReportsRead);
    let file = "/reports/{day}/files/{file}";
    Routes::default()
        .add(Operation::get("/reports/{day}", "readReport", staff, contract::describe_read), read)
        .add(Operation::get(file, "followReportLink", Access::Public, contract::describe_follow), follow)
}

fn parse_day(text: &str) -> Result<Date, Problem> {
    // `jiff` accepts other notations as well; only this one is allowed.
    let day = Date::from_str(text).ok().filter(|day| day.to_string() == text);
    day.ok_or_else(|| {
        Problem::invalid(vec![FieldError::parameter("day", "must be a date such as 2026-11-23")])
    })
}

async fn read(State(api): State<Arc<Api>>, Path(day): Path<String>) -> Result<Response, Problem> {
    let day = parse_day(&day)?;
    api.ensure_exists(day, ReportFile::Page).await?;
    let link = async |file: ReportFile| {
        let name = file.file_name(day);
        DownloadView::presigned(api.files.as_ref(), api.clock.as_ref(), &file.key(day), name.as_deref()).await
    };
    Ok(Json(ReportView { day, page: link(ReportFile::Page).await?, csv: link(ReportFile::Csv).await? })
        .into_response())
}

#[derive(Debug, Deserialize)]
struct FollowQuery {
    until: Option<String>,
    signature: Option<String>,
}

async fn follow(
    State(api): State<Arc<Api>>,
    Path((day, file)): Path<(String, String)>,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Problem> {
    let day = parse_day(&day)?;
    let file: ReportFile = parse_path_parameter("file", &file)?;
    let expires_at = query.until.as_deref().and_then(|until| until.parse().ok());
    let is_valid = match (expires_at, &query.signature) {
        (Some(expires_at), Some(signature)) => {
            api.links.is_valid(&SignedLink { day, file, expires_at }, signature).await?
        }
        _ => false,
    };
    if !is_valid {
        let detail =
            "This link has expired or is incomplete. The report still exists: sign in to the API to get it.";
        return Err(Problem::forbidden(detail));
    }
    api.ensure_exists(day, file).await?;
    let name = file.file_name(day);
    let link = api.files.presigned_url(&file.key(day), REDIRECT_LINK_LIFETIME, name.as_deref()).await?;
    let headers = [
        (header::LOCATION, link),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((StatusCode::FOUND, headers).into_response())
}

impl Api {
    async fn ensure_exists(&self, day: Date, file: ReportFile) -> Result<(), Problem> {
        let found = self.files.read(&file.key(day), 0, None).await?;
        found.map(drop).ok_or_else(|| Problem::not_found(format!("There is no report for {day}.")))
    }
}
