//! A request before it is signed: values put where a provider has them.
//!
//! Takes a provider's example, or a body of the user's own, and what was asked for: an ID, a type. Gives headers, query
//! and body in which the service's own reader finds just that, or says why it can't be. Signing is left to
//! [`super::event`].

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::config::Provider;
use crate::expression::Expression;
use crate::json::Pointer;
use crate::pipeline::extract::Reader;
use crate::pipeline::places::Parts;
use crate::signature::coverage::NOTHING;

/// What of an event can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The message ID.
    Id,
    /// The event type.
    Type,
}

/// A request that is being written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body is the user's, which is never contradicted.
    own_data: bool,
}

impl Asked {
    /// Where `provider` has it.
    pub(super) fn places(self, provider: &Provider) -> &[Expression] {
        match self {
            Self::Id => &provider.message_id,
            Self::Type => &provider.event_type,
        }
    }

    fn nowhere(self, provider: &Provider) -> String {
        let name = &provider.name;
        match self {
            Self::Id => {
                format!("a request of {name} has no place for an ID: the SHA-256 of its body is the ID")
            }
            Self::Type => format!("a request of {name} has no place for a type"),
        }
    }

    fn unfit(self, provider: &Provider, value: &str) -> String {
        let places: Vec<String> = self.places(provider).iter().map(Expression::to_string).collect();
        let name = match self {
            Self::Id => "ID",
            Self::Type => "type",
        };
        let example = Draft::new(provider, None).ok().and_then(|draft| draft.read(provider, self));
        let hint = example.map(|example| format!(": write it as `{example}`")).unwrap_or_default();
        format!(
            "`{value}` can't be put anywhere: the {name} of {} is {}{hint}",
            provider.name,
            places.join(", else ")
        )
    }
}

impl Draft {
    /// The provider's example, or `data` with the headers of the example.
    ///
    /// # Errors
    /// A sentence: the example can't be sent.
    pub(crate) fn new(provider: &Provider, data: Option<Vec<u8>>) -> Result<Self, String> {
        let example = &provider.example;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("hookbridge-send/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in &example.headers {
            headers.insert(header_name(name)?, header_value(value)?);
        }
        let own_data = data.is_some();
        let of_example = || example.body.clone().unwrap_or_else(|| "{}".to_owned()).into_bytes();
        let body = data.unwrap_or_else(of_example);
        let mut draft = Self { headers, query: Vec::new(), body, own_data };
        let header = provider.event_type.iter().find(|place| place.headers().is_some());
        if let (Some(place), Some(event_type)) = (header, &example.event_type)
            && draft.read(provider, Asked::Type).is_none()
        {
            draft.put_at(place, event_type)?;
        }
        Ok(draft)
    }

    /// What the service would read.
    pub(crate) fn read(&self, provider: &Provider, asked: Asked) -> Option<String> {
        self.read_from(provider, asked.places(provider))
    }

    fn read_from(&self, provider: &Provider, places: &[Expression]) -> Option<String> {
        if places.is_empty() {
            return None;
        }
        // As a type, since an ID that is absent would be the body's hash.
        let provider = Provider { message_id: Vec::new(), event_type: places.to_vec(), ..provider.clone() };
        let body = Bytes::copy_from_slice(&self.body);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        let parts = Parts { headers: &self.headers, query: Some(&query), body: &body, signed: &NOTHING };
        let event = Reader::new(&provider, &parts).whole().ok()?;
        Some(event.event_type().text().to_string())
    }

    /// Puts `value` where `provider` has it. For a place that is joined of several it is taken apart at what stands
    /// between them; the last part gets the rest.
    ///
    /// # Errors
    /// A sentence: there is no place for it, it can't be taken apart, or the user's own body has another one.
    pub(crate) fn put(&mut self, provider: &Provider, asked: Asked, value: &str) -> Result<(), String> {
        if self.read(provider, asked).as_deref() == Some(value) {
            return Ok(());
        }
        let mut places: Vec<&Expression> = asked.places(provider).iter().collect();
        if places.is_empty() {
            return Err(asked.nowhere(provider));
        }
        let has_value =
            |place: &&Expression| self.read_from(provider, std::slice::from_ref(*place)).is_some();
        let current = places.iter().copied().find(has_value);
        // A value that can be taken apart is meant to be; else it goes where the request has its value now.
        places.sort_by_key(|place| (!matches!(place, Expression::Join { .. }), Some(*place) != current));
        let mut fault = None;
        for place in places {
            let Some(parts) = parts(place, value) else { continue };
            let mut draft = self.clone();
            match parts.into_iter().try_for_each(|(place, part)| draft.put_at(place, part)) {
                // What the user's own body says is not got round by another place.
                Err(why) if self.own_data && Some(place) == current => return Err(why),
                Err(why) => fault = fault.or(Some(why)),
                Ok(()) if draft.read(provider, asked).as_deref() == Some(value) => {
                    *self = draft;
                    return Ok(());
                }
                Ok(()) => {}
            }
        }
        Err(fault.unwrap_or_else(|| asked.unfit(provider, value)))
    }

    /// Puts a new ID where `provider` has one; of a joined one into the first part that is not the type's. A body of
    /// the user's own stays as it is.
    pub(crate) fn put_new_id(&mut self, provider: &Provider, id: &str) {
        let places = &provider.message_id;
        let has_value = |place: &Expression| self.read_from(provider, std::slice::from_ref(place)).is_some();
        let current = places.iter().position(has_value);
        let of_type = |part: &Expression| provider.event_type.iter().any(|t| t.places().contains(part));
        for index in current.into_iter().chain(0..places.len()) {
            let Some(part) = places[index].places().iter().find(|part| !of_type(part)) else { continue };
            if self.own_data && !matches!(part, Expression::Header(_) | Expression::Query(_)) {
                continue;
            }
            let mut draft = self.clone();
            let is_put = draft.put_at(part, id).is_ok();
            if is_put && draft.read(provider, Asked::Id).is_some_and(|found| found.contains(id)) {
                *self = draft;
                return;
            }
        }
    }

    /// Puts `value` at a single place.
    fn put_at(&mut self, place: &Expression, value: &str) -> Result<(), String> {
        match place {
            Expression::Header(names) => {
                for name in names {
                    self.headers.remove(name);
                }
                let name = names.first().ok_or("the place names no header")?;
                self.headers.insert(name.clone(), header_value(value)?);
                Ok(())
            }
            Expression::Json(pointer) | Expression::Body(pointer) => self.put_json(pointer, value),
            Expression::Query(name) => {
                self.query.retain(|(other, _)| other != name);
                self.query.push((name.clone(), value.to_owned()));
                Ok(())
            }
            Expression::Form(name) => self.put_form(name, value),
            Expression::Join { .. } => Err("a joined place is no single one".to_owned()),
        }
    }

    fn put_json(&mut self, pointer: &Pointer, value: &str) -> Result<(), String> {
        let no_object =
            || format!("`{value}` belongs at {pointer} in the body, but --data is no JSON object");
        let mut json: Value = serde_json::from_slice(&self.body).map_err(|_| no_object())?;
        let present = json.pointer(&pointer.to_string());
        match present {
            Some(Value::String(present)) if present == value => return Ok(()),
            Some(present) if self.own_data => {
                return Err(contradiction(present, &pointer.to_string(), value));
            }
            _ => {}
        }
        put(&mut json, pointer, Value::from(value)).ok_or_else(no_object)?;
        self.body = written(&json)?;
        Ok(())
    }

    fn put_form(&mut self, name: &str, value: &str) -> Result<(), String> {
        let first = self.body.iter().find(|octet| !octet.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[' | b'"')) {
            return Err(format!("`{value}` belongs into the form's field {name}, but --data is no form"));
        }
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(&self.body).into_owned().collect();
        match pairs.iter_mut().find(|(other, _)| other == name) {
            Some((_, present)) if present == value => return Ok(()),
            Some((_, present)) if self.own_data => return Err(contradiction(present, name, value)),
            Some((_, present)) => value.clone_into(present),
            None => pairs.push((name.to_owned(), value.to_owned())),
        }
        self.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes();
        Ok(())
    }

    /// Puts `value`, which belongs to the scheme, at `pointer` in the body: as a number where a number stands.
    ///
    /// # Errors
    /// The body is no JSON object.
    pub(super) fn put_signed(&mut self, pointer: &Pointer, value: &str) -> Result<(), String> {
        let no_object =
            || format!("the scheme has a value at {pointer} in the body, but --data is no JSON object");
        let mut json: Value = serde_json::from_slice(&self.body).map_err(|_| no_object())?;
        let is_number = json.pointer(&pointer.to_string()).is_none_or(Value::is_number);
        let value = match value.parse::<u64>() {
            Ok(number) if is_number => Value::from(number),
            _ => Value::from(value),
        };
        put(&mut json, pointer, value).ok_or_else(no_object)?;
        self.body = written(&json)?;
        Ok(())
    }
}

/// The single places of `place` and what of `value` stands at each, if it can be taken apart so.
fn parts<'a>(place: &'a Expression, value: &'a str) -> Option<Vec<(&'a Expression, &'a str)>> {
    let Expression::Join { parts, with } = place else { return Some(vec![(place, value)]) };
    let values: Vec<&str> = value.splitn(parts.len(), with.as_str()).collect();
    let fits = values.len() == parts.len() && values.iter().all(|value| !value.is_empty());
    fits.then(|| parts.iter().zip(values).collect())
}

fn contradiction(present: impl std::fmt::Display, place: &str, value: &str) -> String {
    format!("--data has {present} at {place}, and `{value}` was asked for; leave out one of them")
}

fn written(json: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(json).map_err(|error| format!("the body can't be written: {error}"))
}

fn put(json: &mut Value, pointer: &Pointer, value: Value) -> Option<()> {
    let mut slot = json;
    for segment in pointer.segments() {
        if let Value::Array(items) = slot {
            slot = items.get_mut(segment.parse::<usize>().ok()?)?;
            continue;
        }
        slot = slot
            .as_object_mut()?
            .entry(segment.clone())
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *slot = value;
    Some(())
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{name}` can't be a header's name"))
}

pub(super) fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("`{value}` can't be a header's value"))
}
