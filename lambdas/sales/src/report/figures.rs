//! The totals of a day.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Sum;

use domain::money::Currency;
use domain::{Line, Lines, Money, ShortageKind, Sku};

use super::allocation::allocate;
use super::day::{Hour, LocalDay};
use crate::ledger::booking::{Booking, BookingKind};

/// Numbers of orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orders {
    /// The number of orders placed.
    pub placed: u64,
    /// The number of orders charged.
    pub paid: u64,
    /// The number of refunds.
    pub refunds: u64,
    /// The number of orders rejected as out of stock.
    pub out_of_stock: u64,
}

/// The sales of a product. Amounts are in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sales {
    /// The number of charged orders that contain the product.
    pub orders: u64,
    /// The number of pieces in these orders.
    pub pieces: u64,
    /// The amount charged for the product.
    pub revenue: u64,
    /// The amount refunded for the product.
    pub refunded: u64,
    /// The number of times that an order was rejected because the product was out of stock.
    pub stock_outs: u64,
    /// The number of pieces that were missing in these orders.
    pub missing: u64,
}

impl Sales {
    /// Returns the revenue minus the refunds. It is negative if the refunds of the day exceed its revenue.
    pub fn net(&self) -> i128 {
        i128::from(self.revenue) - i128::from(self.refunded)
    }
}

impl Sum for Orders {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            placed: sum.placed + next.placed,
            paid: sum.paid + next.paid,
            refunds: sum.refunds + next.refunds,
            out_of_stock: sum.out_of_stock + next.out_of_stock,
        })
    }
}

impl Sum for Sales {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            orders: sum.orders + next.orders,
            pieces: sum.pieces + next.pieces,
            revenue: sum.revenue + next.revenue,
            refunded: sum.refunded + next.refunded,
            stock_outs: sum.stock_outs + next.stock_outs,
            missing: sum.missing + next.missing,
        })
    }
}

/// A currency, ordered by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// The ISO 4217 code.
    pub code: &'static str,
    /// The number of decimal places.
    pub digits: usize,
}

impl From<Currency> for Unit {
    fn from(currency: Currency) -> Self {
        Self { code: currency.code(), digits: currency.decimal_places() }
    }
}

/// The totals of a day. Amounts in different currencies are never added.
#[derive(Debug, Clone)]
pub struct Figures {
    hours: Vec<Hour>,
    /// The key is the currency and the index of the hour in `hours`.
    orders: BTreeMap<(Unit, usize), Orders>,
    /// The key is the currency, the index of the hour and the product.
    sales: BTreeMap<(Unit, usize, Sku), Sales>,
}

impl Figures {
    /// Creates the totals of a day without any bookings.
    pub fn new(day: &LocalDay) -> Self {
        Self { hours: day.hours(), orders: BTreeMap::new(), sales: BTreeMap::new() }
    }

    /// Adds a booking. Bookings of other days are ignored.
    pub fn add(&mut self, booking: &Booking) {
        let Some(hour) = self.hours.iter().position(|hour| (hour.start..hour.end).contains(&booking.at))
        else {
            return;
        };
        match &booking.kind {
            BookingKind::Placed => self.orders_mut(booking.lines.total(), hour).placed += 1,
            BookingKind::Paid { amount } => {
                self.orders_mut(*amount, hour).paid += 1;
                for (line, share) in allocate_to_lines(*amount, &booking.lines) {
                    let sales = self.sales_mut(*amount, hour, &line.sku);
                    sales.orders += 1;
                    sales.pieces += u64::from(line.quantity.get());
                    sales.revenue += share;
                }
            }
            BookingKind::Refunded { amount, .. } => {
                self.orders_mut(*amount, hour).refunds += 1;
                for (line, share) in allocate_to_lines(*amount, &booking.lines) {
                    self.sales_mut(*amount, hour, &line.sku).refunded += share;
                }
            }
            BookingKind::Rejected { shortages } => {
                let total = booking.lines.total();
                let missing: BTreeMap<&Sku, u32> = shortages
                    .iter()
                    .filter_map(|shortage| match shortage.kind {
                        ShortageKind::OutOfStock { available } => Some((&shortage.sku, available)),
                        ShortageKind::UnknownProduct | ShortageKind::PriceChanged { .. } => None,
                    })
                    .collect();
                if !missing.is_empty() {
                    self.orders_mut(total, hour).out_of_stock += 1;
                }
                for (sku, available) in missing {
                    let line = booking.lines.iter().find(|line| line.sku == *sku);
                    let ordered = line.map_or(0, |line| line.quantity.get());
                    let sales = self.sales_mut(total, hour, sku);
                    sales.stock_outs += 1;
                    sales.missing += u64::from(ordered.saturating_sub(available));
                }
            }
        }
    }

    fn orders_mut(&mut self, money: Money, hour: usize) -> &mut Orders {
        self.orders.entry((money.currency.into(), hour)).or_default()
    }

    fn sales_mut(&mut self, money: Money, hour: usize, sku: &Sku) -> &mut Sales {
        self.sales.entry((money.currency.into(), hour, sku.clone())).or_default()
    }

    /// Returns the hours of the day.
    pub fn hours(&self) -> &[Hour] {
        &self.hours
    }

    /// Returns the currencies of all bookings.
    pub fn currencies(&self) -> BTreeSet<Unit> {
        let with_sales = self.sales.keys().map(|(unit, _, _)| *unit);
        self.orders.keys().map(|(unit, _)| *unit).chain(with_sales).collect()
    }

    /// Returns the order totals in a currency, for an hour (an index into [`Figures::hours`]) or the whole
    /// day.
    pub fn order_totals(&self, unit: Unit, hour: Option<usize>) -> Orders {
        let all = self.orders.iter();
        let matching = all.filter(|((of, at), _)| *of == unit && hour.is_none_or(|hour| hour == *at));
        matching.map(|(_, orders)| *orders).sum()
    }

    /// Returns the sales totals in a currency, for an hour or the whole day.
    pub fn sales_totals(&self, unit: Unit, hour: Option<usize>) -> Sales {
        let all = self.sales.iter();
        let matching = all.filter(|((of, at, _), _)| *of == unit && hour.is_none_or(|hour| hour == *at));
        matching.map(|(_, sales)| *sales).sum()
    }

    /// Returns the sales of each product in a currency, ordered by descending revenue.
    pub fn sales_by_product(&self, unit: Unit) -> Vec<(&Sku, Sales)> {
        let mut products: BTreeMap<&Sku, Vec<Sales>> = BTreeMap::new();
        for ((_, _, sku), sales) in self.sales.iter().filter(|((of, _, _), _)| *of == unit) {
            products.entry(sku).or_default().push(*sales);
        }
        let mut products: Vec<(&Sku, Sales)> =
            products.into_iter().map(|(sku, sales)| (sku, sales.into_iter().sum())).collect();
        products.sort_by_key(|(_, sales)| std::cmp::Reverse((sales.revenue, sales.stock_outs)));
        products
    }

    /// Returns the sales by hour, product and currency, without empty combinations.
    pub fn rows(&self) -> Vec<(&Hour, &Sku, Unit, Sales)> {
        let mut rows: Vec<_> = self
            .sales
            .iter()
            .filter_map(|((unit, hour, sku), sales)| {
                Some((*hour, self.hours.get(*hour)?, sku, *unit, *sales))
            })
            .collect();
        rows.sort_by_key(|(index, _, sku, unit, _)| (*index, *sku, *unit));
        rows.into_iter().map(|(_, hour, sku, unit, sales)| (hour, sku, unit, sales)).collect()
    }
}

/// Allocates an amount to the lines, in proportion to their prices.
fn allocate_to_lines(amount: Money, lines: &Lines) -> impl Iterator<Item = (&Line, u64)> {
    let costs: Vec<u64> = lines
        .iter()
        .map(|line| u64::from(line.unit_price.minor_units()).saturating_mul(line.quantity.get().into()))
        .collect();
    lines.iter().zip(allocate(amount.minor_units().into(), &costs))
}
