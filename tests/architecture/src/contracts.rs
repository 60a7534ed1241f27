//! Checks that each adapter with a conditional request has a contract (`tests/contracts`), and finds these conditions.
//!
//! The conditions are read from the source: the text that is passed to `condition_expression`, or the clauses that are
//! collected in a variable `condition`; and the calls that set the headers `If-Match` and `If-None-Match`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Violations;
use crate::workspace::Workspace;

/// The folder of the contract suites.
const SUITES: &str = "tests/contracts/src/";

/// The methods of the SDK that set the condition of a request to S3, and the header.
const HEADERS: [(&str, &str); 4] = [
    ("if_match", "If-Match"),
    ("set_if_match", "If-Match"),
    ("if_none_match", "If-None-Match"),
    ("set_if_none_match", "If-None-Match"),
];

/// The conditions of an adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The expressions, the clauses of expressions that are composed, and the headers.
    pub texts: BTreeSet<String>,
    /// The arguments of `condition_expression` that are neither.
    unclear: Vec<String>,
}

/// Returns the conditions of each file that has any, by its path.
pub fn conditions(workspace: &Workspace) -> BTreeMap<&str, Conditions> {
    let is_source =
        |path: &str| path.ends_with(".rs") && path.contains("/src/") && !path.ends_with("/tests.rs");
    let sources = workspace.sources.iter().filter(|(path, _)| is_source(path));
    let found = sources.map(|(path, text)| {
        let mut found = Conditions::default();
        collect(text.parse().unwrap_or_default(), &mut found);
        (path.as_str(), found)
    });
    found.filter(|(_, found)| *found != Conditions::default()).collect()
}

/// Each adapter with a condition is in the list of ports with a contract, whose adapters are `listed`.
pub fn cover_conditional_requests(workspace: &Workspace, listed: &[&str]) -> Violations {
    let found = conditions(workspace);
    let unlisted = found.keys().filter(|path| !listed.contains(path)).map(|path| {
        format!(
            "{path}: its requests have conditions: write the contract of its port, and add it to \
             tests/contracts/src/ports.rs"
        )
    });
    let unclear = found.iter().flat_map(|(path, found)| {
        found.unclear.iter().map(move |argument| {
            format!(
                "{path}: `condition_expression({argument})`: pass a literal, or collect the clauses in a variable \
                 `condition`, so that this check can read them"
            )
        })
    });
    let missing = listed.iter().filter(|path| !workspace.sources.contains_key(**path));
    let missing = missing.map(|path| format!("tests/contracts/src/ports.rs: there is no {path}: correct it"));
    unlisted.chain(unclear).chain(missing).collect()
}

/// Each contract suite is in the list of ports, whose suites are `listed`. `texts` are those of the repository by path.
pub fn are_listed(texts: &[(String, String)], listed: &[&str]) -> Violations {
    let suites = texts.iter().filter(|(_, text)| text.contains("\ncontract_suite!("));
    let names = suites.filter_map(|(path, _)| path.strip_prefix(SUITES)?.strip_suffix(".rs"));
    names
        .filter(|name| !listed.contains(name))
        .map(|name| format!("{SUITES}{name}.rs: add the suite to {SUITES}ports.rs: no test runs it"))
        .collect()
}

/// Collects the conditions in `tokens`, except those in items for tests.
fn collect(tokens: TokenStream, found: &mut Conditions) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        match rest {
            [TokenTree::Punct(dot), TokenTree::Ident(method), TokenTree::Group(arguments), ..]
                if dot.as_char() == '.' && arguments.delimiter() == Delimiter::Parenthesis =>
            {
                collect_call(&method.to_string(), arguments.stream(), found);
            }
            // `condition.push("…")`, and `condition = vec!["…"]`.
            [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Ident(adds), arguments @ ..]
                if name == "condition" && (adds == "push" || adds == "vec") =>
            {
                let arguments = arguments.iter().find_map(|token| match token {
                    TokenTree::Group(group) => Some(group.stream()),
                    _ => None,
                });
                found.texts.extend(arguments.into_iter().flatten().filter_map(|token| literal(&token)));
            }
            _ => {}
        }
        rest = after;
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "cfg (test)" => {
                let item = rest.iter().position(|token| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    _ => false,
                });
                rest = item.map_or(&[], |end| &rest[end + 1..]);
            }
            TokenTree::Group(group) => collect(group.stream(), found),
            _ => {}
        }
    }
}

/// Collects the condition that the call of a method sets, if it sets one.
fn collect_call(method: &str, arguments: TokenStream, found: &mut Conditions) {
    if let Some((_, header)) = HEADERS.iter().find(|(name, _)| *name == method) {
        found.texts.insert((*header).to_owned());
    }
    // Without arguments it is the getter of a builder, whose value another request copies.
    let text = arguments.to_string();
    let sets = match method {
        "condition_expression" => !text.is_empty(),
        "set_condition_expression" => !text.contains("condition_expression ()"),
        _ => false,
    };
    if !sets {
        return;
    }
    match arguments.into_iter().next().as_ref().and_then(literal) {
        Some(expression) => drop(found.texts.insert(expression)),
        None if text.starts_with("condition .") => {}
        None => found.unclear.push(text),
    }
}

/// The value of a string literal. An expression has no escapes but line continuations, which `rustfmt` may add.
fn literal(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let lines = text.strip_prefix('"')?.strip_suffix('"')?.split("\\\n").map(str::trim_start);
    Some(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, workspace};

    const ADAPTER: &str = "lambdas/payments/src/adapters/payments.rs";

    /// The adapters with conditions in the repository, and the repository with `code` at the end of one file.
    fn with_code(path: &str, code: &str) -> (Vec<String>, Workspace) {
        let mut workspace = workspace();
        let listed = conditions(&workspace).into_keys().map(str::to_owned).collect();
        workspace.sources.entry(path.to_owned()).or_default().push_str(code);
        (listed, workspace)
    }

    fn check(path: &str, code: &str) -> Violations {
        let (listed, workspace) = with_code(path, code);
        cover_conditional_requests(&workspace, &listed.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn an_adapter_without_a_contract() {
        let new = "lambdas/payments/src/adapters/new.rs";
        for code in [
            r#"fn f() { put.condition_expression("version = :read") }"#,
            r#"fn f() { put.set_condition_expression(Some("version = :read".to_owned())) }"#,
            r"fn f() { get.if_match(etag) }",
        ] {
            assert!(check(new, code).iter().any(|violation| violation.contains(new)), "{code}");
        }
        let test = r#"#[cfg(test)] mod tests { fn f() { put.condition_expression("version = :read") } }"#;
        assert_eq!(check(new, test), Violations::new());
    }

    #[test]
    fn a_condition_that_cannot_be_read() {
        let code = "fn f() { put.condition_expression(expression) }";
        assert_reports(&check(ADAPTER, code), &[ADAPTER, "condition_expression(expression)"]);
    }

    #[test]
    fn an_adapter_that_does_not_exist() {
        let found = cover_conditional_requests(
            &Workspace { sources: BTreeMap::new(), ..workspace() },
            &["lambdas/orders/src/adapters/former.rs"],
        );
        assert_reports(&found, &["ports.rs", "former.rs"]);
    }

    #[test]
    fn a_suite_that_is_not_listed() {
        let suite = (format!("{SUITES}new.rs"), "\ncontract_suite!(World: a, b);".to_owned());
        assert_reports(&are_listed(std::slice::from_ref(&suite), &["orders"]), &["new.rs"]);
        assert_eq!(are_listed(&[suite], &["orders", "new"]), Violations::new());
    }

    #[test]
    fn literals_and_clauses_are_found() {
        let workspace = workspace();
        let found = conditions(&workspace);
        let texts = |path: &str| found[path].texts.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(texts(ADAPTER), ["attribute_not_exists(order_id)", "version = :before"]);
        assert_eq!(texts("shared/aws_objects/src/lib.rs"), ["If-Match", "If-None-Match"]);
        let reservations = texts("lambdas/inventory/src/adapters/reservations.rs");
        assert!(reservations.contains(&"held >= :freed"), "{reservations:?}");
    }
}
