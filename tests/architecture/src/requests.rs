//! Requests meet the current rules for text.

use std::collections::BTreeSet;

use crate::Violations;

/// The domain types that also deserialize text from before a rule: each `text_type!` with `stored`.
fn types_with_an_earlier_rule(texts: &[(String, String)]) -> BTreeSet<&str> {
    let domain = texts.iter().filter(|(path, _)| path.starts_with("shared/domain/src/"));
    let types = domain.flat_map(|(_, text)| text.split("text_type! {\n").skip(1));
    types
        .filter_map(|rest| rest.split("\n}").next())
        .filter(|block| block.contains("\n    stored:"))
        .filter_map(|block| block.lines().find_map(|line| line.trim().strip_suffix(',').filter(is_name)))
        .collect()
}

fn is_name(text: &&str) -> bool {
    text.starts_with(char::is_uppercase) && text.chars().all(char::is_alphanumeric)
}

/// No field of a request body deserializes such a type directly, which would accept what the earlier rule did.
pub fn texts_of_requests_meet_the_current_rules(texts: &[(String, String)]) -> Violations {
    let types = types_with_an_earlier_rule(texts);
    let mut found = Violations::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs") && !path.starts_with("tests/"))
    {
        let bodies = text.split("eserde::Deserialize").skip(1).filter_map(|rest| rest.split("\n}").next());
        for field in bodies.flat_map(str::lines).filter(|line| !line.trim_start().starts_with("//")) {
            let mut words = field.split(|c: char| !c.is_alphanumeric());
            if let Some(name) = words.find(|word| types.contains(word))
                && !field.contains(&format!("TextInput<{name}>"))
            {
                found.push(format!(
                    "{path}: `{}`: use TextInput<{name}>, which applies its current rule",
                    field.trim()
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_text_that_an_earlier_rule_accepted() {
        let domain = "text_type! {\n    /// A name.\n    PersonName,\n    max_length: 9,\n    stored: read\n}\n\
                      text_type! {\n    /// A language.\n    Language,\n    max_length: 2\n}";
        let body = |field: &str| format!("#[derive(eserde::Deserialize)]\nstruct Body {{\n    {field}\n}}\n");
        let check = |field: &str| {
            let body = ("lambdas/a/src/request.rs".to_owned(), body(field));
            texts_of_requests_meet_the_current_rules(&[
                ("shared/domain/src/a.rs".into(), domain.into()),
                body,
            ])
        };
        for fine in
            ["name: TextInput<PersonName>,", "name: Option<TextInput<PersonName>>,", "language: Language,"]
        {
            assert_eq!(check(fine), Violations::new(), "{fine}");
        }
        for wrong in ["name: PersonName,", "names: Option<Vec<PersonName>>,"] {
            assert_eq!(check(wrong).len(), 1, "{wrong}");
        }
    }
}
