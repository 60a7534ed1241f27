//! `cargo xtask order`

use std::time::Duration;

use crate::api::NewOrder;
use crate::follow::Follower;
use crate::stack::Stack;
use crate::{products, timeline, ui};

/// Place an order and follow it until it is final.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The product, such as TEA-001, MUG-001 or POT-001 on the local stack.
    #[arg(long, default_value = products::TEA.sku)]
    sku: String,
    /// The quantity.
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
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    let order = stack.shop()?.place(&NewOrder {
        lines: vec![(args.sku.clone(), args.quantity)],
        payment_method: args.payment_method.clone(),
        name: args.name.clone(),
        email: args.email.clone(),
    })?;
    ui::heading(&format!("Order {}", order.id));
    timeline::print_header();
    let mut follower = Follower::new(&stack, order, None)?;
    // Emails can be read on the local stack only.
    let mails = stack.local.is_some();
    follower.follow_until(Duration::from_secs(args.watch), |follower| {
        follower.order().is_final() && (!mails || !follower.mails.is_empty())
    })?;
    follower.mails.iter().for_each(timeline::print_mail_text);
    ui::success(&format!("the order is {}", follower.order().status));
    Ok(())
}
