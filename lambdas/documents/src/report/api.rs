//! Where reports are to be had: for who has a token, and from the links in the mail.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use jiff::civil::Date;
use platform::http::{
    Access, FieldError, Json, Operation, OperationDescription, Problem, Routes, Scope, parse_path_parameter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ReportFile;
use super::link::SignedLink;
use crate::export::api::{Api, DownloadView};

/// How long the link is good that a browser is sent on to: it follows at once.
const REDIRECT_LINK_LIFETIME: Duration = Duration::from_secs(60);

/// The routes of reports, beside those of exports.
pub(crate) fn add(routes: Routes<Arc<Api>>) -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::ReportsRead);
    let file = "/reports/{day}/files/{file}";
    routes
        .add(Operation::get("/reports/{day}", "readReport", staff, describe_read), read)
        .add(Operation::get(file, "followReportLink", Access::Public, describe_follow), follow)
}

/// What the contract says of a day.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Day(
    #[schemars(extend("pattern" = r"^\d{4}-\d{2}-\d{2}$"))]
    #[expect(dead_code, reason = "a schema")]
    String,
);

/// What the contract says of `until`.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Until(
    #[schemars(range(min = 0))]
    #[expect(dead_code, reason = "a schema")]
    i64,
);

/// What the contract says of `signature`.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Signature(
    #[schemars(length(min = 43, max = 43), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    #[expect(dead_code, reason = "a schema")]
    String,
);

fn describe_read(it: &mut OperationDescription) {
    it.about(
        "Read the report of a day",
        "Links to what was sold on a day of the shop's time zone, by product and hour: a page with charts, and a table \
         (CSV). It is made in the early morning of the next day.",
    )
    .path::<Day>("day", "The day, such as 2026-11-23.")
    .response::<ReportView>(200, "The report.")
    .problem(404, "not-found", "There is no report of that day.");
}

fn describe_follow(it: &mut OperationDescription) {
    it.about(
        "Follow a link of the mail about a report",
        "Sends a browser on to the file. The link is good for seven days, for whoever has it.",
    )
    .path::<Day>("day", "The day.")
    .path::<ReportFile>("file", "Which file.")
    .query::<Until>("until", "Until when the link is good, in seconds since 1970.")
    .query::<Signature>("signature", "Makes it good.")
    .empty_response(302, "The file is elsewhere.")
    .with_header("Location", "Where the file is, for a minute.")
    .problem(403, "forbidden", "The link is too old, or not one of ours.")
    .problem(404, "not-found", "There is no report of that day.");
}

/// A report, as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
struct ReportView {
    /// Of which day.
    #[schemars(with = "String", extend("format" = "date"))]
    day: Date,
    /// The page.
    page: DownloadView,
    /// The table.
    csv: DownloadView,
}

fn parse_day(text: &str) -> Result<Date, Problem> {
    // One spelling alone: jiff reads others, too.
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
        let detail = "This link is older than seven days, or not complete. The report is still there: sign in to the API \
                   and read it, or have the day run again for a new mail.";
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
        found.map(drop).ok_or_else(|| Problem::not_found(format!("There is no report of {day}.")))
    }
}
