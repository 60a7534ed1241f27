//! `operations::store::Reports`: the latest health report.

use std::sync::Arc;

use futures::future::try_join_all;
use jiff::SignedDuration;
use operations::report::{Report, Step, StepReport};
use operations::store::Reports;

use crate::check::{contract_suite, same};
use crate::sample::time;

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub reports: Arc<dyn Reports>,
}

contract_suite!(World:
    a_report_is_kept_until_a_later_one,
    the_latest_of_concurrent_reports_is_kept,
    the_wait_starts_with_its_first_call,
);

/// The report of a check `milliseconds` after a fixed time, which took `duration_ms`.
fn report(milliseconds: i64, duration_ms: u64) -> anyhow::Result<Report> {
    let steps = [Step::SignIn, Step::DecideOrder].map(|step| StepReport { step, ok: true, duration_ms });
    let missing = vec!["the ages of messages".to_owned()];
    Ok(Report {
        checked_at: time(milliseconds * 1000)?,
        steps: steps.into(),
        has_late_messages: true,
        missing,
    })
}

async fn a_report_is_kept_until_a_later_one(world: &World) -> anyhow::Result<()> {
    same("none", world.reports.last().await?, None)?;
    // The second has the time of the first: a retry of the client after a lost response, or another check.
    for (milliseconds, duration_ms, expected) in
        [(20, 1, (20, 1)), (20, 2, (20, 1)), (10, 3, (20, 1)), (21, 4, (21, 4)), (20, 5, (21, 4))]
    {
        world.reports.save(&report(milliseconds, duration_ms)?).await?;
        same("the latest", world.reports.last().await?, Some(report(expected.0, expected.1)?))?;
    }
    Ok(())
}

async fn the_latest_of_concurrent_reports_is_kept(world: &World) -> anyhow::Result<()> {
    let all = [7, 3, 9, 1, 8, 2].map(|milliseconds| report(milliseconds, 1));
    let all = all.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    try_join_all(all.iter().map(|report| world.reports.save(report))).await?;
    same("the latest", world.reports.last().await?, Some(report(9, 1)?))
}

async fn the_wait_starts_with_its_first_call(world: &World) -> anyhow::Result<()> {
    let now = time(5_000)?;
    for seconds in [0, 60, -60] {
        let asked_at = now + SignedDuration::from_secs(seconds);
        same("since", world.reports.awaited_since(asked_at).await?, now)?;
    }
    same("no report", world.reports.last().await?, None)?;
    world.reports.save(&report(10, 1)?).await?;
    same("since", world.reports.awaited_since(now + SignedDuration::from_secs(60)).await?, now)
}
