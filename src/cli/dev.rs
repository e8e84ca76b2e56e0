//! `hookbridge dev`: everything at once, with nothing but this binary.
//!
//! Starts the embedded broker (or uses `--brokers`), serves a source for every preset, posts a sample event
//! from each of the first five systems over HTTP to itself, shows the records as they are read back from their
//! topics, and stays up. The first five have a topic each; all others share one, since a broker takes its time for
//! more than a hundred.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::tail::Tail;
use super::{event, fail, say, send};
use crate::app::App;
use crate::config::{Config, preset};
use crate::config::{catalogue, validate};
use crate::kafka::embedded::EmbeddedBroker;
use crate::server::{self, Ended};
use crate::topic::TopicName;

/// The systems whose sample events are sent, by preset: AllFly Connect, EventsAir, the generic "resource" and
/// "wh_" providers, and Wristband, for all of Svix's customers.
const FIRST_FIVE: [&str; 5] = ["allfly", "eventsair", "generic-hex", "generic-sha256", "wristband"];

/// The topic of all other presets' events.
const SHARED_TOPIC: &str = "webhooks.presets";

/// Kafka, the samples and their records are all waited for this long.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where `send` posts to, and `dev` listens, unless they are told otherwise.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Partitions of topics that are created on a real Kafka.
const PARTITIONS: i32 = 4;

/// Where to listen, and which Kafka to use.
#[derive(Debug, Args)]
#[command(
    after_help = "The embedded broker is librdkafka's mock cluster: it speaks Kafka's protocol, keeps everything in \
                        memory and is gone at the end. The secrets are well known, so listen on loopback alone."
)]
pub struct Dev {
    /// Use this Kafka (host:port, ...) instead of the embedded broker. Missing topics are created.
    #[arg(long, value_name = "BROKERS")]
    brokers: Option<String>,
    /// Where to listen for webhooks. Port 0 takes any free one.
    #[arg(long, default_value_t = DEFAULT_ADDRESS, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where to listen for health and metrics. Port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "ADDRESS")]
    admin_listen: SocketAddr,
}

pub(super) fn run(dev: Dev) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&format!("the async runtime can't be started: {error}"), ExitCode::FAILURE);
        }
    };
    let ended = runtime.block_on(develop(&dev));
    runtime.shutdown_background();
    match ended {
        Ok(Ended::InOrder) => ExitCode::SUCCESS,
        Ok(Ended::AtOnce(reason)) => ExitCode::from(reason.exit_code()),
        Err(why) => fail(&why, ExitCode::FAILURE),
    }
}

async fn develop(dev: &Dev) -> Result<Ended, String> {
    let embedded = match dev.brokers {
        Some(_) => None,
        None => Some(
            EmbeddedBroker::start()
                .map_err(|error| format!("the embedded broker can't be started: {error}"))?,
        ),
    };
    let brokers = match (&dev.brokers, &embedded) {
        (Some(brokers), _) => brokers.clone(),
        (None, Some(embedded)) => embedded.bootstrap_servers(),
        (None, None) => return Err("there is no broker".to_owned()),
    };
    let config = config(dev, &brokers)?;
    let bound = server::bind(&config).await.map_err(|error| {
        format!("{error}\n  hint: take any free port with --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0")
    })?;
    let address = bound.public_address;
    let kind = if embedded.is_some() { "embedded broker, in memory" } else { "your Kafka" };
    say(format!("webhooks            http://{address}/webhooks/PRESET"));
    say(format!("health and metrics  http://{}/readyz and /metrics", bound.admin_address));
    say(format!("kafka               {brokers} ({kind})"));
    say(format!(
        "topics              webhooks.PRESET of {};\n                    {SHARED_TOPIC} of all others",
        FIRST_FIVE.join(", ")
    ));

    // What takes time comes after the first lines.
    let topics = topics(&config)?;
    let mut reader = config.kafka.client_config();
    match &embedded {
        Some(embedded) => embedded.create_what_is_read(&mut reader),
        None => create_topics(&config, &topics).await?,
    }
    let tail = tokio::task::spawn_blocking(move || Tail::start(reader, &topics))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("the topics can't be read: {error}"))?;
    let app = App::new(&config).map_err(|error| error.to_string())?;
    let demonstration = tokio::spawn(demonstrate(Arc::clone(&app), address, tail));
    let ended = server::serve(&config, Arc::clone(&app), bound).await.map_err(|error| error.to_string())?;
    if demonstration.is_finished() {
        let tail = demonstration.await.map_err(|error| error.to_string())??;
        tokio::task::spawn_blocking(move || tail.stop()).await.map_err(|error| error.to_string())?;
    }
    // librdkafka may take any time to end its threads, and the process is about to end them all.
    std::mem::forget((app, embedded));
    Ok(ended)
}

/// Sends the samples and waits until their records have been shown.
async fn demonstrate(app: Arc<App>, address: SocketAddr, tail: Tail) -> Result<Tail, String> {
    let demonstrated = samples(&app, address, &tail).await;
    match &demonstrated {
        Ok(()) => {
            let provider = FIRST_FIVE[0];
            say("\nReady. Now send one of your own (and try another secret, to see it refused):\n");
            // As it was called: it need not be on the PATH.
            let this = std::env::args().next().unwrap_or_else(|| "hookbridge".to_owned());
            say(format!(
                "  {this} send --provider {provider} --secret {} \\\n    --url http://{address}/webhooks/{provider} \
                 --type event_attendee.ticket_success --data '{{\"data\":{{\"ticket\":7}}}}'\n",
                secret_of(provider).unwrap_or_default()
            ));
            let elsewhere = match address == DEFAULT_ADDRESS {
                true => String::new(),
                false => format!(" --url http://{address}/webhooks/NAME"),
            };
            say(format!(
                "`{this} send --provider NAME{elsewhere}` sends an example of any of {} presets,\n\
                 which `{this} providers` lists. Ctrl-C ends it.",
                served().count()
            ));
        }
        Err(why) => eprintln!("hookbridge: the demonstration failed: {why}; the service stays up"),
    }
    Ok(tail)
}

async fn samples(app: &App, address: SocketAddr, tail: &Tail) -> Result<(), String> {
    wait_until("Kafka is not ready", || app.is_ready()).await?;
    for name in FIRST_FIVE {
        let provider = catalogue::named(name)?;
        let request = event::sign(
            &provider,
            &secret_of(name).unwrap_or_default(),
            event::Event::default(),
            SystemTime::now(),
        )?;
        let url = format!("http://{address}/webhooks/{name}");
        let uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let (status, body) = send::post(&uri, request).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if !status.is_success() {
            return Err(format!("POST {url} was answered {status} {body}"));
        }
        say(format!("\nPOST {url} -> {status} {body}  ({})", provider.provider.title));
    }
    wait_until("the records were not read back", || tail.shown() >= FIRST_FIVE.len()).await
}

async fn wait_until(otherwise: &str, condition: impl Fn() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err(format!("{otherwise} after {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// The secret of a development source, where there can be one.
fn secret_of(preset: &str) -> Option<String> {
    catalogue::entry(preset).ok()?.development_secret()
}

/// The presets that can be signed for.
fn served() -> impl Iterator<Item = &'static str> {
    preset::names().filter(|name| secret_of(name).is_some())
}

/// A configuration with a source for every preset that can be signed for, read as any other.
fn config(dev: &Dev, brokers: &str) -> Result<Config, String> {
    let mut yaml = format!(
        "server: {{ listen: '{}' }}\nadmin: {{ listen: '{}' }}\nkafka: {{ bootstrap.servers: '{}' }}\nsources:\n",
        dev.listen,
        dev.admin_listen,
        brokers.replace('\'', "''")
    );
    for name in served() {
        let account = catalogue::entry(name)?.account();
        let parameters: Vec<String> =
            account.parameters.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
        let topics = match FIRST_FIVE.contains(&name) {
            true => String::new(),
            false => format!("    topics: {{ '*': {SHARED_TOPIC} }}\n"),
        };
        yaml.push_str(&format!(
            "  {name}:\n    provider: {name}\n    secrets: [{{ env: {name} }}]\n    handshake: false\n    \
             public_url: '{}'\n    parameters: {{ {} }}\n{topics}",
            account.public_url.unwrap_or_default(),
            parameters.join(", ")
        ));
    }
    validate::parse("the development configuration", &yaml, &secret_of).map_err(|invalid| invalid.to_string())
}

/// All that records are written to.
fn topics(config: &Config) -> Result<Vec<TopicName>, String> {
    let of_their_own = config.sources.iter().filter(|source| FIRST_FIVE.contains(&&*source.name));
    let mut topics: Vec<_> = of_their_own.map(|source| source.default_topic.clone()).collect();
    topics.push(TopicName::parse(SHARED_TOPIC)?);
    topics.push(config.dead_letter.clone());
    Ok(topics)
}

async fn create_topics(config: &Config, topics: &[TopicName]) -> Result<(), String> {
    let client: ClientConfig = config.kafka.client_config();
    let admin: AdminClient<DefaultClientContext> =
        client.create().map_err(|error| format!("a Kafka client can't be set up: {error}"))?;
    // -1: as many replicas as the cluster has for its default.
    let new =
        topics.iter().map(|topic| NewTopic::new(topic.as_str(), PARTITIONS, TopicReplication::Fixed(-1)));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let created = admin
        .create_topics(new.collect::<Vec<_>>().iter(), &options)
        .await
        .map_err(|error| format!("Kafka can't be reached, or topics can't be created: {error}"))?;
    for topic in created {
        match topic {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(format!("the topic {topic} can't be created: {code}")),
        }
    }
    Ok(())
}
