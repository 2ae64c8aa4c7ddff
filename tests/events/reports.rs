//! `daybook report`: what it says is what the retailer's file says, and what DuckDB finds in an export; and what it looks like.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use domain::value::Currency;
use serde_json::{Value as Json, json};
use store::{log::PostgresLog, testing::request};

use crate::ground::{Ground, said};

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
    assert!(!ground.has("away.html"));
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
