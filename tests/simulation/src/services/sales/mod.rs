//! The sales: the ledger equals the facts, exports contain each sale once, and the daily report equals the ledger
//! of its day.

mod clients;
mod history;
mod ports;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use domain::{Event, OrderId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use platform::lock;
use platform::publisher::NoPublisher;
use sales::adapters::memory::{InMemoryExports, InMemoryLedger};
use sales::export::ExportId;
use sales::export::run::{ExportOrders, Limits};
use sales::ledger::record::RecordSale;
use sales::ledger::sale::Sale;
use sales::report::job::{DailyReport, MailSettings};
use sales::report::link::LinkSigner;
use sales::report::store::Mail;
use serde_json::json;

use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::Ports;
use crate::queue::DeadLetter;
use crate::world::World;

/// The bucket of exports and reports.
const BUCKET: &str = "DocumentsBucket";
/// Small enough for checkpoints, several parts and several row groups in each export.
const LIMITS: Limits = Limits { part_bytes: 500, row_group_size: 3 };

/// The sales service.
pub struct SalesService;

/// The ledger, the exports, and what operators have seen of them.
#[derive(Debug, Default)]
pub struct Sales {
    ledger: InMemoryLedger,
    exports: InMemoryExports,
    /// The sales before the run, which are in the ledger from its start.
    history: Mutex<BTreeMap<OrderId, Sale>>,
    /// Every event that reached the bus.
    published: Mutex<Vec<Event>>,
    /// The emails about reports.
    mails: Mutex<Vec<Mail>>,
    /// The days about which an email had been sent when an invocation of `daily-report` began, by its number.
    mailed: Mutex<BTreeMap<u64, BTreeSet<String>>>,
    /// The day of the report that the last morning brings.
    report_day: Mutex<Option<Date>>,
    /// The exports that are done.
    done: Mutex<BTreeSet<ExportId>>,
}

impl Service for SalesService {
    fn name(&self) -> &'static str {
        "sales"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[
            ("record-sale", record_sale),
            ("exports-api", exports_api),
            ("export-orders", export_orders),
            ("daily-report", daily_report),
        ]
    }

    fn published(&self, world: &World, event: &Event) {
        lock(&world.parts.sales.published).push(event.clone());
    }

    /// There are sales of earlier days, and an operator exports what is there.
    fn start(&self, world: &Arc<World>) {
        history::record(world);
        clients::export(world, "early");
    }

    /// An operator exports everything, and reads the report that the morning brings.
    fn finish(&self, world: &Arc<World>) {
        clients::export(world, "late");
        clients::read_report(world);
    }

    fn check(&self, world: &World) -> Vec<String> {
        [rules::check_ledger(world), rules::check_report(world)].concat()
    }

    fn final_state(&self, world: &World) -> String {
        let files = world.bucket(BUCKET);
        let files: Vec<_> =
            files.keys().into_iter().map(|key| files.get(&key).map(|file| file.body)).collect();
        format!(
            "{}, {files:?}, {:?}",
            json!(world.parts.sales.ledger.sales()),
            lock(&world.parts.sales.mails)
        )
    }

    /// An export that makes no progress fails, and its message goes to the dead-letter queue.
    fn may_reject(&self, _: &World, letter: &DeadLetter) -> bool {
        letter.function == "export-orders" && letter.error.contains("made no progress")
    }
}

fn record_sale(ports: &Ports) -> Handler {
    let handler = RecordSale { ledger: Arc::new(ports.clone()), clock: Arc::new(ports.caller.clone()) };
    Handler::queue(ports, handler, Arc::new(NoPublisher))
}

fn exports_api(ports: &Ports) -> Handler {
    let clock = Arc::new(ports.caller.clone());
    let files = Arc::new(ports.bucket(BUCKET));
    let exports = sales::export::api::Api {
        exports: Arc::new(ports.clone()),
        queue: Arc::new(ports.clone()),
        files: Arc::clone(&files) as Arc<_>,
        clock: Arc::clone(&clock) as Arc<_>,
        zone: ports.world.wiring.shop_time_zone.clone(),
    };
    let reports = sales::report::api::Api { files, links: links(ports), clock };
    Handler::api(ports, sales::api::router(exports, reports))
}

fn links(ports: &Ports) -> LinkSigner {
    LinkSigner::new(Arc::new(ports.clone()), Arc::new(ports.caller.clone()))
}

fn export_orders(ports: &Ports) -> Handler {
    let handler = ExportOrders {
        exports: Arc::new(ports.clone()),
        sales: Arc::new(ports.clone()),
        files: Arc::new(ports.bucket(BUCKET)),
        queue: Arc::new(ports.clone()),
        clock: Arc::new(ports.caller.clone()),
        limits: LIMITS,
    };
    Handler::queue(ports, handler, Arc::new(NoPublisher))
}

fn daily_report(ports: &Ports) -> Handler {
    let days = ports
        .world
        .bucket(BUCKET)
        .keys()
        .into_iter()
        .filter_map(|key| Some(key.strip_prefix("reports/")?.strip_suffix("/mailed.json")?.to_owned()));
    lock(&ports.world.parts.sales.mailed).insert(ports.caller.invocation, days.collect());
    let mail = MailSettings {
        mailer: Arc::new(ports.clone()),
        links: links(ports),
        api_url: clients::API_URL.to_owned(),
    };
    Handler::job(DailyReport {
        bookings: Arc::new(ports.clone()),
        files: Arc::new(ports.bucket(BUCKET)),
        mail: Some(mail),
        clock: Arc::new(ports.caller.clone()),
        zone: if ports.world.has_mutation(Mutation::ReportInUtc) {
            TimeZone::UTC
        } else {
            ports.world.wiring.shop_time_zone.clone()
        },
        shop: "The Tea Shop".to_owned(),
    })
}
