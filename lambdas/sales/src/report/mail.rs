//! The email about a report.

use super::day::LocalDay;
use super::figures::Figures;
use super::money::format_amount;
use super::store::Mail;

/// The links in an email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MailLinks {
    pub(super) page: String,
    pub(super) csv: String,
}

/// Composes the email with the totals of the day and links to the report. `is_correction` is true if a
/// previous email had other figures.
pub(super) fn compose(
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
                "{code}: {placed} orders placed, {paid} paid, revenue {revenue}, refunds {refunded}; {out} \
                 rejected as out of stock",
                code = unit.code,
                placed = orders.placed,
                paid = orders.paid,
                revenue = format_amount(sales.revenue.into(), unit),
                refunded = format_amount(sales.refunded.into(), unit),
                out = orders.out_of_stock,
            )
        })
        .collect();
    let totals = if totals.is_empty() { "No sales.".to_owned() } else { totals.join("\n") };
    let note = if is_correction {
        "Events of that day arrived late, or the report was run again: these figures replace those of the \
         previous email.\n\n"
    } else {
        ""
    };
    let MailLinks { page, csv } = links;
    Mail {
        subject: format!("{prefix}{shop}: sales on {date}"),
        text: format!(
            "Sales on {date}\n\n{totals}\n\n{note}The report with charts:\n{page}\n\nThe table \
             (CSV):\n{csv}\n\nThe links are valid for seven days, for anyone who has them.\n"
        ),
    }
}
