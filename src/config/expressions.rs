//! The places where IDs and types stand, checked.
//!
//! Takes [`RawExpressions`]. Gives [`Expression`]s, or every reason why they can't be used. A place must be said in
//! exactly one way.

use http::HeaderName;

use super::checker::Checker;
use super::diagnostic::Path;
use super::raw::{OneOrMany, RawExpression, RawExpressions};
use crate::expression::{Expression, MAX_JOINED};
use crate::json::Pointer;

const SAY_ONE: &str = "say one place: `{ header: NAME }`, `{ json: /pointer }`, `{ query: NAME }`, `{ form: NAME }` \
                       or `{ join: [...], with: \".\" }`";

/// The places at `path`, in their order, without the faulty ones.
pub(super) fn expressions(
    check: &mut Checker<'_>,
    path: &Path,
    raw: Option<&RawExpressions>,
) -> Vec<Expression> {
    let Some(RawExpressions(all)) = raw else { return Vec::new() };
    let mut expressions = Vec::new();
    for (index, raw) in all.iter().enumerate() {
        let path = if all.len() == 1 { path.clone() } else { path.index(index) };
        expressions.extend(expression(check, &path, raw));
    }
    expressions
}

fn expression(check: &mut Checker<'_>, path: &Path, raw: &RawExpression) -> Option<Expression> {
    if raw.of.is_some() && raw.json.is_none() {
        check.error(&path.key("of"), "`of` goes with `json`, and nothing else");
        return None;
    }
    if raw.with.is_some() && raw.join.is_none() {
        check.error(&path.key("with"), "`with` goes with `join`, and nothing else");
        return None;
    }
    match raw {
        RawExpression { header: Some(names), json: None, query: None, form: None, join: None, .. } => {
            header_names(check, &path.key("header"), names).map(Expression::Header)
        }
        RawExpression { json: Some(pointer), header: None, query: None, form: None, join: None, .. } => {
            match Pointer::parse(pointer) {
                Ok(pointer) if raw.of.is_some() => Some(Expression::Body(pointer)),
                Ok(pointer) => Some(Expression::Json(pointer)),
                Err(why) => {
                    check.error(&path.key("json"), why);
                    None
                }
            }
        }
        RawExpression { query: Some(name), header: None, json: None, form: None, join: None, .. } => {
            named(check, &path.key("query"), name).map(Expression::Query)
        }
        RawExpression { form: Some(name), header: None, json: None, query: None, join: None, .. } => {
            named(check, &path.key("form"), name).map(Expression::Form)
        }
        RawExpression { join: Some(parts), header: None, json: None, query: None, form: None, .. } => {
            joined(check, path, parts, raw.with.as_deref())
        }
        _ => {
            check.error(path, SAY_ONE);
            None
        }
    }
}

fn named(check: &mut Checker<'_>, path: &Path, name: &str) -> Option<String> {
    if name.is_empty() {
        check.error(path, "the name is empty");
        return None;
    }
    Some(name.to_owned())
}

fn joined(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &[RawExpression],
    with: Option<&str>,
) -> Option<Expression> {
    let at = path.key("join");
    if !(2..=MAX_JOINED).contains(&raw.len()) {
        check.error(&at, format!("2 to {MAX_JOINED} places can be joined"));
        return None;
    }
    let mut parts = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = check.item(&at, index);
        match raw.join {
            Some(_) => check.error(&at, "what is joined can't be joined again; write all parts in one list"),
            None => parts.extend(expression(check, &at, raw)),
        }
    }
    let Some(with) = with.filter(|with| !with.is_empty()) else {
        let hint =
            "what stands between the parts, such as \".\"; without it `a` and `bc` would be `ab` and `c`";
        check.missing(path, "with", hint);
        return None;
    };
    (parts.len() == raw.len()).then(|| Expression::Join { parts, with: with.to_owned() })
}

/// Checks the names of headers that a provider uses.
pub(super) fn header_names(
    check: &mut Checker<'_>,
    path: &Path,
    OneOrMany(names): &OneOrMany,
) -> Option<Vec<HeaderName>> {
    let mut parsed = Vec::new();
    for name in names {
        match name.parse::<HeaderName>() {
            // A credential of this service's own callers has no place in a record.
            Ok(name) if name == http::header::AUTHORIZATION || name == http::header::COOKIE => {
                check.error(path, format!("the header `{name}` is never read into a record"));
            }
            Ok(name) => parsed.push(name),
            Err(_) => check.error(path, format!("`{name}` can't be a header's name")),
        }
    }
    if names.is_empty() {
        check.error(path, "at least one header must be named");
    }
    (!parsed.is_empty()).then_some(parsed)
}
