//! `cargo xtask demo`

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::up::{OrdersRun, Profile};
use crate::api::{NewOrder, Order, Shop, Stock};
use crate::follow::Follower;
use crate::instance::Instance;
use crate::products::{MUG, POT, Product, TEA};
use crate::queues::{DeadLetterQueue, Which};
use crate::stack::Stack;
use crate::stand_in::Control;
use crate::ui::{self, BOLD, DIM};
use crate::{api, emulator, signals, timeline};

/// How long a story may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long it may take until an event was tried often enough to be given up.
const GIVE_UP_LIMIT: Duration = Duration::from_secs(180);

/// Watch five orders on the running stack: a good one, and four that meet what can go wrong.
///
/// Starts the stack if it is not running. Fails if an order does not end as it should.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    if emulator::Emulator::of(&instance).service.pid().is_none() {
        super::up::start(&instance, OrdersRun::OnLambda, Profile::Dev)?;
    }
    let stage = Stage::set(&instance)?;
    let told = stage.tell();
    // Whatever became of the stories: the next order is not to meet the faults of these.
    stage.provider.recover()?;
    told?;
    ui::heading("That is all of it");
    ui::field("cargo xtask order", "place an order yourself; --help says what there is to choose");
    ui::field("cargo xtask timeline", "the story of any order again");
    ui::field("cargo xtask down", "stop everything");
    Ok(())
}

/// What the stories are told with.
struct Stage {
    stack: Stack,
    shop: Shop,
    provider: Control,
}

/// How an order is to end.
struct End {
    status: &'static str,
    /// How often money was taken.
    captures: usize,
}

/// An order that was placed, with the stock as it was before.
struct Placed {
    order: Order,
    email: String,
    product: Product,
    quantity: u32,
    before: Stock,
}

impl Stage {
    fn set(instance: &Instance) -> anyhow::Result<Self> {
        let stack = Stack::local(instance.clone())?;
        let shop = stack.shop().context("the stack is not deployed as it should be. Try: cargo xtask up")?;
        let provider = Control::of(instance);
        provider.recover()?;
        // What the stories sell: the demonstration can be repeated for ever.
        let delivery = format!("demo-{:x}", api::random()?);
        for product in [TEA, MUG] {
            shop.deliver(product.sku, &delivery, 10)?;
        }
        Ok(Self { stack, shop, provider })
    }

    fn tell(&self) -> anyhow::Result<()> {
        title(
            1,
            "An order goes through",
            "Stock is reserved, the card is charged, the customer gets a mail.",
        );
        let placed = self.place(TEA, 2, "pm_card_visa")?;
        self.watch(&placed, &End { status: "paid", captures: 1 })?;

        title(2, "Too little stock", "More teapots than there are: nothing is held, nothing is charged.");
        let placed = self.place(POT, 50, "pm_card_visa")?;
        self.watch(&placed, &End { status: "rejected", captures: 0 })?;

        title(3, "The card is declined", "The stock that was held for the order goes back on the shelf.");
        let placed = self.place(MUG, 1, "pm_card_visa_chargeDeclined")?;
        self.watch(&placed, &End { status: "payment_failed", captures: 0 })?;

        title(
            4,
            "The payment provider is down for a while",
            "It answers 503 twice. The event comes again, each time after a longer wait.",
        );
        self.provider.break_down(Some(2))?;
        let placed = self.place(MUG, 2, "pm_card_visa")?;
        self.watch(&placed, &End { status: "paid", captures: 1 })?;

        title(
            5,
            "The payment provider stays down",
            "The event is tried until it is given up, and waits in the dead-letter queue for a person.",
        );
        self.provider.break_down(None)?;
        let placed = self.place(TEA, 1, "pm_card_visa")?;
        self.give_up_and_redrive(&placed)
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
            "  {quantity} × {} with {payment_method} → order {BOLD}{}{BOLD:#}",
            product.name,
            order.id
        );
        timeline::print_head();
        Ok(Placed { order, email, product, quantity, before })
    }

    /// Prints what happens to the order until it is over, and fails if it did not end so.
    fn watch(&self, placed: &Placed, end: &End) -> anyhow::Result<()> {
        let mut follower = Follower::of(&self.stack, placed.order.clone(), Some(&placed.email))?;
        follower.until(LIMIT, |seen| self.is_over(seen, placed))?;
        self.check(&follower, placed, end)
    }

    fn give_up_and_redrive(&self, placed: &Placed) -> anyhow::Result<()> {
        let mut follower = Follower::of(&self.stack, placed.order.clone(), Some(&placed.email))?;
        follower.until(GIVE_UP_LIMIT, |seen| seen.handled.iter().any(|handled| handled.dead_letter))?;
        let function = follower.handled.iter().find(|handled| handled.dead_letter);
        let function = function.map(|handled| handled.function.clone()).unwrap_or_default();
        let queue = DeadLetterQueue::named(&self.stack, &function)?;
        let which = Which { order_id: Some(placed.order.id.clone()), ..Which::default() };
        say(&format!("`cargo xtask dlq show {function}` says why:"));
        let letters = queue.peek(&self.stack, &which)?;
        ensure!(letters.len() == 1, "{} holds {} messages of the order, not 1", queue.name, letters.len());
        for letter in &letters {
            super::dlq::print_reason(letter);
        }
        say(&format!(
            "the provider is repaired, and `cargo xtask dlq redrive {function} --yes` sends the event back:"
        ));
        self.provider.recover()?;
        let moved = queue.redrive(&self.stack, &which)?;
        ensure!(moved.len() == 1, "{} messages were sent back, not 1", moved.len());
        follower.until(LIMIT, |seen| self.is_over(seen, placed))?;
        let left = queue.peek(&self.stack, &which)?;
        ensure!(left.is_empty(), "{} still holds a message of the order", queue.name);
        self.check(&follower, placed, &End { status: "paid", captures: 1 })
    }

    /// Whether the order has its last status, its mail is there, and no stock is held for it any more.
    fn is_over(&self, seen: &Follower, placed: &Placed) -> bool {
        let held = self.shop.stock(placed.product.sku).map(|stock| stock.held);
        seen.order().is_final() && !seen.mails.is_empty() && held.is_ok_and(|held| held <= placed.before.held)
    }

    fn check(&self, follower: &Follower, placed: &Placed, end: &End) -> anyhow::Result<()> {
        let order = follower.order();
        ensure!(
            order.status == end.status,
            "order {} ended as {}, not {}",
            order.id,
            order.status,
            end.status
        );
        let mails = follower.mails.len();
        ensure!(mails == 1, "the customer of order {} got {mails} mails, not 1", order.id);
        let captures = self.provider.captures(&order.id)?;
        ensure!(
            captures == end.captures,
            "money was taken {captures} times for order {}, not {}",
            order.id,
            end.captures
        );
        let quantity = i64::from(placed.quantity);
        let sold = if end.captures > 0 { quantity } else { 0 };
        let expected = Stock {
            available: placed.before.available.saturating_sub(sold),
            held: placed.before.held,
            sold: placed.before.sold.saturating_add(sold),
        };
        let stock = self.shop.stock(placed.product.sku)?;
        ensure!(stock == expected, "the stock after order {} is {stock:?}, not {expected:?}", order.id);
        follower.mails.iter().for_each(timeline::print_mail_text);
        let money = if captures == 0 { "no money was taken" } else { "money was taken once" };
        ui::success(&format!(
            "{}: {money}; of {} there are now {}, and {} sold",
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
