//! `daybook report`: what it says is what the retailer's file says, and what DuckDB finds in an export; and what it looks like.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Output,
};

use domain::{
    inventory_item::{AdjustReason, Command},
    value::{Currency, Time},
};
use projections::analytics::reports::About;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use sqlx::{Executor as _, Postgres, pool::PoolConnection};
use store::{
    log::PostgresLog,
    testing::{eventually, request},
};

use crate::ground::{Ground, said};

const DAY_MS: i64 = 86_400_000;

const REPORTS: [&str; 4] = ["sales", "stock", "funnel", "reservations"];

impl Ground {
    fn report(&self, args: &[&str]) -> Output {
        let mut command = self.daybook();
        command.arg("report").args(args).output().unwrap()
    }

    #[track_caller]
    fn reported(&self, args: &[&str]) -> Json {
        let output = self.report(&[args, &["--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Days or countries with what they come to, in the order of the columns.
fn sums(rows: &Json, key: &str) -> Json {
    let names = ["orders", "units", "sold_minor", "credit_notes", "credited_minor"];
    let one = |row: &Json| {
        let name = row[key].as_str().unwrap().to_owned();
        (name, names.map(|name| row[name].as_i64().unwrap()))
    };
    let sums: BTreeMap<String, [i64; 5]> = rows.as_array().unwrap().iter().map(one).collect();
    json!(sums)
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_say_what_the_file_and_an_export_say_to_the_penny() {
    let ground = Ground::traded().await;
    ground.fine(&["export", "--format", "parquet", "--by-type", "--into", "parquet"]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/retail-sample.csv");
    for (first, last) in
        [("2011-03-01", "2011-03-31"), ("2011-03-02", "2011-03-04"), ("2011-03-03", "2011-03-03")]
    {
        let mut python = stack::testing::python_for_analysts();
        python.args(["-c", include_str!("reported.py")]).arg(&file).arg(ground.directory.join("parquet"));
        let output = python.args([first, last]).output().unwrap();
        let counted: Json =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        let (file, parquet) = (&counted["file"], &counted["parquet"]);
        assert_eq!(file, parquet, "the file and the export");

        let sales = ground.reported(&["sales", "--from", first, "--to", last]);
        let tables = &sales["tables"];
        assert_eq!(sales["currency"], "GBP");
        assert_eq!(sums(&tables["per_day"], "day"), file["per_day"]);
        assert_eq!(sums(&tables["per_country"], "country"), file["per_country"]);
        let products = tables["top_products"].as_array().unwrap();
        let products: Vec<Json> =
            products.iter().map(|row| json!([row["sku"], row["units"], row["sold_minor"]])).collect();
        assert_eq!(json!(products), file["top_products"]);
        let total = |nth: usize| -> i64 {
            let days = file["per_day"].as_object().unwrap().values();
            days.map(|day| day[nth].as_i64().unwrap()).sum()
        };
        let (orders, sold, credited) = (total(0), total(2), total(4));
        let figures = &sales["figures"];
        assert_eq!((&figures["sold_minor"], &figures["orders"]), (&json!(sold), &json!(orders)));
        // To the nearest, a half upwards.
        assert_eq!(figures["returns_rate"], json!((credited * 20_000 + sold) / (2 * sold)));
        assert_eq!(figures["average_order_minor"], json!((2 * sold + orders) / (2 * orders)));

        let stock = ground.reported(&["stock", "--from", first, "--to", last]);
        let there = stock["tables"]["at_the_end"].as_array().unwrap();
        let there: BTreeMap<_, _> =
            there.iter().map(|row| (row["sku"].as_str().unwrap(), &row["on_hand"])).collect();
        let counted = file["stock"].as_object().unwrap();
        assert_eq!(json!(there), json!(counted));
        assert_eq!(
            stock["figures"]["on_hand"],
            json!(counted.values().filter_map(Json::as_i64).sum::<i64>())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_that_is_told_gives_the_rows_that_are_told() {
    let ground = Ground::traded().await;
    let pool =
        store::schema::connect(&ground.analyst_url, &ground.store.prefix, "_analysis", 1).await.unwrap();
    let mut asked = 0;
    for report in REPORTS {
        let told = ground.reported(&[report, "--period", "2011-03"]);
        for (table, query) in told["queries"].as_object().unwrap() {
            let query = query.as_str().unwrap();
            if query.starts_with("daybook ") {
                continue;
            }
            let rows: Vec<String> = sqlx::query_scalar(&format!("SELECT to_json(t)::text FROM ({query}) t"))
                .fetch_all(&pool)
                .await
                .unwrap();
            let rows: Vec<Json> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            assert_eq!(json!(rows), told["tables"][table], "{report} {table}");
            asked += 1;
        }
        let about: About = match report {
            "sales" => About::Sales(None),
            "stock" => About::Stock,
            "funnel" => About::Funnel,
            _ => About::Reservations,
        };
        let tables: BTreeSet<&str> = told["tables"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(tables, about.tables().iter().copied().collect(), "{report}");
        // The same as CSV.
        for table in told["tables"].as_object().unwrap().keys() {
            let output = ground.report(&[report, "--period", "2011-03", "--format", "csv", "--table", table]);
            let mut csv = csv::Reader::from_reader(&output.stdout[..]);
            let lines = csv.records().count();
            assert_eq!(lines, told["tables"][table].as_array().unwrap().len(), "{report} {table}");
        }
    }
    assert!(asked > 10, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_needs_nothing_else_and_is_whole() {
    let ground = Ground::traded().await;
    for report in REPORTS {
        let name = format!("{report}.html");
        let output = ground.report(&[report, "--period", "2011-03", "--out", &name]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", said(&output));
        let page = String::from_utf8(ground.read(&name)).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"), "{report}");
        assert!(report == "stock" || page.contains("<svg"), "{report} is drawn");
        let named = page.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "src=", "<script", "<link", "@import", "url("] {
            assert!(!named.contains(outside), "{outside} in {report}");
        }
        assert!(page.contains("<pre>") && page.contains("SET search_path"), "{report} tells its queries");
    }
    let left = fs::read_dir(&ground.directory).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("partial")));
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_from_outside_are_texts_and_nothing_else() {
    let ground = Ground::empty().await;
    let log = PostgresLog::new(ground.store.pool("").await);
    let title = "<script>alert(1)</script> & \"co\"";
    let placed = json!({
        "source": {"import": "x"}, "charges": [], "prices_include_tax": true, "placed_at": 1_299_000_000_000_i64,
        "country": "<b>", "total": {"amount": 500, "currency": "GBP"},
        "lines": [{"sku": "A<i>", "title": title, "quantity": 1, "unit_price": {"amount": 500, "currency": "GBP"}}],
    });
    let confirm = domain::order::Command::Confirm {};
    store::testing::write(&log, &request("O1", confirm), &[("Placed", "2", placed)]).await;
    let output = ground.report(&["sales", "--period", "2011-03"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let page = String::from_utf8(output.stdout).unwrap();
    for tag in ["<script", "<b>", "<i>alert", "A<i>"] {
        assert!(!page.contains(tag), "{tag}");
    }
    // In the table, and in the plot.
    assert!(page.matches("script").count() >= 2, "the title is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_on_which_nothing_happened_are_reported_as_that() {
    let ground = Ground::traded().await;
    for report in REPORTS {
        let told = ground.reported(&[report, "--period", "2009"]);
        let figures = told["figures"].as_object().unwrap();
        assert!(figures.values().all(|figure| figure.is_null() || *figure == 0), "{report}: {figures:?}");
        let output = ground.report(&[report, "--period", "2009"]);
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.contains("Nothing of this happened") && !page.contains("<svg"), "{report}");
    }
    let none = ground.reported(&["sales", "--period", "2011-03", "--currency", "EUR"]);
    assert_eq!((&none["currency"], &none["figures"]["sold_minor"]), (&json!("EUR"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_told_with_what_to_say_instead() {
    let ground = Ground::traded().await;
    fs::write(ground.directory.join("mine.html"), "mine").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(ground.directory.join("socket")).unwrap();
    for (args, words) in [
        (&["profits", "--period", "2011"][..], &["profits"][..]),
        (&["sales"], &["--period", "--from"]),
        (&["sales", "--period", "2011-13"], &["2011-13", "2010-Q4", "last-month"]),
        (&["sales", "--from", "2011-02-30"], &["no day of the calendar", "2010-12-24"]),
        (
            &["sales", "--from", "2011-03-02", "--to", "2011-03-01"],
            &["--from 2011-03-02 is after --to 2011-03-01"],
        ),
        (&["sales", "--to", "2011-03-01"], &["--from"]),
        (&["sales", "--period", "2011", "--currency", "pounds"], &["GBP"]),
        (&["stock", "--period", "2011", "--currency", "GBP"], &["--currency"]),
        (&["sales", "--period", "2011", "--format", "xlsx"], &["html", "csv", "json"]),
        (
            &["sales", "--period", "2011", "--format", "csv", "--table", "days"],
            &["it has per_day, per_country"],
        ),
        (&["sales", "--period", "2011", "--table", "per_day"], &["--format csv"]),
        (&["sales", "--period", "2011", "--out", "mine.html"], &["is there already", "--replace"]),
        (&["sales", "--period", "2011", "--out", "."], &["is a folder"]),
        (&["sales", "--period", "2011", "--out", "nowhere/x.html"], &["there is no folder nowhere"]),
        (
            &["sales", "--period", "2011", "--out", "socket", "--replace"],
            &["is a device or a pipe", "--out -"],
        ),
    ] {
        let output = ground.report(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(words.iter().all(|word| said(&output).contains(word)), "{args:?}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(ground.read("mine.html"), b"mine");
    let output = ground.report(&["sales", "--period", "2011", "--out", "mine.html", "--replace"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(ground.read("mine.html").starts_with(b"<!DOCTYPE html>"));

    let away = ground
        .daybook()
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .args(["report", "sales"])
        .args(["--period", "2011", "--out", "away.html"])
        .output()
        .unwrap();
    assert_eq!(away.status.code(), Some(1), "{}", said(&away));
    assert!(said(&away).contains("Connection refused"), "{}", said(&away));
    assert!(!ground.has("away.html"));
    let both = ground.report(&["sales", "--period", "2011", "--json", "--format", "csv"]);
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));
    assert!(said(&both).contains("--json is the same as --format json"), "{}", said(&both));
    // Which tables there are is known before anything is asked.
    let no_table = ground
        .daybook()
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .args(["report", "stock", "--period", "2011", "--format", "csv", "--table", "days"])
        .output()
        .unwrap();
    assert_eq!(no_table.status.code(), Some(2), "{}", said(&no_table));
    assert!(
        said(&no_table).contains("it has per_day, movements, at_the_end, stock_outs"),
        "{}",
        said(&no_table)
    );
    let left = fs::read_dir(&ground.directory).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("partial")));
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_in_several_currencies_are_not_added_up() {
    let ground = Ground::empty().await;
    let log = PostgresLog::new(ground.store.pool("").await);
    for (id, currency) in [("O1", Currency::GBP), ("O2", "EUR".parse().unwrap())] {
        let placed = json!({
            "source": {"import": "x"}, "charges": [], "prices_include_tax": true, "placed_at": 1_299_000_000_000_i64,
            "total": {"amount": 500, "currency": currency},
            "lines": [{"sku": "A", "quantity": 1, "unit_price": {"amount": 500, "currency": currency}}],
        });
        let confirm = domain::order::Command::Confirm {};
        store::testing::write(&log, &request(id, confirm), &[("Placed", "2", placed)]).await;
    }
    let output = ground.report(&["sales", "--period", "2011-03"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("EUR, GBP") && said(&output).contains("--currency"), "{}", said(&output));
    let told = ground.reported(&["sales", "--period", "2011-03", "--currency", "EUR"]);
    assert_eq!((&told["figures"]["orders"], &told["figures"]["sold_minor"]), (&json!(1), &json!(500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_booked_late_ran_out_when_it_happened() {
    let ground = Ground::empty().await;
    let engine = ground.store.engine().await;
    // The books of the second and the fourth are brought in after those of the tenth and the twelfth.
    for (day, delta) in [(10, 5), (12, -5), (2, 3), (4, -3), (14, 2)] {
        let delta: i32 = delta;
        let adjust = Command::Adjust {
            delta: delta.try_into().unwrap(),
            reason: AdjustReason::Count,
            location: None,
            reference: None,
        };
        let mut asked = request("A", adjust);
        // From 2011-03-01 at noon.
        asked.cause.occurred_at = Some(Time::from_millis(1_298_980_800_000 + (day - 1) * DAY_MS));
        engine.executor.execute(asked).await.unwrap();
    }
    engine.stop().await;
    let told = ground.reported(&["stock", "--period", "2011-03"]);
    let out = |from: &str, until: &str, days: i64| {
        let [from, until] = [from, until].map(|day| format!("2011-03-{day}T12:00:00Z"));
        json!({"sku": "A", "from": from, "until": until, "lasted_ms": days * DAY_MS})
    };
    assert_eq!(told["tables"]["stock_outs"], json!([out("04", "10", 6), out("12", "14", 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_what_its_numbers_are_of_and_how_far_they_go() {
    let ground = Ground::traded().await;
    let page = |args: &[&str]| {
        let output = ground.report(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let sales = page(&["sales", "--period", "2011-03"]);
    for words in [
        "whether they are paid or not",
        "<small>2011-03-04</small>",
        "Sold and credited by day, in GBP",
        "Sold by country, in GBP",
    ] {
        assert!(sales.contains(words), "{words}");
    }
    assert!(!sales.contains("not over"));
    let long = page(&["sales", "--from", "2010-12-01", "--to", "2011-04-30"]);
    assert!(long.contains("Sold and credited by month, in GBP") && !long.contains("credited by day"));
    for month in ["2010-12", "2011-01", "2011-02", "2011-03", "2011-04"] {
        assert!(long.lines().any(|line| line.trim() == month), "{month} has its place");
    }
    let stock = page(&["stock", "--period", "2999"]);
    assert!(
        stock.contains("still to come") && stock.contains("Stock as of now") && stock.contains("On hand now")
    );
    assert!(!stock.contains("hand at the end"), "nobody knows the end");
    let stock = page(&["stock", "--period", "2011-03"]);
    let rows = stock.split("Stock at the end of the period").nth(1).unwrap();
    let first = rows.split("<tbody>").nth(1).unwrap().lines().nth(1).unwrap();
    let told = ground.reported(&["stock", "--period", "2011-03"]);
    let there = told["tables"]["at_the_end"].as_array().unwrap();
    let most = there.iter().rev().max_by_key(|row| row["on_hand"].as_i64()).unwrap();
    assert!(first.contains(most["sku"].as_str().unwrap()), "{first} is not {most}");
    assert!(first.contains(most["title"].as_str().unwrap()), "{first} is not {most}");
}

/// Makes reports wait: whoever asks the views reads events.
async fn held_up(ground: &Ground) -> PoolConnection<Postgres> {
    let mut connection = ground.store.owner_pool("").await.acquire().await.unwrap();
    connection.execute("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_report_nothing_of_it_piles_up() {
    let ground = Ground::traded().await;
    let args = ["report", "sales", "--period", "2011-03", "--out", "x.html"];
    for (signal, status) in [(Signal::INT, Some(130)), (Signal::TERM, Some(143)), (Signal::KILL, None)] {
        let lock = held_up(&ground).await;
        let mut child = ground.daybook().args(args).spawn().unwrap();
        eventually("it has begun", || async { ground.has("x.html.partial").then_some(()) }).await;
        let second = ground.daybook().args(args).output().unwrap();
        assert_eq!(second.status.code(), Some(2), "{}", said(&second));
        assert!(said(&second).contains("is being made by another process"), "{}", said(&second));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), status, "{signal:?}");
        assert!(
            !ground.has("x.html") && ground.has("x.html.partial") == (signal == Signal::KILL),
            "{signal:?}"
        );
        drop(lock);
    }
    fs::write(ground.directory.join("x.html.partial"), "longer than any page".repeat(100_000)).unwrap();
    let output = ground.daybook().args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(ground.read("x.html").ends_with(b"</html>") && !ground.has("x.html.partial"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_stays_one_and_its_file_is_what_is_made() {
    let ground = Ground::traded().await;
    fs::create_dir(ground.directory.join("there")).unwrap();
    let link = ground.directory.join("link.html");
    std::os::unix::fs::symlink("there/page.html", &link).unwrap();
    let made = |more: &[&str]| {
        ground.report(&[&["sales", "--period", "2011-03", "--out", "link.html"], more].concat())
    };
    for more in [&[][..], &["--replace"]] {
        let output = made(more);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("is a link to a file that is not there"), "{}", said(&output));
    }
    fs::write(ground.directory.join("there/page.html"), "mine").unwrap();
    let output = made(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("page.html is there already"), "{}", said(&output));
    assert_eq!(ground.read("there/page.html"), b"mine");
    let output = made(&["--replace"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(ground.read("there/page.html").starts_with(b"<!DOCTYPE html>"));
}
