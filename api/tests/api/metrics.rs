//! What a scrape is told of the followers, and what it is told while a database is away.

use std::{collections::BTreeMap, time::Duration};

use sqlx::Executor as _;
use store::testing::eventually;

use crate::support::{Api, get, post};

/// Less than the locks of Postgres are waited for, and more than two databases may take to answer.
const SCRAPE_MAX: Duration = Duration::from_secs(8);

/// Every reactor, projection and the relay, which all go through every event.
const FOLLOWERS: [&str; 9] =
    ["orders", "carts", "stock", "products", "sales", "relay", "checkout", "fulfilment", "gateway"];

/// The samples of one scrape, by name and labels.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(api: &Api) -> Self {
        let reply = tokio::time::timeout(SCRAPE_MAX, api.send(get("/metrics"))).await;
        let Ok(reply) = reply else { panic!("a scrape waited for a database") };
        let reply = reply.expect(200);
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let samples = reply.text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let sample = line.rsplit_once(' ').and_then(|(name, value)| Some((name, value.parse().ok()?)));
            let Some((name, value)) = sample else { panic!("no sample: {line}") };
            (name.to_owned(), value)
        };
        let all: Vec<_> = samples.map(sample).collect();
        let found = Self(all.iter().cloned().collect());
        assert_eq!(found.0.len(), all.len(), "a sample stands there twice: {}", reply.text);
        found
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.0.get(&format!("daybook_{name}")).copied()
    }

    fn of_follower(&self, name: &str, follower: &str) -> Option<f64> {
        self.value(&format!("{name}{{follower=\"{follower}\"}}"))
    }

    /// Whether that follower has come to the end of the log.
    fn is_level(&self, follower: &str) -> bool {
        let head = self.value("log_position");
        head.is_some()
            && self.of_follower("follower_position", follower) == head
            && self.of_follower("follower_lag_events", follower) == Some(0.0)
    }
}

async fn sold() -> Api {
    let api = Api::start().await;
    api.stock("A", 100, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    api
}

#[tokio::test(flavor = "multi_thread")]
async fn known_work_is_counted_and_every_follower_is_level_in_the_end() {
    let api = sold().await;
    let scrape = eventually("everybody has come to the end", || async {
        let scrape = Scrape::of(&api).await;
        FOLLOWERS.iter().all(|follower| scrape.is_level(follower)).then_some(scrape)
    })
    .await;
    let head = api.engine.log.head().await.unwrap().position;
    assert_eq!(scrape.value("log_position"), Some(head as f64));
    for follower in FOLLOWERS {
        let of = |name| scrape.of_follower(name, follower);
        assert_eq!(of("follower_events_total"), Some(head as f64), "{follower}");
        assert_eq!(of("follower_lease_held"), Some(1.0), "{follower}");
        assert_eq!(of("follower_failures_total"), Some(0.0), "{follower}");
        let counts = ["parked_streams", "waiting_events", "waiting_instances", "skipped_events"].map(of);
        let expected = (follower != "relay").then_some(0.0);
        assert_eq!(counts, [expected; 4], "{follower}");
        let lag = (follower != "relay").then_some(0.0);
        assert_eq!(of("follower_lag_seconds"), lag, "{follower}");
    }
    assert_eq!(scrape.of_follower("follower_lease_held", "timers"), Some(1.0));
    assert_eq!(scrape.of_follower("follower_position", "timers"), None);
    assert_eq!(scrape.value("timers_overdue"), Some(0.0));
    for database in ["log", "read_models"] {
        assert_eq!(scrape.value(&format!("database_up{{database=\"{database}\"}}")), Some(1.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_holds_no_lease_says_where_the_others_are_and_counts_nothing() {
    let api = sold().await;
    eventually("the first process has done everything", || async {
        let scrape = Scrape::of(&api).await;
        FOLLOWERS.iter().all(|follower| scrape.is_level(follower)).then_some(())
    })
    .await;
    let other = api.another().await;
    other.send(post("/v1/inventory/A/receive", &serde_json::json!({"quantity": 1}))).await.expect(200);
    let scrape = eventually("it says that the others are level", || async {
        let scrape = Scrape::of(&other).await;
        FOLLOWERS.iter().filter(|of| **of != "relay").all(|of| scrape.is_level(of)).then_some(scrape)
    })
    .await;
    for follower in FOLLOWERS {
        assert_eq!(scrape.of_follower("follower_lease_held", follower), Some(0.0), "{follower}");
        assert_eq!(scrape.of_follower("follower_events_total", follower), Some(0.0), "{follower}");
    }
    // The relay's place is known to the process alone that copies.
    assert_eq!(scrape.of_follower("follower_position", "relay"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_follows_is_told_with_its_lag_and_what_it_has_set_aside() {
    let api = sold().await;
    let head = api.engine.log.head().await.unwrap().position;
    api.owner()
        .await
        .execute(
            "INSERT INTO followers (name, incarnation, position) SELECT 'left', incarnation, 3 FROM log_head; \
             INSERT INTO followers (name, incarnation, position) VALUES ('restored', gen_random_uuid(), 3); \
             INSERT INTO parked_streams VALUES ('left', 'cart', 'c', 2, 'why'); \
             INSERT INTO waiting_events VALUES ('left', 'a', 1, 'why'), ('left', 'b', 2, 'why'), ('left', 'b', 3, 'why'); \
             INSERT INTO skipped_events VALUES ('left', gen_random_uuid(), 1, 'b'); \
             INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at, retry_at) \
             SELECT id, 'gone', 'x', id, '{}', now() - interval '1 hour', 'infinity' FROM gen_random_uuid() AS id",
        )
        .await
        .unwrap();
    let scrape = eventually("the lag grows with time", || async {
        let scrape = Scrape::of(&api).await;
        (scrape.of_follower("follower_lag_seconds", "left")? >= 1.0).then_some(scrape)
    })
    .await;
    let of = |name| scrape.of_follower(name, "left");
    assert_eq!(of("follower_position"), Some(3.0));
    // What happens by itself meanwhile comes on top.
    assert!(of("follower_lag_events").unwrap() >= (head - 3) as f64, "{:?}", of("follower_lag_events"));
    let counts = ["parked_streams", "waiting_events", "waiting_instances", "skipped_events"].map(of);
    assert_eq!(counts, [Some(1.0), Some(3.0), Some(2.0), Some(1.0)]);
    assert_eq!(scrape.value("timers_overdue"), Some(1.0));
    let late = scrape.value("timers_overdue_seconds").unwrap();
    assert!((3_600.0..3_700.0).contains(&late), "{late}");
    // Where it stands in this life of the log is not known.
    assert_eq!(scrape.of_follower("follower_position", "restored"), None);
    assert_eq!(scrape.of_follower("follower_lag_events", "restored"), None);
    assert_eq!(scrape.of_follower("waiting_events", "restored"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_is_answered_while_the_database_is_not() {
    let api = sold().await;
    let before = eventually("everybody has come to the end", || async {
        let scrape = Scrape::of(&api).await;
        FOLLOWERS.iter().all(|follower| scrape.is_level(follower)).then_some(scrape)
    })
    .await;
    let owner = api.owner().await;
    let mut away = owner.begin().await.unwrap();
    away.execute("LOCK TABLE followers IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let scrape = eventually("the lease is over, as far as this process can know", || async {
        let scrape = Scrape::of(&api).await;
        let up = scrape.value("database_up{database=\"log\"}") == Some(1.0);
        let held = scrape.of_follower("follower_lease_held", "checkout") == Some(1.0);
        (!up && !held).then_some(scrape)
    })
    .await;
    for name in ["log_position", "timers_overdue"] {
        assert_eq!(scrape.value(name), None, "{name} cannot be known");
    }
    for name in ["follower_position", "follower_lag_events", "follower_lag_seconds", "waiting_events"] {
        assert_eq!(scrape.of_follower(name, "checkout"), None, "{name} cannot be known");
    }
    let handled = scrape.of_follower("follower_events_total", "checkout");
    assert!(handled >= before.of_follower("follower_events_total", "checkout"), "{handled:?}");
    away.rollback().await.unwrap();
    eventually("everybody is back", || async {
        let scrape = Scrape::of(&api).await;
        FOLLOWERS.iter().all(|follower| scrape.is_level(follower)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_is_answered_without_any_database() {
    let api = Api::start().await;
    api.engine.pool.close().await;
    let scrape = Scrape::of(&api).await;
    assert_eq!(scrape.value("database_up{database=\"log\"}"), Some(0.0));
    assert!(scrape.of_follower("follower_events_total", "orders").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_events_are_counted_by_what_they_are_and_not_by_what_a_client_calls_them() {
    let api = sold().await;
    // Whoever waited for the sale may have asked for the order before it was there.
    let before = Scrape::of(&api).await;
    api.send(get("/v1/orders/0190a0b0-0000-7000-8000-000000000000")).await.expect(404);
    api.send(get("/v1/nothing/at-all")).await.expect(404);
    let scrape = Scrape::of(&api).await;
    let more = |name: &str| scrape.value(name).unwrap_or(0.0) - before.value(name).unwrap_or(0.0);
    let labels = |method: &str, route: &str, status: &str| {
        format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
    };
    let checkouts = format!("http_requests_total{}", labels("POST", "/v1/checkouts", "2xx"));
    assert_eq!(scrape.value(&checkouts), Some(1.0));
    for (method, route) in [("GET", "/v1/orders/{id}"), ("any", "none")] {
        let name = format!("http_requests_total{}", labels(method, route, "4xx"));
        assert_eq!(more(&name), 1.0, "{name}");
    }
    for code in ["order.not_found", "route.unknown"] {
        let name = format!("http_problems_total{{code=\"{code}\"}}");
        assert_eq!(more(&name), 1.0, "{code}");
    }
    let labels = "{method=\"POST\",route=\"/v1/checkouts\"";
    let name = |what: &str| format!("http_request_duration_seconds_{what}");
    assert_eq!(scrape.value(&format!("{}{labels}}}", name("count"))), Some(1.0));
    assert_eq!(scrape.value(&format!("{}{labels},le=\"+Inf\"}}", name("bucket"))), Some(1.0));
    assert!(scrape.value(&format!("{}{labels}}}", name("sum"))).unwrap() > 0.0);
    let events = |aggregate: &str, event: &str| {
        scrape.value(&format!("events_total{{aggregate=\"{aggregate}\",event=\"{event}\"}}"))
    };
    for (aggregate, event, count) in
        [("order", "Placed", 1.0), ("payment", "Authorized", 1.0), ("payment", "Declined", 0.0)]
    {
        assert_eq!(events(aggregate, event), Some(count), "{aggregate} {event}");
    }
    let all: f64 =
        scrape.0.iter().filter(|(of, _)| of.starts_with("daybook_events_total")).map(|of| of.1).sum();
    assert!(all >= scrape.value("log_position").unwrap());
    assert_eq!(scrape.value("jetstream_up"), Some(1.0));
    for pool in ["log", "projections", "edge", "read_models"] {
        let open = scrape.value(&format!("pool_connections{{pool=\"{pool}\"}}")).unwrap();
        let max = scrape.value(&format!("pool_connections_max{{pool=\"{pool}\"}}")).unwrap();
        assert!(open > 0.0 && open <= max, "{pool}: {open} of {max}");
    }
}
