//! `cargo xtask timeline`

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use crate::logs::Reader;
use crate::stack::Stack;
use crate::{timeline, ui};

/// Show the history of an order: which function handled which event, when, on which attempt, and with what
/// outcome.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The id of the order.
    order: String,
    /// Also show requests that read the order.
    #[arg(long)]
    reads: bool,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    show(&Stack::open(stack)?, &args.order, args.reads)
}

/// Prints the timeline of an order.
pub(crate) fn show(stack: &Stack, order: &str, reads: bool) -> anyhow::Result<()> {
    // A UUID of version 7 contains its time. For other ids, of an order from another system, all logs are
    // searched.
    let created = order.parse().ok().and_then(created_at);
    let since = created.and_then(|created| created.checked_sub(SignedDuration::from_secs(60)).ok());
    let mut handled = Reader::open(stack)?.for_order(order, since)?;
    handled.retain(|handled| reads || !handled.trigger.starts_with("GET "));
    let first = handled.first().with_context(|| {
        format!("the logs of {} contain nothing about order {}. Is the id complete?", stack.name, order)
    })?;
    let found = stack.shop()?.order(order).ok();
    let start = found.as_ref().map_or(first.at, |order| order.placed_at);
    ui::heading(&format!("Order {order} · placed {start}"));
    timeline::print_header();
    let mails =
        stack.mailbox().map(|mailbox| mailbox.for_order(order, None)).transpose()?.unwrap_or_default();
    let mut mails = mails.into_iter().peekable();
    for handled in handled {
        while let Some(mail) = mails.next_if(|mail| mail.sent() < handled.at) {
            timeline::print_mail(&mail, start);
        }
        timeline::print_handled(&handled, start);
    }
    for mail in mails {
        timeline::print_mail(&mail, start);
    }
    match found {
        Some(order) => ui::success(&format!("the order is {}", order.status)),
        None => ui::note("the order service does not have this order: another system published it"),
    }
    Ok(())
}

/// The time in a UUID of version 7.
fn created_at(id: uuid::Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::created_at;

    #[test]
    fn only_an_id_of_version_7_contains_its_time() {
        let ours = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        assert_eq!(created_at(ours).unwrap().to_string(), "2022-02-22T19:22:22Z");
        let theirs = "b2c7e8f0-0000-4000-8000-000000000001".parse().unwrap();
        assert_eq!(created_at(theirs), None);
    }
}
