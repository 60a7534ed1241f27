//! Searching: the words' postings lead to candidates, and each candidate's record says whether it is a hit.
//!
//! What a request reads is bounded: [`MOST_PAGES`] of postings for each word, where there are dates another one of each
//! field and one of the list by date, and [`MOST_CANDIDATES`] records.

use std::collections::BTreeMap;

use domain::OrderId;
use futures::future::try_join_all;

use super::keys::{Posting, Range};
use super::rows::{MOST_RECORDS, Record, Rows};
use crate::query::{Hit, Page, Position, Query};
use crate::term::{Field, Match, Wanted};

/// Postings on a page. A posting takes some 100 bytes, so a page is far below the 1 MB that DynamoDB gives at once.
const PAGE: usize = 1000;
/// Pages that are read of each word while no word has few orders.
const MOST_PAGES: usize = 4;
/// So many orders that have all words fill the largest page ([`Query::limit`]).
const ENOUGH: usize = 100;
/// Records that are looked up for one request.
const MOST_CANDIDATES: usize = 1000;

pub(super) async fn search(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    if query.words.is_empty() { list(rows, query).await } else { find(rows, query).await }
}

/// All orders of the audience, the newest first.
async fn list(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    let (from, before) = (query.filters.from, query.filters.before);
    let mut walk = Walk::new(query);
    let Some(range) = Range::of_list(&query.audience, from, before, query.after.as_ref()) else {
        return Ok(walk.page(false, false));
    };
    let mut after: Option<Posting> = None;
    loop {
        let read = rows.read(&range, after.as_ref(), walk.step()).await?;
        let candidates: Vec<Position> = read.postings.iter().filter_map(Posting::order).collect();
        let enough = walk.look(rows, &candidates).await?;
        after = read.postings.last().cloned();
        if enough || !read.more || after.is_none() {
            return Ok(walk.page(read.more, false));
        }
    }
}

/// The postings of a word, as far as they were read.
struct WordList<'a> {
    word: &'a Wanted,
    range: Range,
    postings: Vec<Posting>,
    more: bool,
}

impl WordList<'_> {
    async fn read_on(&mut self, rows: &impl Rows) -> anyhow::Result<()> {
        let read = rows.read(&self.range, self.postings.last(), PAGE).await?;
        self.more = read.more;
        self.postings.extend(read.postings);
        Ok(())
    }

    /// Reads what is within the query's dates, under the word itself in each field. Words that start with it stand behind,
    /// each in an order of time of its own.
    async fn read_within_dates(&mut self, rows: &impl Rows, query: &Query) -> anyhow::Result<()> {
        let (from, before) = (query.filters.from, query.filters.before);
        let ranges = Field::ALL.map(|field| Range::of_field(&query.audience, self.word, field, from, before));
        let read = try_join_all(ranges.iter().map(|range| rows.read(range, None, PAGE))).await?;
        self.postings.extend(read.into_iter().flat_map(|read| read.postings));
        Ok(())
    }

    /// Each order in it, with the score of its best posting.
    fn orders(&self) -> BTreeMap<OrderId, Position> {
        let mut orders: BTreeMap<OrderId, Position> = BTreeMap::new();
        for posting in &self.postings {
            let (Some(order), Some(term)) = (posting.order(), posting.term()) else { continue };
            let rank = self.word.score(&term).unwrap_or_default();
            let best = orders.entry(order.order_id).or_insert(order);
            best.rank = best.rank.max(rank);
        }
        orders
    }
}

/// Orders that have all of the words.
async fn find(rows: &impl Rows, query: &Query) -> anyhow::Result<Page> {
    let mut lists: Vec<WordList<'_>> = query
        .words
        .iter()
        .map(|word| WordList {
            word,
            range: Range::of_word(&query.audience, word),
            postings: Vec::new(),
            more: true,
        })
        .collect();
    // One word that few orders have is enough: reading goes on as long as there is none.
    for _ in 0..MOST_PAGES {
        if lists.iter().all(|list| list.more) {
            try_join_all(lists.iter_mut().map(|list| list.read_on(rows))).await?;
        }
    }
    let is_possible = |candidate: &Position| may_pass(query, candidate);
    // Lists that are whole say who may be a hit; of words whose lists are not, the records tell.
    let all_are_whole = lists.iter().all(|list| !list.more);
    let whole = lists.iter().filter(|list| !list.more);
    let candidates: Vec<Position> = common(whole).into_values().filter(is_possible).collect();
    if all_are_whole {
        return walk(rows, query, candidates, false).await;
    }
    if lists.iter().any(|list| !list.more) && candidates.len() <= MOST_CANDIDATES {
        return look_up(rows, query, candidates, false).await;
    }
    if let Some(dated) = within_dates(rows, query).await? {
        return look_up(rows, query, dated.into_values().filter(is_possible).collect(), false).await;
    }
    // There are more than can be looked at, and the first of them may all be later than what is asked for.
    if query.filters.have_dates() {
        let cut = lists.iter_mut().filter(|list| list.more);
        try_join_all(cut.map(|list| list.read_within_dates(rows, query))).await?;
    }
    // Those that the lists have in common, as far as they were read, are hits.
    let found: Vec<Position> = common(lists.iter()).into_values().filter(is_possible).collect();
    if found.len() >= ENOUGH || lists.len() == 1 {
        return walk(rows, query, found, true).await;
    }
    // The longest word has probably fewest orders: their records tell of the other words.
    let longest = lists.iter().max_by_key(|list| list.word.as_str().len());
    let mut others: Vec<Position> =
        longest.map(WordList::orders).unwrap_or_default().into_values().filter(is_possible).collect();
    others.retain(|other| !found.iter().any(|found| found.order_id == other.order_id));
    others.sort_unstable();
    others.truncate(MOST_CANDIDATES.saturating_sub(found.len()));
    look_up(rows, query, found.into_iter().chain(others).collect(), true).await
}

/// Looks at the records of candidates, at most [`MOST_CANDIDATES`], of which the postings do not tell all: neither whether
/// they are hits nor how good.
async fn look_up(
    rows: &impl Rows,
    query: &Query,
    candidates: Vec<Position>,
    truncated: bool,
) -> anyhow::Result<Page> {
    let hits = ranked(rows, query, &candidates).await?;
    let mut walk = Walk::new(query);
    let more = hits.len() > query.limit;
    walk.hits = hits.into_iter().take(query.limit).collect();
    walk.last = walk.hits.last().map(|hit| hit.position);
    Ok(walk.page(more, truncated))
}

/// Reads the records of candidates, of which the postings tell all, the rank too, until the page is full.
async fn walk(
    rows: &impl Rows,
    query: &Query,
    mut candidates: Vec<Position>,
    truncated: bool,
) -> anyhow::Result<Page> {
    candidates.retain(|candidate| query.after.is_none_or(|after| *candidate > after));
    candidates.sort_unstable();
    let mut candidates = candidates.as_slice();
    let mut walk = Walk::new(query);
    while !candidates.is_empty() {
        let (some, rest) = candidates.split_at(walk.step().min(candidates.len()));
        candidates = rest;
        if walk.look(rows, some).await? {
            break;
        }
    }
    Ok(walk.page(!candidates.is_empty(), truncated))
}

/// All hits among candidates, the best first.
async fn ranked(rows: &impl Rows, query: &Query, candidates: &[Position]) -> anyhow::Result<Vec<Hit>> {
    let ids: Vec<OrderId> = candidates.iter().map(|candidate| candidate.order_id).collect();
    let records = try_join_all(ids.chunks(MOST_RECORDS).map(|some| rows.records(some))).await?;
    let mut hits: Vec<Hit> = records.into_iter().flatten().filter_map(|record| hit(query, record)).collect();
    hits.retain(|hit| query.after.is_none_or(|after| hit.position > after));
    hits.sort_unstable_by_key(|hit| hit.position);
    Ok(hits)
}

/// The orders in all of these lists, with the sum of their scores.
fn common<'a, 'b: 'a>(mut lists: impl Iterator<Item = &'a WordList<'b>>) -> BTreeMap<OrderId, Position> {
    let mut orders = lists.next().map(WordList::orders).unwrap_or_default();
    for list in lists {
        let others = list.orders();
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

/// The orders within the query's dates, where it has any and they are few.
async fn within_dates(
    rows: &impl Rows,
    query: &Query,
) -> anyhow::Result<Option<BTreeMap<OrderId, Position>>> {
    let (from, before) = (query.filters.from, query.filters.before);
    if !query.filters.have_dates() {
        return Ok(None);
    }
    let Some(range) = Range::of_list(&query.audience, from, before, None) else {
        return Ok(Some(BTreeMap::new()));
    };
    let read = rows.read(&range, None, PAGE).await?;
    let orders = read.postings.iter().filter_map(Posting::order).map(|order| (order.order_id, order));
    Ok((!read.more).then(|| orders.collect()))
}

/// Whether a candidate is within the dates, as far as its key tells: it counts in microseconds.
fn may_pass(query: &Query, candidate: &Position) -> bool {
    let filters = &query.filters;
    filters.from.is_none_or(|from| candidate.placed_at >= from.as_microsecond())
        && filters.before.is_none_or(|before| candidate.placed_at <= before.as_microsecond())
}

/// The hit that a record is, if it is one.
fn hit(query: &Query, record: Record) -> Option<Hit> {
    let document = record.document?;
    let found = Match::of(&query.words, &record.terms)?;
    let is_hit = record.audiences.contains(&query.audience) && query.filters.pass(&document);
    is_hit.then(|| Hit { position: Position::of(found.rank, &document), fields: found.fields, document })
}

/// Fills a page with hits, one more than it holds: that one says that there is another page.
struct Walk<'a> {
    query: &'a Query,
    hits: Vec<Hit>,
    looked: usize,
    last: Option<Position>,
}

impl<'a> Walk<'a> {
    fn new(query: &'a Query) -> Self {
        Self { query, hits: Vec::new(), looked: 0, last: None }
    }

    /// How many candidates to look at next.
    fn step(&self) -> usize {
        let wanted = if self.query.filters.need_documents() || self.looked > 0 {
            MOST_RECORDS
        } else {
            self.query.limit.saturating_add(1)
        };
        wanted.clamp(1, MOST_RECORDS)
    }

    /// Looks at candidates, which are in order and behind all that it has seen. True when it has looked enough.
    async fn look(&mut self, rows: &impl Rows, candidates: &[Position]) -> anyhow::Result<bool> {
        let ids: Vec<OrderId> = candidates.iter().map(|candidate| candidate.order_id).collect();
        let read = if ids.is_empty() { Vec::new() } else { rows.records(&ids).await? };
        let mut records: BTreeMap<OrderId, Record> =
            read.into_iter().map(|record| (record.order_id, record)).collect();
        for candidate in candidates {
            let record = records.remove(&candidate.order_id);
            if let Some(mut hit) = record.and_then(|record| hit(self.query, record)) {
                // The place that it was found at, should the two differ for a moment: pages follow the postings.
                hit.position = *candidate;
                self.hits.push(hit);
                if self.hits.len() > self.query.limit {
                    return Ok(true);
                }
            }
            self.last = Some(*candidate);
        }
        self.looked = self.looked.saturating_add(candidates.len());
        Ok(self.looked >= MOST_CANDIDATES)
    }

    /// The page. `more` says whether there are candidates that it did not look at.
    fn page(mut self, more: bool, truncated: bool) -> Page {
        let next = if self.hits.len() > self.query.limit {
            self.hits.truncate(self.query.limit);
            self.hits.last().map(|hit| hit.position)
        } else {
            self.last.filter(|_| more)
        };
        Page { hits: self.hits, next, truncated }
    }
}
