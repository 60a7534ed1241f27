//! Injects a violation before the checks, to verify that they find it.

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::ValueEnum;
use shopctl::Stack;

use super::api_checker::CustomerOrder;
use super::plan::Plan;
use crate::instance::Instance;

/// A violation to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InjectedViolation {
    /// Charge a paid order a second time at the provider.
    SecondCharge,
    /// Add one unit of a product to its stock without a delivery.
    Stock,
}

impl InjectedViolation {
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::SecondCharge => "a paid order was charged a second time",
            Self::Stock => "one unit of a product was added without a delivery",
        }
    }

    /// Injects the violation into a stack.
    pub(crate) fn inject(
        self,
        stack: &Stack,
        instance: &Instance,
        plan: &Plan,
        orders: &[CustomerOrder],
    ) -> anyhow::Result<()> {
        match self {
            Self::SecondCharge => {
                let paid = orders.iter().find(|order| order.status == "paid");
                charge(instance, &paid.context("no order is paid, so none can be charged twice")?.id)
            }
            Self::Stock => {
                let product = plan.products.first().context("the plan has no product")?;
                add_unit(stack, &product.sku)
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

fn add_unit(stack: &Stack, sku: &str) -> anyhow::Result<()> {
    let table = stack.outputs()?.remove("ProductsTableName").context("the stack has no ProductsTableName")?;
    let update = stack
        .aws
        .dynamodb
        .update_item()
        .table_name(table)
        .key("sku", AttributeValue::S(sku.to_owned()))
        .update_expression("ADD available :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    let response = stack.aws.wait(update.send());
    let response = response.map(drop);
    response.map_err(|error| anyhow::anyhow!("changing the stock of {sku}: {}", DisplayErrorContext(error)))
}
