//! Where an event type goes: topic names, templates and the mapping of one source.
//!
//! Takes an event type. Gives a legal Kafka topic name, `Drop`, or nothing. Pure, but for one bounded memory:
//! which topics the template `{type}` has already named.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

use crate::config::RouteSchema;

/// Kafka's limit on a topic's name, in characters.
const MAX_NAME: usize = 249;

/// Hexadecimal digits of the hash that keeps altered names apart: 48 bits.
const HASH_DIGITS: usize = 12;

/// A legal Kafka topic name: `[a-zA-Z0-9._-]{1,249}`, not `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks a name.
    ///
    /// # Errors
    /// A sentence that says what Kafka would refuse.
    pub fn parse(name: &str) -> Result<Self, String> {
        if name.is_empty() || name == "." || name == ".." {
            return Err(format!("`{name}` can't be a topic's name"));
        }
        if name.len() > MAX_NAME {
            return Err(format!("the topic's name has {} characters; Kafka allows {MAX_NAME}", name.len()));
        }
        match name.chars().find(|c| !is_legal(*c)) {
            Some(c) => Err(format!(
                "`{name}` has `{}`; Kafka allows letters, digits, `.`, `_` and `-`",
                c.escape_default()
            )),
            None => Ok(Self(name.into())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The SHA-256 of `text`, in hexadecimal, cut to [`HASH_DIGITS`].
fn short_hash(text: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(text.as_bytes()));
    digits.truncate(HASH_DIGITS);
    digits
}

/// Makes `text` legal, within `room` characters, so that two texts never give one name: what had to be
/// altered (or looks as if it had been) carries a hash of the original.
fn sanitise(text: &str, room: usize) -> String {
    let tail = text.len().checked_sub(HASH_DIGITS + 1).and_then(|at| text.get(at..));
    let looks_hashed = tail.is_some_and(|tail| {
        tail.starts_with('-') && tail[1..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    });
    if !text.is_empty() && text.len() <= room && text.chars().all(is_legal) && !looks_hashed {
        return text.to_owned();
    }
    let kept = text.chars().map(|c| if is_legal(c) { c } else { '_' });
    let kept: String = kept.take(room.saturating_sub(HASH_DIGITS + 1)).collect();
    format!("{kept}-{}", short_hash(text))
}

/// A topic's name with `{type}` in it. `{source}` is filled in when it is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

/// What a topic's text in the configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// One topic.
    Fixed(TopicName),
    /// A topic for each event type.
    PerType(Template),
}

impl Pattern {
    /// Parses a topic's name or template for the source named `source`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str, source: &str) -> Result<Self, String> {
        let text = text.replace("{source}", source);
        let (before, after) = match text.split_once("{type}") {
            None => (text.as_str(), None),
            Some((before, after)) => (before, Some(after)),
        };
        if [before, after.unwrap_or("")].iter().any(|part| part.contains(['{', '}'])) {
            return Err(format!("`{text}`: only `{{source}}` and, once, `{{type}}` can stand in braces"));
        }
        let Some(after) = after else {
            return TopicName::parse(&text).map(Self::Fixed);
        };
        // The rest must be legal, and leave room for a type's hash at the least.
        TopicName::parse(&format!("{before}t{after}"))?;
        if before.len() + after.len() + 2 * HASH_DIGITS > MAX_NAME {
            return Err(format!("`{text}` leaves no room for the event type in {MAX_NAME} characters"));
        }
        Ok(Self::PerType(Template { before: before.to_owned(), after: after.to_owned() }))
    }
}

impl Template {
    /// The topic of one event type: always legal, and never that of another type.
    #[must_use]
    pub fn fill(&self, event_type: &str) -> TopicName {
        let room = MAX_NAME - self.before.len() - self.after.len();
        let name = format!("{}{}{}", self.before, sanitise(event_type, room), self.after);
        match name.as_str() {
            // Only the template `{type}` alone can give these.
            "." | ".." => TopicName(format!("{}-{}", name.replace('.', "_"), short_hash(event_type)).into()),
            _ => TopicName(name.into()),
        }
    }

    /// The event type for which this template gives `topic`, if that can be told.
    pub(crate) fn type_of<'a>(&self, topic: &'a TopicName) -> Option<&'a str> {
        match self.named_by(topic)? {
            Namer::This(event_type) => Some(event_type),
            Namer::Unknown => None,
        }
    }

    /// The event type for which this template gives `topic`, if there can be one.
    fn named_by<'a>(&self, topic: &'a TopicName) -> Option<Namer<'a>> {
        let filled = topic.as_str().strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let room = MAX_NAME - self.before.len() - self.after.len();
        match filled {
            "" => None,
            _ if sanitise(filled, room) == filled => Some(Namer::This(filled)),
            // It looks hashed, and a hash does not say of what.
            _ => Some(Namer::Unknown),
        }
    }
}

/// Which event type names a topic.
enum Namer<'a> {
    This(&'a str),
    Unknown,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{type}}{}", self.before, self.after)
    }
}

/// A pattern in which `*` stands for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// A pattern; without `*` it matches itself alone.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Whether `text` matches. Takes time in the product of both lengths at worst.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut text) = text.strip_prefix(head) else { return false };
        let mut pieces = rest.split('*').peekable();
        // Every piece but the last is taken where it is found first; the last must end the text.
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return text.ends_with(piece);
            }
            match text.find(piece) {
                Some(at) => text = &text[at + piece.len()..],
                None => return false,
            }
        }
        true
    }

    /// Sorts the most specific first: more literal characters, then more of them before the first `*`, then
    /// fewer `*`, then by the alphabet, so that the order never depends on the file's.
    fn rank(&self) -> impl Ord + use<'_> {
        let stars = self.0.matches('*').count();
        let head = self.0.find('*').unwrap_or(self.0.len());
        (usize::MAX - (self.0.len() - stars), usize::MAX - head, stars, &self.0)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the configuration says of an event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It is published, and must fit the schema, if there is one.
    Topic(Pattern, Option<Arc<RouteSchema>>),
    /// It is acknowledged and not published.
    Drop,
}

/// What happens to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// It goes to this topic, and must fit the schema, if there is one.
    Topic(TopicName, Option<Arc<RouteSchema>>),
    /// It is acknowledged and not published.
    Drop,
    /// Nothing in the mapping matches its type.
    Unmapped,
    /// Its type would name one topic more than the source may bring into being.
    TooManyTopics,
}

/// The mapping of one source.
#[derive(Debug)]
pub struct TopicMap {
    exact: HashMap<String, Target>,
    globs: Vec<(Glob, Target)>,
    /// The topics that `{type}` has named, by event type. Shared with the same mapping of an earlier configuration.
    named: Arc<RwLock<HashMap<String, TopicName>>>,
    max_topics: usize,
}

impl TopicMap {
    /// A mapping of `entries`, in any order. `max_topics` bounds how many topics `{type}` can name.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (String, Target)>, max_topics: usize) -> Self {
        let (mut exact, mut globs) = (HashMap::new(), Vec::new());
        for (pattern, target) in entries {
            match pattern.contains('*') {
                true => globs.push((Glob::new(&pattern), target)),
                false => drop(exact.insert(pattern, target)),
            }
        }
        globs.sort_by(|(a, _), (b, _)| a.rank().cmp(&b.rank()));
        Self { exact, globs, named: Arc::default(), max_topics }
    }

    /// Counts the topics that `former` has named among its own, if both map alike: they are there already. Another
    /// mapping gives other names, and counts from nothing. `max_topics` may differ.
    pub fn go_on_from(&mut self, former: &Self) {
        if self.exact == former.exact && self.globs == former.globs {
            self.named = Arc::clone(&former.named);
        }
    }

    /// What the configuration says of `event_type`: the exact name first, then the most specific glob.
    fn target(&self, event_type: &str) -> Option<&Target> {
        let by_glob =
            || self.globs.iter().find(|(glob, _)| glob.matches(event_type)).map(|(_, target)| target);
        self.exact.get(event_type).or_else(by_glob)
    }

    /// Where `event_type` goes.
    #[must_use]
    pub fn destination(&self, event_type: &str) -> Destination {
        match self.target(event_type) {
            None => Destination::Unmapped,
            Some(Target::Drop) => Destination::Drop,
            Some(Target::Topic(Pattern::Fixed(name), schema)) => {
                Destination::Topic(name.clone(), schema.clone())
            }
            Some(Target::Topic(Pattern::PerType(template), schema)) => {
                match self.per_type(template, event_type) {
                    Some(name) => Destination::Topic(name, schema.clone()),
                    None => Destination::TooManyTopics,
                }
            }
        }
    }

    /// None, if it would be one too many.
    fn per_type(&self, template: &Template, event_type: &str) -> Option<TopicName> {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = named.get(event_type) {
            return Some(name.clone());
        }
        if named.len() >= self.max_topics {
            return None;
        }
        drop(named);
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= self.max_topics && !named.contains_key(event_type) {
            return None;
        }
        let name = template.fill(event_type);
        Some(named.entry(event_type.to_owned()).or_insert(name).clone())
    }

    /// The topic that `event_type` would name if as many could be named as there are types; none if a pattern says
    /// nothing of it.
    #[must_use]
    pub fn named_by(&self, event_type: &str) -> Option<TopicName> {
        match self.target(event_type)? {
            Target::Drop => None,
            Target::Topic(Pattern::Fixed(name), _) => Some(name.clone()),
            Target::Topic(Pattern::PerType(template), _) => Some(template.fill(event_type)),
        }
    }

    /// The pattern by which an event can go to `topic`, if there is one: to keep a topic apart from the mapping.
    #[must_use]
    pub fn leading_to(&self, topic: &TopicName) -> Option<String> {
        let leads = |target: &Target| match target {
            Target::Drop => false,
            Target::Topic(Pattern::Fixed(name), _) => name == topic,
            Target::Topic(Pattern::PerType(template), _) => match template.named_by(topic) {
                Some(Namer::This(event_type)) => self.target(event_type) == Some(target),
                Some(Namer::Unknown) => true,
                None => false,
            },
        };
        self.entries().into_iter().find(|(_, target)| leads(target)).map(|(pattern, _)| pattern)
    }

    /// The schemas of its routes.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<RouteSchema>> {
        let targets = self.exact.values().chain(self.globs.iter().map(|(_, target)| target));
        targets.filter_map(|target| match target {
            Target::Topic(_, schema) => schema.as_ref(),
            Target::Drop => None,
        })
    }

    /// The mapping in the order in which it is tried, for people.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Target)> {
        let mut entries: Vec<_> =
            self.exact.iter().map(|(name, target)| (name.clone(), target.clone())).collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.extend(self.globs.iter().map(|(glob, target)| (glob.to_string(), target.clone())));
        entries
    }
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
