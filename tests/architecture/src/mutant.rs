//! Test helpers: the repository with a mutation.

use serde_json::Value;

use crate::Violations;
use crate::template::Template;
use crate::workspace::Workspace;

/// The repository's template with the value at `path` (from `Resources` on) replaced; null removes it.
pub(crate) fn with(path: &str, value: Value) -> Template {
    repository().changed(|root| {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = root.pointer_mut(&format!("/Resources/{parent}")).unwrap();
        match parent {
            Value::Object(map) if value.is_null() => {
                map.remove(key).unwrap();
            }
            Value::Object(map) => {
                map.insert(key.to_owned(), value);
            }
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            other => panic!("nothing can be inserted into {other}"),
        }
    })
}

/// The repository's template without the resource `id`.
pub(crate) fn without(id: &str) -> Template {
    repository().changed(|root| {
        root["Resources"].as_object_mut().unwrap().remove(id).unwrap();
    })
}

/// The repository's template.
pub(crate) fn repository() -> Template {
    Template::of_repository().unwrap()
}

/// The repository's packages.
pub(crate) fn workspace() -> Workspace {
    Workspace::of_repository().unwrap()
}

/// Asserts that there is exactly one violation, and that it mentions each of `words`.
#[track_caller]
pub(crate) fn assert_reports(violations: &Violations, words: &[&str]) {
    assert_eq!(violations.len(), 1, "{violations:#?}");
    for word in words {
        assert!(violations[0].contains(word), "no {word:?} in {:?}", violations[0]);
    }
}
