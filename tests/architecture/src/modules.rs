//! Checks the imports between the modules of a crate. A module and its submodules count as one towards other modules, and may
//! import each other. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::Violations;
use crate::workspace::Workspace;

/// The path of a module in its crate, empty for the root; or of an item.
type Path = Vec<String>;

/// The paths in the code of each module of a crate, and whether `pub use` exports them.
type Modules = BTreeMap<Path, Vec<(Path, bool)>>;

/// Two sibling modules of which the first imports the second.
type Import = (String, String);

/// The modules of a crate do not import each other in a circle.
pub fn import_no_circles(workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (folder, modules) in crates(workspace) {
        for (parent, imports) in imports(&modules) {
            let reached = |from: &str| reachable(&imports, from);
            let names: BTreeSet<&str> = imports.iter().map(|(from, _)| from.as_str()).collect();
            let mut left: BTreeSet<&str> =
                names.into_iter().filter(|name| reached(name).contains(name)).collect();
            while let Some(name) = left.pop_first() {
                let circle: BTreeSet<&str> =
                    reached(name).into_iter().filter(|other| reached(other).contains(name)).collect();
                left.retain(|other| !circle.contains(other));
                let inside = imports
                    .iter()
                    .filter(|(from, to)| circle.contains(from.as_str()) && circle.contains(to.as_str()));
                let inside: Vec<String> = inside.map(|(from, to)| format!("{from} imports {to}")).collect();
                found.push(format!(
                    "{}: move what these modules share to one below them: {}",
                    [&[format!("{folder}/src")], parent.as_slice()].concat().join("/"),
                    inside.join(", ")
                ));
            }
        }
    }
    found
}

/// A crate whose documentation has a table with the floors of its modules, the highest first, lists each module, and each
/// module imports only those of lower floors.
pub fn import_lower_floors(workspace: &Workspace) -> Violations {
    let mut found = Violations::new();
    for (folder, modules) in crates(workspace) {
        let root = workspace.sources.get(&format!("{folder}/src/lib.rs"));
        let floors = floors(root.map(String::as_str).unwrap_or_default());
        if floors.is_empty() {
            continue;
        }
        let floor = |name: &str| floors.iter().position(|floor| floor.contains(name));
        let top: BTreeSet<&String> = modules.keys().filter_map(|module| module.first()).collect();
        for name in top.iter().filter(|name| floor(name).is_none()) {
            found.push(format!("{folder}/src/lib.rs: add {name} to the table of floors"));
        }
        for (from, to) in imports(&modules).remove(&Path::new()).unwrap_or_default() {
            if floor(&from) >= floor(&to) {
                found.push(format!("{folder}/src/{from}: do not import {to}, which is not on a floor below"));
            }
        }
    }
    found
}

/// The modules of each row of the table whose first column is `floor`, from top to bottom.
fn floors(root: &str) -> Vec<BTreeSet<&str>> {
    let rows = root.lines().skip_while(|line| !line.starts_with("//! | floor |")).skip(2);
    rows.map_while(|line| line.strip_prefix("//! |"))
        .map(|row| row.split('`').skip(1).step_by(2).collect())
        .collect()
}

/// The libraries of `shared/` and `lambdas/`, by folder.
fn crates(workspace: &Workspace) -> BTreeMap<&str, Modules> {
    let mut found: BTreeMap<&str, Modules> = BTreeMap::new();
    for (path, text) in &workspace.sources {
        let file = path.strip_suffix(".rs").and_then(|path| path.split_once("/src/"));
        let Some((folder, file)) = file.filter(|(_, file)| !file.starts_with("bin/")) else { continue };
        let mut module: Path = file.split('/').map(str::to_owned).collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        if module.last().is_none_or(|last| last != "tests") {
            let mut paths = Vec::new();
            collect_paths(text.parse().unwrap_or_default(), &[], false, &mut paths);
            found.entry(folder).or_default().insert(module, paths);
        }
    }
    found
}

/// Collects the paths in `tokens`, which continue `prefix`, except those in items for tests.
fn collect_paths(tokens: TokenStream, prefix: &[String], exports: bool, found: &mut Vec<(Path, bool)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut rest, mut exports) = (tokens.as_slice(), exports);
    while let Some((token, after)) = rest.split_first() {
        let before = &tokens[..tokens.len() - rest.len()];
        rest = after;
        match token {
            TokenTree::Ident(name) => {
                exports |= name == "use" && is_pub(before);
                let mut path = [prefix, &[name.to_string()]].concat();
                while let [TokenTree::Punct(first), TokenTree::Punct(_), next, after @ ..] = rest
                    && (first.as_char(), first.spacing()) == (':', Spacing::Joint)
                {
                    rest = after;
                    match next {
                        TokenTree::Ident(name) => path.push(name.to_string()),
                        TokenTree::Group(group) => collect_paths(group.stream(), &path, exports, found),
                        _ => {}
                    }
                }
                found.push((path, exports));
            }
            TokenTree::Group(group) if group.stream().to_string() == "cfg (test)" => {
                let item = rest.iter().position(|token| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    token => is_punct(token, ';'),
                });
                rest = item.map_or(&[], |end| &rest[end + 1..]);
            }
            TokenTree::Group(group) => collect_paths(group.stream(), &[], false, found),
            token => exports &= !is_punct(token, ';'),
        }
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether `tokens` end with `pub` or `pub(…)`.
fn is_pub(tokens: &[TokenTree]) -> bool {
    let is_pub = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == "pub");
    match tokens {
        [.., token, TokenTree::Group(_)] | [.., token] => is_pub(token),
        [] => false,
    }
}

/// The imports between sibling modules, by the path of their parent.
fn imports(modules: &Modules) -> BTreeMap<Path, BTreeSet<Import>> {
    let mut found: BTreeMap<Path, BTreeSet<Import>> = BTreeMap::new();
    for (from, paths) in modules {
        for to in paths.iter().filter_map(|(path, _)| module_of(modules, &absolute(modules, from, path)?)) {
            let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                found.entry(to[..common].to_vec()).or_default().insert((one.clone(), other.clone()));
            }
        }
    }
    found
}

/// The path from the root of the crate, if `path` leads into the crate.
fn absolute(modules: &Modules, from: &Path, path: &[String]) -> Option<Path> {
    let child = [from.as_slice(), &path[..1]].concat();
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([from, &path[1..]].concat()),
        "super" => {
            let parent = from.split_last()?.1.to_vec();
            if path.get(1).is_some_and(|next| next == "super") {
                return absolute(modules, &parent, &path[1..]);
            }
            Some([&parent, &path[1..]].concat())
        }
        _ => modules.contains_key(&child).then(|| [from, path].concat()),
    }
}

/// The module that defines the item at `path`, behind the exports of other modules.
fn module_of(modules: &Modules, path: &[String]) -> Option<Path> {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let (module, item) = (path[..length].to_vec(), path.get(length));
    let exported = modules[&module].iter().find(|(path, exported)| *exported && path.last() == item);
    match exported.and_then(|(path, _)| absolute(modules, &module, path)) {
        Some(path) if item.is_some() => module_of(modules, &path),
        _ => Some(module),
    }
}

/// The modules that `from` imports, directly or not.
fn reachable<'a>(imports: &'a BTreeSet<Import>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut left = vec![from];
    while let Some(next) = left.pop() {
        let new = imports.iter().filter(|(from, to)| from == next && found.insert(to.as_str()));
        left.extend(new.map(|(_, to)| to.as_str()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{assert_reports, workspace};

    /// The repository with a line more in one file.
    fn with_line(path: &str, line: &str) -> Workspace {
        let mut workspace = workspace();
        workspace.sources.get_mut(path).unwrap().insert_str(0, line);
        workspace
    }

    #[test]
    fn a_circle_of_modules() {
        let circle = with_line("shared/domain/src/lease.rs", "use crate::{Money, claim::Claim};");
        assert_reports(&import_no_circles(&circle), &["shared/domain/src", "lease imports claim"]);
        let inside = with_line("shared/platform/src/http/problem.rs", "fn f() -> super::Caller { todo!() }");
        assert_reports(&import_no_circles(&inside), &["shared/platform/src/http", "problem imports access"]);
        let test = with_line("shared/domain/src/lease.rs", "#[cfg(test)] mod planted { use crate::claim; }");
        assert_eq!(import_no_circles(&test), Violations::new());
    }

    #[test]
    fn an_import_that_climbs() {
        let climbs = with_line("shared/platform/src/failure.rs", "use crate::Clock;");
        assert_reports(&import_lower_floors(&climbs), &["platform/src/failure", "clock"]);
        let mut unlisted = workspace();
        unlisted.sources.insert("shared/platform/src/new.rs".to_owned(), String::new());
        assert_reports(&import_lower_floors(&unlisted), &["platform/src/lib.rs", "new"]);
    }
}
