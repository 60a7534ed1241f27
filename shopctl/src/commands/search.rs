//! `search`

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use aws::UnsignedClient;
use domain::OrderId;
use platform::clock::SystemClock;
use platform::lock;
use search::adapters::{DynamoDbImages, DynamoDbRows, HttpProductNames};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;
use search::rebuild::{Counts, index_segment, remove_missing};
use terminal::{signals, ui};

use crate::{Exit, Stack, Target};

/// The maximum number of rows that cannot be parsed to print individually.
const MAX_PRINTED_ROWS: usize = 20;
/// The timeout of requests to the inventory for product names.
const PRODUCT_NAME_TIMEOUT: Duration = Duration::from_secs(5);

/// Maintain the search index.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Rebuild(Rebuild),
}

/// Rebuild the search index from the orders table, while the shop is in use.
///
/// Indexes every order as index-order does, with the current names of products, and removes orders that are
/// no longer in the table. Up-to-date entries are not written: repeating the command, also after an
/// interruption, costs reads only.
#[derive(clap::Args)]
struct Rebuild {
    /// The number of segments of the orders table to scan in parallel.
    #[arg(long, default_value_t = 4, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    segments: u32,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let Command::Rebuild(args) = &args.command;
    let stack = Stack::open(target)?;
    signals::catch()?;
    let outputs = stack.outputs()?;
    let output = |name: &str| {
        let value = outputs.get(name).cloned();
        value.with_context(|| format!("stack {} has no output {name}: deploy it again", stack.name()))
    };
    let dynamodb = stack.aws.dynamodb.clone();
    let rows = DynamoDbRows::new(
        dynamodb.clone(),
        output("SearchRecordsTableName")?,
        output("SearchPostingsTableName")?,
    );
    let clock = Arc::new(SystemClock);
    let indexer = IndexOrder {
        index: Arc::new(PostingsIndex::new(rows.clone(), clock.clone())),
        names: Arc::new(HttpProductNames::new(
            UnsignedClient::new(PRODUCT_NAME_TIMEOUT),
            &stack.api_url()?,
            clock,
        )),
    };
    let images = DynamoDbImages::new(dynamodb, output("OrdersTableName")?);
    let rebuild = RebuildJob { indexer, rows, images, segments: args.segments, counts: Mutex::default() };

    let progress = ui::Progress::start("indexing orders");
    let result = stack.aws.wait(run_with_progress(&progress, &rebuild, rebuild.index_all()));
    let counts = rebuild.counts();
    result.with_context(|| {
        format!("stopped after {} orders. The command can safely be run again", counts.orders)
    })?;
    progress.done(&format!("{} orders indexed: {} were missing or outdated", counts.orders, counts.written));

    let progress = ui::Progress::start("removing orders that are no longer in the orders table");
    stack.aws.wait(run_with_progress(&progress, &rebuild, rebuild.remove_all()))?;
    let counts = rebuild.counts();
    progress.done(&format!("{} orders removed that are no longer in the orders table", counts.removed));

    let wrong = counts.invalid_rows.len();
    for line in counts.invalid_rows.iter().take(MAX_PRINTED_ROWS) {
        ui::note(line);
    }
    if wrong > 0 {
        ui::note(&format!(
            "{wrong} rows of the orders table cannot be parsed, so the search does not find them"
        ));
    }
    Ok(Exit::from_check(wrong == 0))
}

/// Runs a part of the job and shows its progress, until the user interrupts the command.
async fn run_with_progress(
    progress: &ui::Progress,
    rebuild: &RebuildJob,
    part: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut part = std::pin::pin!(part);
    loop {
        tokio::select! {
            result = &mut part => return result,
            () = tokio::time::sleep(Duration::from_millis(250)) => {
                let counts = rebuild.counts();
                progress.detail(&format!(
                    "{} read, {} written, {} removed",
                    counts.orders, counts.written, counts.removed
                ));
                signals::check()?;
            }
        }
    }
}

struct RebuildJob {
    indexer: IndexOrder,
    rows: DynamoDbRows,
    images: DynamoDbImages,
    segments: u32,
    counts: Mutex<Counts>,
}

impl RebuildJob {
    fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    fn add(&self, more: Counts) {
        lock(&self.counts).add(more);
    }

    async fn index_all(&self) -> anyhow::Result<()> {
        let segment = |segment| {
            index_segment(&self.indexer, &self.images, segment, self.segments, |more| self.add(more))
        };
        futures::future::try_join_all((0..self.segments).map(segment)).await.map(drop)
    }

    async fn remove_all(&self) -> anyhow::Result<()> {
        let remove = |segment| self.remove_segment(segment);
        futures::future::try_join_all((0..self.segments).map(remove)).await.map(drop)
    }

    async fn remove_segment(&self, segment: u32) -> anyhow::Result<()> {
        let mut after: Option<OrderId> = None;
        loop {
            let (orders, next) = self.rows.order_ids(segment, self.segments, after).await?;
            let removed = remove_missing(self.indexer.index.as_ref(), &self.images, &orders).await?;
            self.add(Counts { removed, ..Counts::default() });
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
