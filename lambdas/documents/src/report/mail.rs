//! The mail about a report.

use async_trait::async_trait;

use super::figures::Figures;
use super::page::format_amount;
use crate::day::LocalDay;

/// A mail to who runs the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one.
    async fn send(&self, mail: &Mail) -> anyhow::Result<()>;
}

/// The links in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLinks {
    /// To the page.
    pub page: String,
    /// To the table.
    pub csv: String,
}

/// Says what was sold, and where there is more. `is_again` where there was a mail with other figures before.
pub fn compose(
    shop: &str,
    day: &LocalDay,
    figures: &Figures,
    links: &MailLinks,
    is_correction: bool,
) -> Mail {
    let date = day.date.strftime("%A, %-d %B %Y");
    let prefix = if is_correction { "Corrected: " } else { "" };
    let totals: Vec<String> = figures
        .currencies()
        .into_iter()
        .map(|unit| {
            let (orders, sales) = (figures.order_totals(unit, None), figures.sales_totals(unit, None));
            format!(
                "{code}: {placed} orders placed, {paid} paid, revenue {revenue}, refunds {refunded}; {out} refused for \
                 want of stock",
                code = unit.code,
                placed = orders.placed,
                paid = orders.paid,
                revenue = format_amount(sales.revenue.into(), unit),
                refunded = format_amount(sales.refunded.into(), unit),
                out = orders.out_of_stock,
            )
        })
        .collect();
    let totals = if totals.is_empty() { "Nothing was sold.".to_owned() } else { totals.join("\n") };
    let note = if is_correction {
        "Events of that day came in late, or the report was made again: these figures stand in place of those of the \
         mail before.\n\n"
    } else {
        ""
    };
    let MailLinks { page, csv } = links;
    Mail {
        subject: format!("{prefix}{shop}: sales on {date}"),
        text: format!(
            "Sales on {date}\n\n{totals}\n\n{note}The report with charts:\n{page}\n\nThe table (CSV):\n{csv}\n\nThe links \
             are good for seven days, for whoever has them.\n"
        ),
    }
}
