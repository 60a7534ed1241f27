//! The conditions of an adapter's requests to DynamoDB, and their mutation: a request without one of its conditions.
//!
//! `cargo xtask mutants conditions` records the conditions that the real adapters send while their contracts run. Then
//! it runs these contracts again for each mutation, which one of them has to notice: otherwise a contract lacks a case,
//! or the condition is superfluous.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// The operators between the clauses of an expression.
const OPERATORS: [&str; 2] = [" AND ", " OR "];

/// A condition of the requests of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The file of the adapter, by path in the repository.
    pub adapter: &'static str,
    /// The operation, such as `PutItem` or, for an item of a transaction, `TransactWriteItems/Update`.
    pub operation: String,
    /// The table or bucket.
    pub resource: String,
    /// The expression of a request to DynamoDB, or the name of a header of a request to S3.
    pub expression: String,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} on {}: {}", self.adapter, self.operation, self.resource, self.expression)
    }
}

/// A condition and what is dropped of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutation {
    /// The condition that is mutated.
    pub condition: Condition,
    /// The index of the dropped clause; `None` if the whole condition is dropped.
    pub clause: Option<usize>,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)?;
        self.dropped_clause().map_or(Ok(()), |clause| write!(f, ", without {clause}"))
    }
}

impl Condition {
    /// Returns the conditions in the body of a request to DynamoDB. `resource` names a table in the report.
    pub fn all_in(
        adapter: &'static str,
        operation: &str,
        body: &Value,
        resource: impl Fn(&str) -> String,
    ) -> BTreeSet<Self> {
        let condition = |(operation, write): (String, &Value)| {
            let expression = write["ConditionExpression"].as_str()?.to_owned();
            let resource = resource(write["TableName"].as_str().unwrap_or_default());
            Some(Self { adapter, operation, resource, expression })
        };
        writes(operation, body).into_iter().filter_map(condition).collect()
    }

    /// Returns the clauses of the expression, and the operator between them.
    pub fn clauses(&self) -> (Vec<&str>, &'static str) {
        let operator = OPERATORS.into_iter().find(|operator| self.expression.contains(operator));
        let operator = operator.unwrap_or(OPERATORS[0]);
        (self.expression.split(operator).collect(), operator)
    }

    /// Returns the mutations: one without the condition, and one without each clause if there are several.
    pub fn mutations(&self) -> Vec<Mutation> {
        let (clauses, _) = self.clauses();
        let each = if clauses.len() > 1 { 0..clauses.len() } else { 0..0 };
        std::iter::once(None)
            .chain(each.map(Some))
            .map(|clause| Mutation { condition: self.clone(), clause })
            .collect()
    }
}

impl Mutation {
    /// Returns the clause that is dropped; `None` if it is the whole condition.
    pub fn dropped_clause(&self) -> Option<&str> {
        self.condition.clauses().0.get(self.clause?).copied()
    }

    /// Drops the condition, or the clause, wherever the body of the adapter's request has it. `resource` as in
    /// [`Condition::all_in`].
    pub fn apply(&self, operation: &str, body: &mut Value, resource: impl Fn(&str) -> String) {
        let (clauses, operator) = self.condition.clauses();
        let left: Vec<&str> = match self.clause {
            None => Vec::new(),
            Some(dropped) => {
                clauses.iter().enumerate().filter(|(i, _)| *i != dropped).map(|(_, it)| *it).collect()
            }
        };
        for (name, write) in writes_mut(operation, body) {
            let is_meant = name == self.condition.operation
                && write["ConditionExpression"] == *self.condition.expression
                && resource(write["TableName"].as_str().unwrap_or_default()) == self.condition.resource;
            if is_meant {
                replace_condition(write, &left.join(operator));
            }
        }
    }
}

/// Replaces the condition of a write, and removes the names and values that only the former one used.
fn replace_condition(write: &mut Value, condition: &str) {
    let is_check = write["UpdateExpression"].is_null() && write["Item"].is_null() && !write["Key"].is_null();
    let key = write["Key"].as_object().and_then(|key| key.keys().next().cloned());
    let Some(fields) = write.as_object_mut() else { return };
    if !condition.is_empty() {
        fields.insert("ConditionExpression".to_owned(), condition.into());
    } else if let Some(key) = key.filter(|_| is_check) {
        // DynamoDB requires a condition of a `ConditionCheck`: one that is always true.
        let either = "attribute_exists(#key) OR attribute_not_exists(#key)";
        fields.insert("ConditionExpression".to_owned(), either.into());
        fields.insert("ExpressionAttributeNames".to_owned(), json!({ "#key": key }));
    } else {
        fields.remove("ConditionExpression");
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let expressions = [text("ConditionExpression"), text("UpdateExpression")].join(" ");
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_:#".contains(c);
    let used: BTreeSet<&str> = expressions.split(|c| !is_word(c)).collect();
    for name in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let Some(defined) = fields.get_mut(name).and_then(Value::as_object_mut) else { continue };
        // DynamoDB rejects unused ones, and an empty map.
        defined.retain(|placeholder, _| used.contains(placeholder.as_str()));
        if defined.is_empty() {
            fields.remove(name);
        }
    }
}

/// The writes of a request and their names: the request itself, or the items of its transaction.
fn writes<'a>(operation: &str, body: &'a Value) -> Vec<(String, &'a Value)> {
    match body["TransactItems"].as_array() {
        None => vec![(operation.to_owned(), body)],
        Some(items) => items
            .iter()
            .filter_map(Value::as_object)
            .flatten()
            .map(|(kind, write)| (format!("{operation}/{kind}"), write))
            .collect(),
    }
}

fn writes_mut<'a>(operation: &str, body: &'a mut Value) -> Vec<(String, &'a mut Value)> {
    if body["TransactItems"].is_null() {
        return vec![(operation.to_owned(), body)];
    }
    let items = body["TransactItems"].as_array_mut().into_iter().flatten();
    let items = items.filter_map(Value::as_object_mut).flatten();
    items.map(|(kind, write)| (format!("{operation}/{kind}"), write)).collect()
}

/// A mutation that no contract can notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superfluous {
    /// The file of the adapter.
    pub adapter: &'static str,
    /// The expression, or the name of the header.
    pub expression: &'static str,
    /// The clause; `None` for the whole condition.
    pub clause: Option<&'static str>,
    /// Why the adapter has it nevertheless.
    pub reason: &'static str,
}

impl Superfluous {
    /// Returns whether this is the mutation.
    pub fn describes(&self, mutation: &Mutation) -> bool {
        let condition = &mutation.condition;
        (self.adapter, self.expression) == (condition.adapter, condition.expression.as_str())
            && self.clause == mutation.dropped_clause()
    }
}

/// The mutations that no contract can notice. `cargo xtask mutants conditions` fails if one of them is noticed.
pub const SUPERFLUOUS: &[Superfluous] = &[Superfluous {
    adapter: "lambdas/inventory/src/adapters/reservations.rs",
    expression: "attribute_exists(sku)",
    clause: None,
    reason: "the update of a missing product is refused anyway, because it adds to counters that do not exist",
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(table: &str) -> String {
        table.to_owned()
    }

    /// The body after the mutation that drops a clause, or the whole condition.
    fn mutated(operation: &str, body: &Value, index: usize, clause: Option<usize>) -> Value {
        let condition = Condition::all_in("a.rs", operation, body, resource).into_iter().nth(index).unwrap();
        let mutation = condition.mutations().into_iter().find(|mutation| mutation.clause == clause).unwrap();
        let mut body = body.clone();
        mutation.apply(operation, &mut body, resource);
        body
    }

    #[test]
    fn a_condition_of_a_single_write_is_dropped() {
        let body = json!({
            "TableName": "t", "Item": { "id": { "S": "1" } }, "ConditionExpression": "#v = :v",
            "ExpressionAttributeNames": { "#v": "version" },
            "ExpressionAttributeValues": { ":v": { "N": "1" } },
        });
        let expected = json!({ "TableName": "t", "Item": { "id": { "S": "1" } } });
        assert_eq!(mutated("PutItem", &body, 0, None), expected);
        let all = Condition::all_in("a.rs", "PutItem", &body, resource);
        let expected = Condition {
            adapter: "a.rs",
            operation: "PutItem".to_owned(),
            resource: "t".to_owned(),
            expression: "#v = :v".to_owned(),
        };
        assert_eq!(all.iter().map(|condition| condition.mutations().len()).sum::<usize>(), 1);
        assert_eq!(all, BTreeSet::from([expected]));
    }

    #[test]
    fn each_clause_is_dropped_alone_with_what_only_it_uses() {
        let update = |condition: &str, values: Value| {
            json!({
                "TableName": "t", "Key": { "id": { "S": "1" } }, "UpdateExpression": "SET a = a + :one",
                "ConditionExpression": condition, "ExpressionAttributeValues": values,
            })
        };
        let body = update("a >= :one AND b < :one_more", json!({ ":one": 1, ":one_more": 2 }));
        let without_first = update("b < :one_more", json!({ ":one": 1, ":one_more": 2 }));
        assert_eq!(mutated("UpdateItem", &body, 0, Some(0)), without_first);
        let without_second = update("a >= :one", json!({ ":one": 1 }));
        assert_eq!(mutated("UpdateItem", &body, 0, Some(1)), without_second);
        let either = update("attribute_not_exists(a) OR a < :one", json!({ ":one": 1 }));
        assert_eq!(
            mutated("UpdateItem", &either, 0, Some(1))["ConditionExpression"],
            "attribute_not_exists(a)"
        );
    }

    #[test]
    fn the_items_of_a_transaction_have_their_own_conditions() {
        let put = json!({ "TableName": "t", "Item": {}, "ConditionExpression": "attribute_not_exists(id)" });
        let other =
            json!({ "TableName": "u", "Item": {}, "ConditionExpression": "attribute_not_exists(id)" });
        let check = json!({
            "TableName": "t", "Key": { "id": { "S": "1" } }, "ConditionExpression": "v = :v",
            "ExpressionAttributeValues": { ":v": 1 },
        });
        let delete = json!({ "TableName": "t", "Key": { "id": { "S": "1" } } });
        let body = json!({ "TransactItems": [
            { "ConditionCheck": check }, { "Put": put }, { "Put": other }, { "Delete": delete }, { "Put": put },
        ] });
        let operation = "TransactWriteItems";
        assert_eq!(Condition::all_in("a.rs", operation, &body, resource).len(), 3);
        let checked = &mutated(operation, &body, 0, None)["TransactItems"];
        let always = json!({
            "TableName": "t", "Key": { "id": { "S": "1" } },
            "ConditionExpression": "attribute_exists(#key) OR attribute_not_exists(#key)",
            "ExpressionAttributeNames": { "#key": "id" },
        });
        assert_eq!((&checked[0]["ConditionCheck"], &checked[1]["Put"]), (&always, &put));
        let unconditional = json!({ "TableName": "t", "Item": {} });
        let inserted = &mutated(operation, &body, 1, None)["TransactItems"];
        assert_eq!((&inserted[1]["Put"], &inserted[2]["Put"]), (&unconditional, &other));
        assert_eq!((&inserted[0]["ConditionCheck"], &inserted[4]["Put"]), (&check, &unconditional));
    }
}
