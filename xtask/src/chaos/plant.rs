//! Breaks something on purpose before the judgement, to see that the judgement finds it.

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::ValueEnum;

use super::door::Seen;
use super::plan::Plan;
use crate::instance::Instance;
use crate::stack::Stack;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plant {
    /// A paid order is charged a second time at the provider.
    SecondCharge,
    /// A piece of a product appears that nobody delivered.
    Stock,
}

impl Plant {
    /// What it does, in words.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::SecondCharge => "a paid order was charged a second time",
            Self::Stock => "a piece of a product appeared that nobody delivered",
        }
    }

    /// Does it.
    pub(crate) fn put_in(
        self,
        stack: &Stack,
        instance: &Instance,
        plan: &Plan,
        seen: &[Seen],
    ) -> anyhow::Result<()> {
        match self {
            Self::SecondCharge => {
                let paid = seen.iter().find(|order| order.status == "paid");
                charge(instance, &paid.context("no order is paid")?.id)
            }
            Self::Stock => {
                let product = plan.products.first().context("the plan has no product")?;
                add_a_piece(stack, &product.sku)
            }
        }
    }
}

fn charge(instance: &Instance, order_id: &str) -> anyhow::Result<()> {
    let url = format!("{}/v1/payment_intents", instance.stand_in_url());
    let form = format!(
        "amount=1300&currency=eur&payment_method=pm_card_visa&confirm=true&payment_method_types[]=card\
         &metadata[order_id]={order_id}"
    );
    let request = ureq::post(&url)
        .header("authorization", "Bearer sk_test_local")
        .header("content-type", "application/x-www-form-urlencoded");
    request.send(&form).context("charging a second time")?;
    Ok(())
}

fn add_a_piece(stack: &Stack, sku: &str) -> anyhow::Result<()> {
    let table = stack.outputs()?.remove("ProductsTableName").context("the stack has no ProductsTableName")?;
    let update = stack
        .aws
        .dynamodb
        .update_item()
        .table_name(table)
        .key("sku", AttributeValue::S(sku.to_owned()))
        .update_expression("ADD available :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    let done = stack.aws.wait(update.send());
    done.map(drop).map_err(|error| anyhow::anyhow!("changing {sku}: {}", DisplayErrorContext(error)))
}
