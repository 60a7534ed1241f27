//! Searching: the postings of the words yield candidates, and the record of each candidate decides whether it
//! is a hit.
//!
//! The reads of a request are bounded: [`MAX_PAGES`] pages of postings for each form of a word, of which there
//! are [a limited number](crate::forms); if there are dates, one more page for each field and one of the list
//! by date; and [`MAX_CANDIDATES`] records.

use std::collections::BTreeMap;

use domain::OrderId;
use futures::future::try_join_all;

use super::keys::{Posting, Range};
use super::store::{MAX_RECORDS, Record, Rows};
use crate::query::{Hit, Page, Position, Query};
use crate::term::{Field, Match, QueryWord};

/// The number of postings on a page. A posting has about 100 bytes, so a page is far below DynamoDB's limit
/// of 1 MB per query.
const PAGE_SIZE: usize = 1000;
/// The maximum number of pages that are read of each form until the postings of one word are complete.
const MAX_PAGES: usize = 4;
/// The maximum of [`Query::limit`]: this many orders that match all words fill any page.
const MAX_HITS_PER_PAGE: usize = 100;
/// The maximum number of records that a request reads.
const MAX_CANDIDATES: usize = 1000;

pub(super) async fn search(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    if query.words.is_empty() { list_orders(rows, query).await } else { search_words(rows, query).await }
}

/// Lists the orders of the audience, newest first.
async fn list_orders(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    let (from, before) = (query.filters.from, query.filters.before);
    let mut builder = PageBuilder::new(query);
    let Some(range) = Range::for_list(&query.audience, from, before, query.after.as_ref()) else {
        return Ok(builder.into_page(false, false));
    };
    let mut after: Option<Posting> = None;
    loop {
        let read = rows.read_postings(&range, after.as_ref(), builder.batch_size()).await?;
        let candidates: Vec<Position> = read.postings.iter().filter_map(Posting::position).collect();
        let is_done = builder.add(rows, &candidates).await?;
        after = read.postings.last().cloned();
        if is_done || !read.has_more || after.is_none() {
            return Ok(builder.into_page(read.has_more, false));
        }
    }
}

/// The posting list of a form of a word, as far as it has been read.
struct PostingList<'a> {
    form: &'a str,
    range: Range,
    postings: Vec<Posting>,
    has_more: bool,
}

impl PostingList<'_> {
    async fn read_next_page(&mut self, rows: &impl Rows) -> anyhow::Result<()> {
        let read = rows.read_postings(&self.range, self.postings.last(), PAGE_SIZE).await?;
        self.has_more = read.has_more;
        self.postings.extend(read.postings);
        Ok(())
    }

    /// Reads the postings within the dates of the query, for exactly this word in each field. Longer words
    /// that start with it are not included: each is sorted by time separately.
    async fn read_within_dates(&mut self, rows: &impl Rows, query: &Query) -> anyhow::Result<()> {
        let (from, before) = (query.filters.from, query.filters.before);
        let ranges =
            Field::ALL.map(|field| Range::for_field(&query.audience, self.form, field, from, before));
        let pages =
            try_join_all(ranges.iter().map(|range| rows.read_postings(range, None, PAGE_SIZE))).await?;
        self.postings.extend(pages.into_iter().flat_map(|page| page.postings));
        Ok(())
    }
}

/// The posting lists of all forms of the words of a query. Words can have forms in common.
struct PostingLists<'a>(BTreeMap<&'a str, PostingList<'a>>);

impl<'a> PostingLists<'a> {
    fn new(query: &'a Query) -> Self {
        let list = |form: &'a str| {
            let range = Range::for_form(&query.audience, form);
            (form, PostingList { form, range, postings: Vec::new(), has_more: true })
        };
        Self(query.words.iter().flat_map(QueryWord::forms).map(list).collect())
    }

    fn of(&self, word: &QueryWord) -> impl Iterator<Item = &PostingList<'a>> {
        word.forms().filter_map(|form| self.0.get(form))
    }

    /// Returns the lists of which more can be read.
    fn incomplete(&mut self) -> impl Iterator<Item = &mut PostingList<'a>> {
        self.0.values_mut().filter(|list| list.has_more)
    }

    fn is_complete(&self, word: &QueryWord) -> bool {
        self.of(word).all(|list| !list.has_more)
    }

    /// Returns the orders that match a word, each ranked by the score of its best posting.
    fn orders(&self, word: &QueryWord) -> BTreeMap<OrderId, Position> {
        let mut orders: BTreeMap<OrderId, Position> = BTreeMap::new();
        for posting in self.of(word).flat_map(|list| &list.postings) {
            let (Some(order), Some(term)) = (posting.position(), posting.term()) else { continue };
            let rank = word.score(&term).unwrap_or_default();
            let best = orders.entry(order.order_id).or_insert(order);
            best.rank = best.rank.max(rank);
        }
        orders
    }

    /// Returns the orders that match all of these words, each with the sum of its scores.
    fn intersect<'w>(&self, mut words: impl Iterator<Item = &'w QueryWord>) -> BTreeMap<OrderId, Position> {
        let mut orders = words.next().map(|word| self.orders(word)).unwrap_or_default();
        for word in words {
            let others = self.orders(word);
            orders.retain(|order, position| match others.get(order) {
                Some(other) => {
                    position.rank = position.rank.saturating_add(other.rank);
                    true
                }
                None => false,
            });
        }
        orders
    }
}

/// Searches the orders that match all words.
async fn search_words(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    let mut lists = PostingLists::new(query);
    // The complete lists of one word are enough to know all candidates, so reading stops at the first.
    for _ in 0..MAX_PAGES {
        if !query.words.iter().any(|word| lists.is_complete(word)) {
            try_join_all(lists.incomplete().map(|list| list.read_next_page(rows))).await?;
        }
    }
    let is_possible = |candidate: &Position| may_be_within_dates(query, candidate);
    // Complete lists determine the candidates; their records are checked for the words whose lists are
    // incomplete.
    let (complete, incomplete): (Vec<&QueryWord>, Vec<&QueryWord>) =
        query.words.iter().partition(|word| lists.is_complete(word));
    let candidates: Vec<Position> =
        lists.intersect(complete.iter().copied()).into_values().filter(is_possible).collect();
    if incomplete.is_empty() {
        return page_in_order(rows, query, candidates, false).await;
    }
    if !complete.is_empty() && candidates.len() <= MAX_CANDIDATES {
        return rank_and_page(rows, query, candidates, false).await;
    }
    if let Some(dated) = list_within_dates(rows, query).await? {
        return rank_and_page(rows, query, dated.into_values().filter(is_possible).collect(), false).await;
    }
    // There are too many candidates to examine, and the first of them may all be later than the dates of the
    // query.
    if query.filters.has_dates() {
        try_join_all(lists.incomplete().map(|list| list.read_within_dates(rows, query))).await?;
    }
    // Orders in the intersection of the lists, as far as they were read, match all words.
    let matching: Vec<Position> =
        lists.intersect(query.words.iter()).into_values().filter(is_possible).collect();
    if matching.len() >= MAX_HITS_PER_PAGE || query.words.len() == 1 {
        return page_in_order(rows, query, matching, true).await;
    }
    // The longest word is probably the rarest: the records of its orders are checked for the other words.
    let longest = query.words.iter().max_by_key(|word| word.forms().next().map_or(0, str::len));
    let mut others: Vec<Position> = longest
        .map(|word| lists.orders(word))
        .unwrap_or_default()
        .into_values()
        .filter(is_possible)
        .collect();
    others.retain(|other| !matching.iter().any(|known| known.order_id == other.order_id));
    others.sort_unstable();
    others.truncate(MAX_CANDIDATES.saturating_sub(matching.len()));
    rank_and_page(rows, query, matching.into_iter().chain(others).collect(), true).await
}

/// Reads the records of at most [`MAX_CANDIDATES`] candidates and ranks the hits among them, because the
/// postings determine neither whether they are hits nor their rank.
async fn rank_and_page(
    rows: &impl Rows,
    query: &Query,
    candidates: Vec<Position>,
    truncated: bool,
) -> anyhow::Result<Page> {
    let hits = ranked_hits(rows, query, &candidates).await?;
    let mut builder = PageBuilder::new(query);
    let has_more = hits.len() > query.limit;
    builder.hits = hits.into_iter().take(query.limit).collect();
    builder.last = builder.hits.last().map(|hit| hit.position);
    Ok(builder.into_page(has_more, truncated))
}

/// Reads the records of candidates in order of their position until the page is full. The postings determine
/// the rank.
async fn page_in_order(
    rows: &impl Rows,
    query: &Query,
    mut candidates: Vec<Position>,
    truncated: bool,
) -> anyhow::Result<Page> {
    candidates.retain(|candidate| query.after.is_none_or(|after| *candidate > after));
    candidates.sort_unstable();
    let mut candidates = candidates.as_slice();
    let mut builder = PageBuilder::new(query);
    while !candidates.is_empty() {
        let (batch, rest) = candidates.split_at(builder.batch_size().min(candidates.len()));
        candidates = rest;
        if builder.add(rows, batch).await? {
            break;
        }
    }
    Ok(builder.into_page(!candidates.is_empty(), truncated))
}

/// Returns all hits among the candidates, best first.
async fn ranked_hits(rows: &impl Rows, query: &Query, candidates: &[Position]) -> anyhow::Result<Vec<Hit>> {
    let ids: Vec<OrderId> = candidates.iter().map(|candidate| candidate.order_id).collect();
    let records = try_join_all(ids.chunks(MAX_RECORDS).map(|some| rows.records(some))).await?;
    let mut hits: Vec<Hit> =
        records.into_iter().flatten().filter_map(|record| match_record(query, record)).collect();
    hits.retain(|hit| query.after.is_none_or(|after| hit.position > after));
    hits.sort_unstable_by_key(|hit| hit.position);
    Ok(hits)
}

/// Returns the orders within the dates of the query, or `None` if it has no dates or the orders exceed one
/// page.
async fn list_within_dates(
    rows: &impl Rows,
    query: &Query,
) -> anyhow::Result<Option<BTreeMap<OrderId, Position>>> {
    let (from, before) = (query.filters.from, query.filters.before);
    if !query.filters.has_dates() {
        return Ok(None);
    }
    let Some(range) = Range::for_list(&query.audience, from, before, None) else {
        return Ok(Some(BTreeMap::new()));
    };
    let read = rows.read_postings(&range, None, PAGE_SIZE).await?;
    let orders = read.postings.iter().filter_map(Posting::position).map(|order| (order.order_id, order));
    Ok((!read.has_more).then(|| orders.collect()))
}

/// Returns whether a candidate may be within the dates, in the microsecond precision of its key.
fn may_be_within_dates(query: &Query, candidate: &Position) -> bool {
    let filters = &query.filters;
    filters.from.is_none_or(|from| candidate.placed_at >= from.as_microsecond())
        && filters.before.is_none_or(|before| candidate.placed_at <= before.as_microsecond())
}

/// Returns the hit for a record, or `None` if it does not match the query.
fn match_record(query: &Query, record: Record) -> Option<Hit> {
    let document = record.document?;
    let found = Match::find(&query.words, &record.terms)?;
    let is_hit = record.audiences.contains(&query.audience) && query.filters.matches(&document);
    is_hit.then(|| Hit { position: Position::new(found.rank, &document), fields: found.fields, document })
}

/// Collects the hits of a page, and one more, which shows that there is a next page.
struct PageBuilder<'a> {
    query: &'a Query,
    hits: Vec<Hit>,
    /// The number of candidates that have been examined.
    examined: usize,
    /// The last candidate that has been examined.
    last: Option<Position>,
}

impl<'a> PageBuilder<'a> {
    fn new(query: &'a Query) -> Self {
        Self { query, hits: Vec::new(), examined: 0, last: None }
    }

    /// Returns the number of candidates to examine next.
    fn batch_size(&self) -> usize {
        let wanted = if self.query.filters.needs_documents() || self.examined > 0 {
            MAX_RECORDS
        } else {
            self.query.limit.saturating_add(1)
        };
        wanted.clamp(1, MAX_RECORDS)
    }

    /// Examines candidates, which are sorted and follow all earlier ones. Returns whether the page is full or
    /// the limit of candidates is reached.
    async fn add(&mut self, rows: &impl Rows, candidates: &[Position]) -> anyhow::Result<bool> {
        let ids: Vec<OrderId> = candidates.iter().map(|candidate| candidate.order_id).collect();
        let read = if ids.is_empty() { Vec::new() } else { rows.records(&ids).await? };
        let mut records: BTreeMap<OrderId, Record> =
            read.into_iter().map(|record| (record.order_id, record)).collect();
        for candidate in candidates {
            let record = records.remove(&candidate.order_id);
            if let Some(mut hit) = record.and_then(|record| match_record(self.query, record)) {
                // Paging follows the postings, whose position can briefly differ from that of the record.
                hit.position = *candidate;
                self.hits.push(hit);
                if self.hits.len() > self.query.limit {
                    return Ok(true);
                }
            }
            self.last = Some(*candidate);
        }
        self.examined = self.examined.saturating_add(candidates.len());
        Ok(self.examined >= MAX_CANDIDATES)
    }

    /// Returns the page. `has_more` is whether there are candidates that were not examined.
    fn into_page(mut self, has_more: bool, truncated: bool) -> Page {
        let next = if self.hits.len() > self.query.limit {
            self.hits.truncate(self.query.limit);
            self.hits.last().map(|hit| hit.position)
        } else {
            self.last.filter(|_| has_more)
        };
        Page { hits: self.hits, next, truncated }
    }
}
