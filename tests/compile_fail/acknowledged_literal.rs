// error: E0451
//! Kafka has not acknowledged what Kafka has not seen.

use std::sync::Arc;

use hookbridge::config::Source;
use hookbridge::pipeline::Acknowledged;

pub fn forge(source: Arc<Source>) -> Acknowledged {
    Acknowledged { source }
}
