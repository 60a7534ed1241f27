//! `cargo xtask demo`

use std::time::Duration;
use xtask::functions::Selection;

use anyhow::{Context as _, ensure};
use shopctl::Stack;
use shopctl::api::{NewOrder, Order, Shop, Stock};
use shopctl::commands::dlq;
use shopctl::follow::Follower;
use shopctl::queues::{DeadLetterQueue, MessageFilter};
use shopctl::{api, timeline};
use terminal::signals;
use terminal::ui::{self, BOLD, DIM};

use super::up::{OrdersHost, Profile};
use crate::emulator;
use crate::instance::Instance;
use crate::products::{MUG, POT, Product, TEA};
use crate::stand_in::Control;

/// How long an order may take to complete.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take until the last attempt of an event has failed.
const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(180);

/// Watch five orders on the local stack: one without problems, and four with typical failures.
///
/// Starts the stack if it is not running; functions that do not process orders are only built by `cargo xtask up`, and their
/// events wait until then. Fails if an order does not have the expected outcome.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    if emulator::Emulator::new(&instance).service.pid().is_none() {
        super::up::start(&instance, OrdersHost::Lambda, Profile::Dev, Selection::Pipeline)?;
    }
    let demo = Demo::prepare(&instance)?;
    let result = demo.run();
    // Also after an error: faults that are still active would affect the next order.
    demo.provider.clear_faults()?;
    result?;
    ui::heading("All five orders ended as expected. What next?");
    ui::field("cargo xtask order", "place an order yourself; see --help for products and cards");
    ui::field(
        "cargo xtask up",
        "add the functions around the orders: invoices, search, sales, images, webhooks",
    );
    ui::field("cargo xtask timeline", "show the history of any order");
    ui::field("cargo xtask trace", "show what caused what in an order, and how long it took");
    ui::field("cargo xtask down", "stop the local stack");
    Ok(())
}

/// The stack of the demonstration, and its clients.
struct Demo {
    stack: Stack,
    shop: Shop,
    provider: Control,
}

/// The expected outcome of an order.
struct Expected {
    status: &'static str,
    /// How often the customer is charged.
    captures: usize,
}

/// An order that was placed, with the stock before that.
struct Placed {
    order: Order,
    email: String,
    product: Product,
    quantity: u32,
    before: Stock,
}

impl Demo {
    fn prepare(instance: &Instance) -> anyhow::Result<Self> {
        let stack = instance.open()?;
        let shop = stack.shop().context("the stack is not deployed completely. Deploy it: cargo xtask up")?;
        let provider = Control::new(instance);
        provider.clear_faults()?;
        // Replaces the stock that the orders take, so that the demonstration can be repeated without limit.
        let delivery = format!("demo-{:x}", api::random()?);
        for product in [TEA, MUG] {
            shop.record_delivery(product.sku, &delivery, 10)?;
        }
        Ok(Self { stack, shop, provider })
    }

    fn run(&self) -> anyhow::Result<()> {
        title(
            1,
            "An order without problems",
            "The stock is reserved, the card is charged, and the customer receives an email.",
        );
        let placed = self.place(TEA, 2, "pm_card_visa")?;
        self.watch(&placed, &Expected { status: "paid", captures: 1 })?;

        title(
            2,
            "Not enough stock",
            "The customer orders more teapots than there are: nothing is reserved, nothing is charged.",
        );
        let placed = self.place(POT, 50, "pm_card_visa")?;
        self.watch(&placed, &Expected { status: "rejected", captures: 0 })?;

        title(3, "The card is declined", "The reservation is released, and the stock is available again.");
        let placed = self.place(MUG, 1, "pm_card_visa_chargeDeclined")?;
        self.watch(&placed, &Expected { status: "payment_failed", captures: 0 })?;

        title(
            4,
            "The payment provider is unavailable for a while",
            "It responds with 503 twice. The event is retried with increasing delays, until the charge succeeds.",
        );
        self.provider.fail_confirmations(Some(2))?;
        let placed = self.place(MUG, 2, "pm_card_visa")?;
        self.watch(&placed, &Expected { status: "paid", captures: 1 })?;

        title(
            5,
            "The payment provider stays unavailable",
            "After the last attempt, the event is sent to a dead-letter queue. An operator redrives it later.",
        );
        self.provider.fail_confirmations(None)?;
        let placed = self.place(TEA, 1, "pm_card_visa")?;
        self.watch_dead_letter_and_redrive(&placed)
    }

    fn place(&self, product: Product, quantity: u32, payment_method: &str) -> anyhow::Result<Placed> {
        let before = self.shop.stock(product.sku)?;
        let email = format!("ada+{:08x}@example.com", api::random()? & 0xffff_ffff);
        let order = self.shop.place(&NewOrder {
            lines: vec![(product.sku.to_owned(), quantity)],
            payment_method: payment_method.to_owned(),
            name: "Ada Lovelace".to_owned(),
            email: email.clone(),
        })?;
        anstream::println!(
            "  {quantity} × {}, card {payment_method} → order {BOLD}{}{BOLD:#}",
            product.name,
            order.id
        );
        timeline::print_header();
        Ok(Placed { order, email, product, quantity, before })
    }

    /// Prints what happens to the order until it is complete, and checks its outcome.
    fn watch(&self, placed: &Placed, expected: &Expected) -> anyhow::Result<()> {
        let mut follower = Follower::new(&self.stack, placed.order.clone(), Some(&placed.email))?;
        follower.follow_until(COMPLETION_TIMEOUT, |follower| self.is_complete(follower, placed))?;
        self.check(&follower, placed, expected)
    }

    fn watch_dead_letter_and_redrive(&self, placed: &Placed) -> anyhow::Result<()> {
        let mut follower = Follower::new(&self.stack, placed.order.clone(), Some(&placed.email))?;
        follower.follow_until(DEAD_LETTER_TIMEOUT, |follower| {
            follower.handled.iter().any(|handled| handled.dead_letter)
        })?;
        let function = follower.handled.iter().find(|handled| handled.dead_letter);
        let function = function.map(|handled| handled.function.clone()).unwrap_or_default();
        let queue = DeadLetterQueue::find(&self.stack, &function)?;
        let filter = MessageFilter { order_id: Some(placed.order.id.clone()), ..MessageFilter::default() };
        say(&format!("`cargo xtask dlq show {function}` shows the reason:"));
        let messages = queue.peek(&self.stack, &filter)?;
        ensure!(
            messages.len() == 1,
            "{} contains {} messages about the order instead of 1",
            queue.name,
            messages.len()
        );
        for message in &messages {
            dlq::print_reason(message);
        }
        say(&format!(
            "the provider has recovered, and `cargo xtask dlq redrive {function} --yes` sends the event back to its queue:"
        ));
        self.provider.clear_faults()?;
        let redriven = queue.redrive(&self.stack, &filter)?;
        ensure!(redriven.len() == 1, "{} messages were redriven instead of 1", redriven.len());
        follower.follow_until(COMPLETION_TIMEOUT, |follower| self.is_complete(follower, placed))?;
        let remaining = queue.peek(&self.stack, &filter)?;
        ensure!(remaining.is_empty(), "{} still contains a message about the order", queue.name);
        self.check(&follower, placed, &Expected { status: "paid", captures: 1 })
    }

    /// Whether the order is final, its email was sent, and no stock is reserved for it any more.
    fn is_complete(&self, follower: &Follower, placed: &Placed) -> bool {
        let held = self.shop.stock(placed.product.sku).map(|stock| stock.held);
        follower.order().is_final()
            && !follower.mails.is_empty()
            && held.is_ok_and(|held| held <= placed.before.held)
    }

    fn check(&self, follower: &Follower, placed: &Placed, expected: &Expected) -> anyhow::Result<()> {
        let order = follower.order();
        ensure!(
            order.status == expected.status,
            "order {} is {} instead of {}",
            order.id,
            order.status,
            expected.status
        );
        let mails = follower.mails.len();
        ensure!(mails == 1, "the customer of order {} received {mails} emails instead of 1", order.id);
        let captures = self.provider.captures(&order.id)?;
        ensure!(
            captures == expected.captures,
            "order {} was charged {captures} times instead of {}",
            order.id,
            expected.captures
        );
        let quantity = i64::from(placed.quantity);
        let sold = if expected.captures > 0 { quantity } else { 0 };
        let expected = Stock {
            available: placed.before.available.saturating_sub(sold),
            held: placed.before.held,
            sold: placed.before.sold.saturating_add(sold),
        };
        let stock = self.shop.stock(placed.product.sku)?;
        ensure!(stock == expected, "the stock after order {} is {stock:?} instead of {expected:?}", order.id);
        follower.mails.iter().for_each(timeline::print_mail_text);
        let charge = if captures == 0 { "not charged" } else { "charged once" };
        ui::success(&format!(
            "the order is {} and was {charge}; stock of {}: {} available, {} sold",
            order.status, placed.product.sku, stock.available, stock.sold
        ));
        Ok(())
    }
}

fn title(number: u8, title: &str, explanation: &str) {
    ui::heading(&format!("{number}. {title}"));
    anstream::println!("  {DIM}{explanation}{DIM:#}");
}

fn say(text: &str) {
    anstream::println!("  {DIM}…{DIM:#} {text}");
}
