//! `order`

use std::time::Duration;

use terminal::ui;

use super::{OutputArgs, print_json};
use crate::api::NewOrder;
use crate::follow::Follower;
use crate::timeline::{self, History};
use crate::{Exit, Stack, Target};

/// Place an order and follow it until it is final.
#[derive(clap::Args)]
pub struct Args {
    /// The product, such as TEA-001, MUG-001 or POT-001 on the local stack.
    #[arg(long, default_value = "TEA-001")]
    sku: String,
    /// The number of pieces.
    #[arg(long, default_value_t = 1)]
    quantity: u32,
    /// The card, one of Stripe's test payment methods (<https://docs.stripe.com/testing>): pm_card_visa
    /// succeeds, pm_card_visa_chargeDeclined is declined.
    #[arg(long, default_value = "pm_card_visa")]
    payment_method: String,
    /// The customer's name.
    #[arg(long, default_value = "Ada Lovelace")]
    name: String,
    /// The address that receives the emails.
    #[arg(long, default_value = "ada@example.com")]
    email: String,
    /// How long to follow the order, in seconds.
    #[arg(long, default_value_t = 60)]
    watch: u64,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    let order = stack.shop()?.place(&NewOrder {
        lines: vec![(args.sku.clone(), args.quantity)],
        payment_method: args.payment_method.clone(),
        name: args.name.clone(),
        email: args.email.clone(),
    })?;
    let print = !args.output.json;
    if print {
        ui::heading(&format!("Order {}", order.id));
        timeline::print_header();
    }
    let mut follower = Follower::new(&stack, order, None)?.printing(print);
    // Emails can be read on the local stack only.
    let mails = stack.target.emulator.is_some();
    let finished = follower.follow_for(Duration::from_secs(args.watch), |follower| {
        follower.order().is_final() && (!mails || !follower.mails.is_empty())
    })?;
    let order = follower.order();
    if !print {
        let (handled, mails) = (follower.handled.clone(), follower.mails.clone());
        print_json(&History::new(&order.id, Some(order), handled, mails))?;
    } else if finished {
        follower.mails.iter().for_each(timeline::print_mail_text);
        ui::success(&format!("the order is {}", order.status));
    } else {
        ui::note(&format!("the order is still {} after {} s", order.status, args.watch));
    }
    Ok(Exit::from_check(finished))
}
