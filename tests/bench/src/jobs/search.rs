//! Search: invokes the function as Lambda does, with the index of a shop with many orders. The tables are in this process
//! and respond immediately, so the times are the function's own. DynamoDB would add some milliseconds for each round of
//! requests, which are sent concurrently. The requests are counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use domain::order::{Order, Outcome};
use domain::{Cause, OrderDetails, OrderId, ProductName, Sku};
use futures::stream::{StreamExt, iter};
use jiff::{SignedDuration, Timestamp};
use platform::clock::SystemClock;
use search::adapters::memory::InMemoryRows;
use search::document::Document;
use search::postings::store::Rows;
use search::postings::{Posting, PostingsIndex, Range};
use search::store::OrderIndex;
use serde_json::{Value, json};
use strum::{IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::Section;
use super::services::{Services, Tables};
use crate::statistics::{milliseconds, percentile};

const FIRST: [&str; 20] = [
    "Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "Ida", "Jean", "Ken", "Lynn",
    "Margaret", "Niklaus", "Olga", "Radia", "Sophie", "Tony", "Vera", "Wanda",
];
const LAST: [&str; 25] = [
    "Allen", "Bartik", "Conway", "Dijkstra", "Engel", "Fischer", "Goldberg", "Hopper", "Iversen", "Jennings",
    "Keller", "Lovelace", "Müller", "Naur", "Oberg", "Perlman", "Quinn", "Ritchie", "Snyder", "Thompson",
    "Ullman", "Vogel", "Wirth", "Young", "Zuse",
];
const TEAS: [&str; 16] = [
    "Assam",
    "Bancha",
    "Ceylon",
    "Darjeeling",
    "Earl Grey",
    "Formosa",
    "Gunpowder",
    "Hojicha",
    "Irish Breakfast",
    "Jasmine",
    "Keemun",
    "Lapsang",
    "Matcha",
    "Nilgiri",
    "Oolong",
    "Sencha",
];
const KINDS: [&str; 8] =
    ["First Flush", "Second Flush", "Autumnal", "Organic", "Broken", "Superior", "Decaf", "Bags"];
/// The time of the first order in seconds since the Unix epoch. One order per minute follows.
const START: i64 = 1_790_000_000;
const CUSTOMERS: usize = 20_000;

/// Its name on the command line.
pub(super) const JOB: &str = "search";
const ORDERS: usize = 100_000;
/// The number of searches of each kind.
const SEARCHES: usize = 500;

/// Measures each kind of search. `binary` is the path of `search-orders`.
///
/// # Errors
/// If it cannot be started, or a search fails.
pub(super) async fn measure(binary: &Path) -> anyhow::Result<Section> {
    let rows = rows(binary, ORDERS, SEARCHES).await?;
    Ok(Section {
        title: "Search",
        description: format!(
            "Searches among {ORDERS} orders, {SEARCHES} of each kind, by the function itself, invoked as Lambda invokes it. \
The tables are in the benchmark's memory and respond immediately: the times are the function's own, and DynamoDB adds some \
milliseconds for each round of requests. **Truncated**: whether responses reported an incomplete search."
        ),
        columns: vec!["search", "hits", "truncated", "requests", "p50 ms", "p99 ms"],
        rows: rows.into_iter().map(Vec::from).collect(),
    })
}

async fn rows(binary: &Path, orders: usize, searches: usize) -> anyhow::Result<Vec<[String; 6]>> {
    let services = Arc::new(Services::new(Index(build_index(orders).await?), Duration::ZERO));
    services
        .with_function("search-orders", binary, async |process, _, function| {
            process.invoke().await?;
            let mut all = Vec::new();
            let mut table = Vec::new();
            for kind in Kind::VARIANTS {
                let mut measured = Measurements::default();
                for number in 0..searches {
                    // A pseudo-random order.
                    let event = kind.event(&function.sample, number * 7919 % orders.max(1), orders)?;
                    services.take_requests();
                    let (duration, response) = process.invoke_with(event).await?;
                    measured.add(duration, services.take_requests(), &response)?;
                }
                all.extend(measured.times.iter().copied());
                table.push(measured.row(kind.into()));
            }
            let all = Measurements { times: all, ..Measurements::default() };
            let [_, _, _, _, p50, p99] = all.row("");
            table.push(["all searches".to_owned(), String::new(), String::new(), String::new(), p50, p99]);
            Ok(table)
        })
        .await
}

#[derive(Default)]
struct Measurements {
    times: Vec<Duration>,
    requests: Vec<usize>,
    hits: Vec<usize>,
    truncated: usize,
}

impl Measurements {
    fn add(&mut self, duration: Duration, requests: usize, response: &Value) -> anyhow::Result<()> {
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        self.times.push(duration);
        self.requests.push(requests);
        self.hits.push(body["hits"].as_array().context("the response has no hits")?.len());
        self.truncated += usize::from(body["truncated"] == true);
        Ok(())
    }

    fn row(&self, name: &str) -> [String; 6] {
        let time = |percent| milliseconds(percentile(self.times.iter().copied(), percent));
        [
            name.to_owned(),
            format_range(&self.hits),
            if self.truncated > 0 { "yes".to_owned() } else { "no".to_owned() },
            format_range(&self.requests),
            time(50),
            time(99),
        ]
    }
}

/// The range of the values: `3`, or `3 to 5`.
fn format_range(values: &[usize]) -> String {
    match (values.iter().min(), values.iter().max()) {
        (Some(min), Some(max)) if min != max => format!("{min} to {max}"),
        (Some(min), _) => min.to_string(),
        _ => "0".to_owned(),
    }
}

/// A kind of search.
#[derive(Debug, Clone, Copy, VariantArray, IntoStaticStr)]
enum Kind {
    #[strum(serialize = "an email address")]
    Email,
    #[strum(serialize = "an order id")]
    OrderId,
    #[strum(serialize = "first and last name")]
    FullName,
    #[strum(serialize = "last name and product")]
    NameAndTea,
    #[strum(serialize = "the first three letters of a name")]
    PartOfAName,
    #[strum(serialize = "a word in a tenth of all orders")]
    CommonWord,
    #[strum(serialize = "two such words")]
    CommonWords,
    #[strum(serialize = "a name, filtered by status")]
    NameAndStatus,
    #[strum(serialize = "such a word, on one day")]
    Day,
    #[strum(serialize = "no words: the newest orders")]
    Newest,
}

impl Kind {
    /// The query parameters that find the order with this number.
    fn query(self, number: usize, of: usize) -> Vec<(&'static str, String)> {
        let customer = customer_of(number);
        let (first, last) = (nth(&FIRST, customer), nth(&LAST, customer / FIRST.len()));
        let tea = nth(&TEAS, number);
        let words = |words: String| vec![("q", words)];
        match self {
            Self::Email => words(email(customer)),
            Self::OrderId => words(order_id(number).to_string()),
            Self::FullName => words(format!("{first} {last}")),
            Self::NameAndTea => words(format!("{last} {tea}")),
            Self::PartOfAName => words(last.chars().take(3).collect()),
            Self::CommonWord => words("flush".to_owned()),
            Self::CommonWords => words("first flush".to_owned()),
            Self::NameAndStatus => vec![("q", format!("{first} {last}")), ("status", "paid".to_owned())],
            Self::Day => {
                let day = placed_at(number.min(of)).strftime("%Y-%m-%d").to_string();
                vec![("q", "flush".to_owned()), ("from", day.clone()), ("to", day)]
            }
            Self::Newest => vec![],
        }
    }

    /// The sample event of `search-orders`, sent by a staff member, with another query.
    fn event(self, sample: &Bytes, number: usize, of: usize) -> anyhow::Result<Bytes> {
        let mut event: Value = serde_json::from_slice(sample)?;
        let query = self.query(number, of);
        let single_values: serde_json::Map<String, Value> =
            query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let multi_values: serde_json::Map<String, Value> =
            query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
        event["queryStringParameters"] = json!(single_values);
        event["multiValueQueryStringParameters"] = json!(multi_values);
        event["requestContext"]["authorizer"]["claims"]["cognito:groups"] = json!("staff");
        Ok(event.to_string().into())
    }
}

fn nth<'a>(of: &[&'a str], number: usize) -> &'a str {
    of.get(number % of.len()).copied().unwrap_or_default()
}

fn customer_of(order: usize) -> usize {
    order * 31 % CUSTOMERS
}

fn email(customer: usize) -> String {
    let (first, last) = (nth(&FIRST, customer), nth(&LAST, customer / FIRST.len()));
    let last = last.replace('ü', "ue");
    format!("{first}.{last}.{customer}@mail{}.example.com", customer % 50).to_lowercase()
}

fn placed_at(order: usize) -> Timestamp {
    let minutes = i64::try_from(order).unwrap_or_default();
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(START) + SignedDuration::from_mins(minutes)
}

/// A UUID version 7, as the orders service generates it.
fn order_id(order: usize) -> OrderId {
    let milliseconds = u128::try_from(placed_at(order).as_millisecond()).unwrap_or_default();
    let rest = u128::try_from(order * 2_654_435_761).unwrap_or_default() & 0x0fff_ffff_ffff;
    OrderId::from(Uuid::from_u128(milliseconds << 80 | 0x7000_8000_0000_0000_0000 | rest))
}

/// The numbers of two of the thousand products.
fn skus(order: usize) -> [usize; 2] {
    [order % 1000, (order * 17 + 500) % 1000]
}

fn document(number: usize) -> anyhow::Result<Document> {
    let customer = customer_of(number);
    let mut numbers = skus(number).to_vec();
    numbers.dedup();
    let sku = |number: &usize| format!("TEA-{number:04}");
    let lines: Vec<Value> = numbers
        .iter()
        .map(|number| {
            json!({ "sku": sku(number), "quantity": 1, "unit_price": { "amount": 500 + number, "currency": "EUR" } })
        })
        .collect();
    let total: usize = numbers.iter().map(|number| 500 + number).sum();
    let details: OrderDetails = serde_json::from_value(json!({
        "customer": {
            "id": Uuid::from_u128(u128::try_from(customer)? << 64 | 0x4000_8000).to_string(),
            "name": format!("{} {}", nth(&FIRST, customer), nth(&LAST, customer / FIRST.len())),
            "email": email(customer),
        },
        "lines": lines,
        "total": { "amount": total, "currency": "EUR" },
        "payment_method": "pm_card_visa",
        "placed_at": placed_at(number),
    }))?;
    let cause = Cause { correlation_id: "bench".parse()?, causation_id: None, traceparent: None };
    let (mut order, _) = Order::place(order_id(number), details, cause);
    order.outcome = (number % 10 < 8).then_some(Outcome::Paid);
    let name = |number: &usize| {
        let name = format!("{} {}", nth(&TEAS, *number), nth(&KINDS, number / TEAS.len()));
        Ok::<(Sku, ProductName), anyhow::Error>((sku(number).parse()?, name.parse()?))
    };
    let names = numbers.iter().map(name).collect::<anyhow::Result<_>>()?;
    Ok(Document::from_order(&order, 3, &names))
}

/// Builds the index of so many orders, as `index-order` does.
async fn build_index(orders: usize) -> anyhow::Result<InMemoryRows> {
    let index = PostingsIndex::new(InMemoryRows::default(), Arc::new(SystemClock));
    {
        let writes = iter(0..orders).map(async |number| index.index(document(number)?).await);
        let mut writes = std::pin::pin!(writes.buffer_unordered(16));
        while let Some(result) = writes.next().await {
            result?;
        }
    }
    Ok(index.into_rows())
}

/// The two tables of the index, with those operations of DynamoDB that a search uses.
struct Index(InMemoryRows);

impl Index {
    async fn query(&self, body: &Value) -> anyhow::Result<Value> {
        let value = |name: &str| {
            let value = body["ExpressionAttributeValues"][name]["S"].as_str();
            value.map(str::to_owned).with_context(|| format!("no {name}"))
        };
        let range = Range { partition: value(":partition")?, first: value(":first")?, last: value(":last")? };
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let start = &body["ExclusiveStartKey"];
        let after = start
            .is_object()
            .then(|| Posting { partition: text(&start["partition"]), sort: text(&start["sort"]) });
        let limit = usize::try_from(body["Limit"].as_u64().context("no limit")?)?;
        let read = self.0.read_postings(&range, after.as_ref(), limit).await?;
        let key = |it: &Posting| json!({ "partition": { "S": it.partition }, "sort": { "S": it.sort } });
        let items: Vec<Value> = read.postings.iter().map(key).collect();
        let mut response = json!({ "Count": items.len(), "ScannedCount": items.len() });
        if let Some(last) = items.last().filter(|_| read.has_more) {
            response["LastEvaluatedKey"] = last.clone();
        }
        response["Items"] = items.into();
        Ok(response)
    }

    async fn batch_get(&self, body: &Value) -> anyhow::Result<Value> {
        let (table, requested) =
            body["RequestItems"].as_object().and_then(|tables| tables.iter().next()).context("no table")?;
        let keys = requested["Keys"].as_array().context("no keys")?;
        let id = |key: &Value| key["order_id"]["S"].as_str().and_then(|id| id.parse().ok());
        let orders: Vec<OrderId> = keys.iter().filter_map(id).collect();
        let mut items = Vec::new();
        for record in self.0.records(&orders).await? {
            items.push(json!({
                "order_id": { "S": record.order_id },
                "stamp": { "N": record.stamp.to_string() },
                "record": { "S": serde_json::to_string(&record)? },
            }));
        }
        let mut responses = serde_json::Map::new();
        responses.insert(table.clone(), items.into());
        Ok(json!({ "Responses": responses, "UnprocessedKeys": {} }))
    }
}

impl Tables for Index {
    async fn handle(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        if operation == "Query" { self.query(body).await } else { self.batch_get(body).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_kind_of_search_has_hits() {
        let rows = build_index(500).await.unwrap();
        let index = PostingsIndex::new(rows, Arc::new(SystemClock));
        for kind in Kind::VARIANTS {
            let query = kind.query(250, 500);
            let words = query.iter().find(|(name, _)| *name == "q").map_or("", |(_, words)| words);
            let found = index
                .search(&search::query::Query {
                    audience: search::document::Audience::All,
                    words: search::term::QueryWord::parse_all(words),
                    filters: Default::default(),
                    limit: 20,
                    after: None,
                })
                .await
                .unwrap();
            assert!(!found.hits.is_empty(), "{kind:?}: {query:?}");
        }
        assert_eq!(format_range(&[2, 1, 2]), "1 to 2");
        assert_eq!(format_range(&[2]), "2");
    }
}
