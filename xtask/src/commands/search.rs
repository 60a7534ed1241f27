//! `cargo xtask search`

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws::UnsignedClient;
use domain::OrderId;
use platform::clock::SystemClock;
use search::adapters::{DynamoDbImages, DynamoDbRows, HttpProductNames};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;
use search::rebuild::{Counts, index_segment, remove_missing};

use crate::stack::Stack;
use crate::{signals, ui};

/// The most rows of the orders table that are told one by one when they are not understood.
const MOST_TOLD: usize = 20;
/// How long the inventory may take to tell a product's name.
const PATIENCE: Duration = Duration::from_secs(5);

/// The search index.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Rebuild(Rebuild),
}

/// Bring the search index together with the orders table again, while the shop goes on.
///
/// Indexes every order as index-order does, with the names that products have now, and removes orders that the table no
/// longer has. What is right already is left alone: broken off or done again, it costs reads only.
#[derive(clap::Args)]
struct Rebuild {
    /// Parts of the orders table that are read at the same time.
    #[arg(long, default_value_t = 4, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    segments: u32,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let Command::Rebuild(args) = &args.command;
    let stack = Stack::open(stack)?;
    signals::catch()?;
    let outputs = stack.outputs()?;
    let output = |name: &str| {
        let value = outputs.get(name).cloned();
        value.with_context(|| format!("stack {} has no output {name}: deploy it anew", stack.name))
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
        names: Arc::new(HttpProductNames::new(UnsignedClient::new(PATIENCE), &stack.api_url()?, clock)),
    };
    let images = DynamoDbImages::new(dynamodb, output("OrdersTableName")?);
    let work = Work { indexer, rows, images, segments: args.segments, counts: Mutex::default() };

    let progress = ui::Progress::start("indexing orders");
    let done = stack.aws.wait(until_stopped(&progress, &work, work.index_all()));
    let counts = work.counts();
    done.with_context(|| format!("after {} orders. Doing it again is safe", counts.orders))?;
    progress.done(&format!(
        "{} orders, of which {} were missing or otherwise in the index",
        counts.orders, counts.written
    ));

    let progress = ui::Progress::start("looking for orders that are gone");
    stack.aws.wait(until_stopped(&progress, &work, work.remove_all()))?;
    let counts = work.counts();
    progress.done(&format!("{} orders removed from the index that the table no longer has", counts.removed));

    let wrong = counts.invalid_rows.len();
    for line in counts.invalid_rows.iter().take(MOST_TOLD) {
        ui::note(line);
    }
    anyhow::ensure!(wrong == 0, "{wrong} rows of the orders table are not understood, and are not found");
    Ok(())
}

/// Shows how far the work is, and ends it when the person wants so.
async fn until_stopped(
    progress: &ui::Progress,
    work: &Work,
    done: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut done = std::pin::pin!(done);
    loop {
        tokio::select! {
            result = &mut done => return result,
            () = tokio::time::sleep(Duration::from_millis(250)) => {
                let counts = work.counts();
                progress.detail(&format!("{} looked at, {} written, {} removed", counts.orders, counts.written, counts.removed));
                signals::check()?;
            }
        }
    }
}

struct Work {
    indexer: IndexOrder,
    rows: DynamoDbRows,
    images: DynamoDbImages,
    segments: u32,
    counts: Mutex<Counts>,
}

impl Work {
    fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, more: Counts) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(more);
    }

    async fn index_all(&self) -> anyhow::Result<()> {
        let segment = |segment| {
            index_segment(&self.indexer, &self.images, segment, self.segments, |more| self.add(more))
        };
        futures::future::try_join_all((0..self.segments).map(segment)).await.map(drop)
    }

    async fn remove_all(&self) -> anyhow::Result<()> {
        futures::future::try_join_all((0..self.segments).map(|segment| self.remove_some(segment)))
            .await
            .map(drop)
    }

    async fn remove_some(&self, segment: u32) -> anyhow::Result<()> {
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
