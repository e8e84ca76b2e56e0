//! The Prometheus text format, as far as tests ask for single numbers.

/// The sum of the samples called `name` whose labels have all of `labels`, each written `name="value"`; `None` if
/// there is no such sample.
pub(crate) fn sum(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labelled, value) = rest.rsplit_once(' ')?;
        if !(labelled.is_empty() || labelled.starts_with('{')) {
            return None;
        }
        labels.iter().all(|label| labelled.contains(label)).then(|| value.parse::<f64>().expect("a number"))
    });
    samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}
