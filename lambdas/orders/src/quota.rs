//! The limit on the orders that a customer places: without one, anyone who signs in could have the shop reserve
//! stock and send email as fast as the API responds.

use domain::CustomerId;
use jiff::{SignedDuration, Timestamp};
use platform::http::Problem;

/// The limit on the orders of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLimit {
    /// The maximum number of orders that a customer places in a window.
    pub max_orders: u32,
    /// The length of a window, in seconds: at least 1. Windows follow one another, starting at the Unix epoch.
    pub window_seconds: u32,
}

/// The counter of a customer's orders in a window, which is incremented in the transaction that writes the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The customer whose orders are counted.
    pub customer: CustomerId,
    /// The start of the window, in seconds since the Unix epoch.
    pub window: i64,
    /// The end of the window, in seconds since the Unix epoch.
    pub ends_at: i64,
    /// The maximum number of orders in the window.
    pub max_orders: u32,
}

impl OrderLimit {
    /// The counter for an order that `customer` places at `now`.
    pub fn quota(self, customer: CustomerId, now: Timestamp) -> Quota {
        let length = i64::from(self.window_seconds.max(1));
        let window = now.as_second().div_euclid(length).saturating_mul(length);
        Quota { customer, window, ends_at: window.saturating_add(length), max_orders: self.max_orders }
    }
}

impl Quota {
    /// The response to an order beyond the limit.
    pub(crate) fn problem(&self, now: Timestamp) -> Problem {
        let length = SignedDuration::from_secs(self.ends_at.saturating_sub(self.window));
        let wait = self.ends_at.saturating_sub(now.as_second()).max(1);
        Problem::too_many_requests(
            "order-limit-reached",
            "Too many orders",
            format!(
                "You may place at most {} orders in {length:#}. Send the same request again in {wait} seconds, with \
                 the same Idempotency-Key.",
                self.max_orders
            ),
            wait.unsigned_abs(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_one_another() {
        let limit = OrderLimit { max_orders: 3, window_seconds: 600 };
        let window = |second| {
            let quota = limit.quota("ada".parse().unwrap(), Timestamp::from_second(second).unwrap());
            (quota.window, quota.ends_at)
        };
        assert_eq!(window(0), (0, 600));
        assert_eq!(window(599), (0, 600));
        assert_eq!(window(600), (600, 1200));
        assert_eq!(window(-1), (-600, 0));
    }
}
