//! Invoice numbers have no gaps or duplicates, and no order has two invoices, with concurrent issuers that
//! fail at any point.

use futures::future::join_all;
use invoices::adapters::memory::InMemoryInvoices;
use platform::EventHandler;
use proptest::prelude::*;

use crate::support::{Shop, id, tea};

fn assert_no_gaps(invoices: &InMemoryInvoices) {
    let all = invoices.all();
    let serials: Vec<u32> = all.iter().map(|invoice| invoice.number.serial()).collect();
    assert_eq!(serials, (1..=u32::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    let mut orders: Vec<_> = all.iter().map(|invoice| invoice.order_id).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), all.len(), "an order has two invoices");
}

/// The faults in a round of messages.
#[derive(Debug, Clone, Copy)]
struct Faults {
    failing_calls: u32,
    lost_responses: u32,
    /// The message whose handler is cancelled, and the number of steps after which it is.
    dropped: (usize, u32),
}

fn faults() -> impl Strategy<Value = Faults> {
    (0..4_u32, 0..3_u32, (0..8_usize, 0..12_u32)).prop_map(|(failing_calls, lost_responses, dropped)| {
        Faults { failing_calls, lost_responses, dropped }
    })
}

/// Polls `work` for this number of steps, and then drops it.
async fn for_steps<T>(steps: u32, work: impl Future<Output = T>) -> Option<T> {
    let steps = async {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = steps => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn invoice_numbers_have_no_gaps_despite_faults(rounds in prop::collection::vec((prop::collection::vec(0..6_u128, 1..8), faults()), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::at("2026-11-23T11:00:00Z");
            for (orders, faults) in &rounds {
                shop.invoices.failures.fail_next(faults.failing_calls);
                shop.invoices.lost_responses.fail_next(faults.lost_responses);
                // Each message has its own issuer, like a Lambda execution environment of its own.
                let issuers: Vec<_> = orders.iter().map(|_| shop.issuer()).collect();
                let events: Vec<_> = orders.iter().map(|order| tea(id(*order))).collect();
                let handled = issuers.iter().zip(&events).enumerate().map(|(index, (issuer, event))| {
                    let steps = if index == faults.dropped.0 { faults.dropped.1 } else { u32::MAX };
                    for_steps(steps, issuer.handle(event))
                });
                join_all(handled).await;
                assert_no_gaps(&shop.invoices);
            }
            // Finally each message is redelivered without faults.
            shop.invoices.failures.fail_next(0);
            shop.invoices.lost_responses.fail_next(0);
            for order in 0..6 {
                shop.issuer().handle(&tea(id(order))).await.unwrap();
            }
            assert_no_gaps(&shop.invoices);
            assert_eq!(shop.invoices.all().len(), 6);
        });
    }
}

#[tokio::test]
async fn a_crash_at_each_step_leaves_no_gap() {
    let mut finished = 0;
    for steps in 0..40 {
        let shop = Shop::at("2026-11-23T11:00:00Z");
        let (first, second) = (tea(id(1)), tea(id(2)));
        finished += u32::from(for_steps(steps, shop.issuer().handle(&first)).await.is_some());
        assert_no_gaps(&shop.invoices);
        shop.issuer().handle(&second).await.unwrap();
        shop.issuer().handle(&first).await.unwrap();
        assert_no_gaps(&shop.invoices);
        assert_eq!(shop.invoices.all().len(), 2);
    }
    assert!((1..40).contains(&finished), "some are dropped and some are not: {finished}");
}
