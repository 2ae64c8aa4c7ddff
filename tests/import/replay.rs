//! Files that are as they must be.

use std::{fs, io::Write as _, time::Duration};

use daybook::{
    import::{self, ImportError, Lines, Options, rejects_beside},
    progress::Progress,
};
use domain::{Aggregate as _, inventory_item::InventoryItem, order::Order};
use flate2::{Compression, write::GzEncoder};
use store::log::{Meaning, StreamId};

use super::ground::{Ground, HEADER, sample};

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_in_the_read_models_as_it_is_in_the_file() {
    let ground = Ground::new().await;
    let imported = ground.import(&sample()).await.unwrap();
    let report = ground.report(&sample(), &imported).await;
    assert!(report.ok, "{report}");
    assert_eq!(report.lines, Lines { total: 154, imported: 139, adjustments: 8, rejected: 7 });
    assert_eq!(report.new_events as i64, ground.head().await);
    let (days, total) = (&report.days, &report.total);
    assert_eq!(days.iter().map(|day| day.sides.file.orders).sum::<i64>(), total.file.orders);
    assert_eq!(total.rejected.lines, 7);
    assert!(total.file.sale_value > 0 && total.file.returned_value > 1_354_133);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_again_adds_nothing_packed_or_not() {
    let ground = Ground::new().await;
    let first = ground.import(&sample()).await.unwrap();
    let head = ground.head().await;
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&fs::read(sample()).unwrap()).unwrap();
    let packed = ground.file("sample.csv.gz", packed.finish().unwrap());
    let again = ground.import(&packed).await.unwrap();
    assert_eq!((again.new_events, ground.head().await), (0, head));
    assert_eq!((again.commands, again.token), (first.commands, first.token));
    assert!(ground.report(&packed, &again).await.ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_lines_are_written_down_with_line_and_reason() {
    let ground = Ground::new().await;
    let file = ground.file(
        "lines.csv",
        format!(
            "{HEADER}\n\
             1,22423,\"A \"\"B\"\", C\",56,2011-01-01 10:00:00,0.0,,France\n\
             2,22423,,-1,2011-01-01 10:00:00,0.0,,France\n\
             3,POST,,-1,2011-01-01 10:00:00,0.0,,France\n\
             4,22423,,0,2011-01-01 10:00:00,5,,France\n\
             5,PADS,,1,2011-01-01 10:00:00,0.001,,France\n"
        ),
    );
    let imported = ground.import(&file).await.unwrap();
    assert_eq!((imported.lines.adjustments, imported.lines.rejected), (1, 4));
    assert_eq!(
        fs::read_to_string(&imported.rejects).unwrap(),
        format!(
            "{HEADER},Line,Reason\n\
             1,22423,\"A \"\"B\"\", C\",56,2011-01-01 10:00:00,0.0,,France,2,no_value\n\
             3,POST,,-1,2011-01-01 10:00:00,0.0,,France,4,not_a_product\n\
             4,22423,,0,2011-01-01 10:00:00,5,,France,5,no_quantity\n\
             5,PADS,,1,2011-01-01 10:00:00,0.001,,France,6,less_than_a_penny\n"
        )
    );
    let beside = rejects_beside(&file).unwrap();
    assert_eq!(beside, std::env::current_dir().unwrap().join("lines.csv.rejects.csv"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_penny_more_in_a_read_model_is_found() {
    let ground = Ground::new().await;
    let imported = ground.import(&sample()).await.unwrap();
    assert!(ground.report(&sample(), &imported).await.ok);
    ground.break_read_model("UPDATE orders SET total = total + 1 WHERE id = '700102'").await;
    let report = ground.report(&sample(), &imported).await;
    let differing: Vec<String> = report.differing().iter().map(ToString::to_string).collect();
    assert_eq!((report.ok, differing), (false, vec!["2011-03-01".to_owned()]));
    assert_eq!(report.total.read_model.sale_value, report.total.file.sale_value + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_gone_from_a_read_model_is_found() {
    let ground = Ground::new().await;
    let imported = ground.import(&sample()).await.unwrap();
    assert!(ground.report(&sample(), &imported).await.ok);
    ground.break_read_model("DELETE FROM orders WHERE id = 'C700193'").await;
    let report = ground.report(&sample(), &imported).await;
    assert!(!report.ok && report.total.read_model.orders == report.total.file.orders);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_interrupted_goes_on_to_the_same_totals() {
    let whole = Ground::new().await;
    let expected = whole.import(&sample()).await.unwrap();
    let ground = Ground::new().await;
    let mut head = ground.engine.executor.head();
    let file = sample();
    let dropped = tokio::select! {
        _ = ground.import(&file) => false,
        _ = head.wait_for(|head| head.position >= 40) => true,
    };
    assert!(dropped, "the import was over before it could be interrupted");
    let resumed = ground.import(&sample()).await.unwrap();
    let report = ground.report(&sample(), &resumed).await;
    assert!(report.ok, "{report}");
    assert!(resumed.new_events < expected.new_events);
    assert_eq!(ground.head().await, whole.head().await);
    let again = ground.import(&sample()).await.unwrap();
    assert_eq!((again.new_events, again.commands), (0, expected.commands));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_content_under_the_same_invoice_is_told() {
    let ground = Ground::new().await;
    ground.import(&sample()).await.unwrap();
    let head = ground.head().await;
    let text = fs::read_to_string(sample()).unwrap();
    let dearer = ground.file("dearer.csv", text.replacen(",18.0,", ",18.01,", 1));
    let error = ground.import(&dearer).await.unwrap_err();
    assert!(
        matches!(&error, ImportError::OtherContent { invoice, line: 12, .. } if invoice.as_str() == "700102"),
        "{error}"
    );
    let more = ground.file("more.csv", text.replacen("-4,2011-03-01", "-3,2011-03-01", 1));
    let error = ground.import(&more).await.unwrap_err();
    assert!(matches!(error, ImportError::OtherOpening { .. } | ImportError::OtherContent { .. }), "{error}");
    assert_eq!((error.exit_code(), ground.head().await), (1, head));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_month_brings_its_own_opening_stock() {
    let ground = Ground::new().await;
    for (month, invoice) in [("01", "1"), ("02", "2")] {
        let file = ground
            .file(month, format!("{HEADER}\n{invoice},22423,X,5,2011-{month}-01 10:00:00,1.25,,France\n"));
        let imported = ground.import(&file).await.unwrap();
        assert!(ground.report(&file, &imported).await.ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invoices_that_are_added_to_a_day_later_agree_as_a_file_of_their_own() {
    let ground = Ground::new().await;
    let imported = ground.import(&sample()).await.unwrap();
    let added = "900001,22423,X,5,2011-03-02 10:00:00,1.25,,France\nC900002,22423,X,-1,2011-03-02 11:00:00,1.25,,France\n";
    let added = ground.file("added.csv", format!("{HEADER}\n{added}"));
    let more = ground.import(&added).await.unwrap();
    let report = ground.report(&added, &more).await;
    assert!(report.ok, "{report}");
    assert_eq!((report.days.len(), report.total.read_model.orders), (1, 1));
    assert_eq!((report.total.read_model.sale_value, report.total.read_model.returned_value), (625, 125));
    // The first file still agrees, and neither would if the read models told anything else of its own.
    assert!(ground.report(&sample(), &imported).await.ok);
    ground.break_read_model("UPDATE orders SET units = units + 1 WHERE id = '900001'").await;
    let differing = ground.report(&added, &more).await;
    assert!(!differing.ok && ground.report(&sample(), &imported).await.ok, "{differing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_on_another_day_and_one_that_no_file_has_are_found() {
    let ground = Ground::new().await;
    let mut imported = ground.import(&sample()).await.unwrap();
    // What was booked beside the file's invoices.
    imported.orders += 1;
    assert!(!ground.report(&sample(), &imported).await.ok);
    imported.orders -= 1;
    ground.break_read_model("UPDATE orders SET placed_at_ms = 0 WHERE id = '700102'").await;
    let report = ground.report(&sample(), &imported).await;
    let differing: Vec<String> = report.differing().iter().map(ToString::to_string).collect();
    assert_eq!((report.ok, differing), (false, vec!["1970-01-01".to_owned(), "2011-03-01".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_opens_with_what_the_file_needs_and_not_one_more() {
    let ground = Ground::new().await;
    ground.import(&sample()).await.unwrap();
    // Sold five and taken back four times over, after four came back and others were sold.
    let stream = StreamId::new(domain::AggregateType::InventoryItem, "60341");
    let events = ground.engine.log.recorded(&stream, 0).await.unwrap();
    let (mut item, mut lowest) = (InventoryItem::default(), i64::MAX);
    for recorded in events {
        let Meaning::One(domain::AnyEvent::InventoryItem(event)) = recorded.events else {
            panic!("an event of another aggregate");
        };
        item = item.evolve(event);
        lowest = lowest.min(item.available());
    }
    assert_eq!((lowest, item.reserved()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_customers_arrive_as_they_are_meant() {
    let ground = Ground::new().await;
    ground.import(&sample()).await.unwrap();
    let stream = StreamId::new(domain::AggregateType::Order, "700102");
    let events = ground.engine.log.recorded(&stream, 0).await.unwrap();
    let first = events.into_iter().next().unwrap();
    let Meaning::One(domain::AnyEvent::Order(event)) = first.events else {
        panic!("an event of another aggregate");
    };
    let order = Order::default().evolve(event);
    let placed = order.placement().unwrap();
    assert_eq!(placed.customer.as_ref().unwrap().as_str(), "20012");
    let prices: Vec<i64> = placed.lines.iter().map(|line| line.unit_price.amount).collect();
    assert_eq!(prices, [1_250, 1_095]);
    assert_eq!(placed.charges[0].code.as_str(), "POST");
    assert_eq!(first.metadata.occurred_at, placed.placed_at);
    assert_eq!(&*first.metadata.actor, "import:retail");
    assert_eq!(store::rfc3339::format(placed.placed_at), "2011-03-01T08:45:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_itself_is_never_overwritten_with_its_rejects() {
    let ground = Ground::new().await;
    let file = ground.file("lines.csv", format!("{HEADER}\n"));
    let options = Options { rejects: Some(file.clone()) };
    let (executor, fingerprints) = (&ground.engine.executor, &ground.engine.fingerprints);
    let error =
        import::retail(executor, fingerprints, &file, &options, &Progress::silent()).await.unwrap_err();
    assert!(matches!(error, ImportError::RejectsOverFile { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{HEADER}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_stays_behind_is_told() {
    let ground = Ground::new().await;
    let mut imported = ground.import(&sample()).await.unwrap();
    imported.token.as_mut().unwrap().position += 1;
    let books = import::ledger::sum(&sample()).unwrap();
    let behind = import::read_model(&ground.models, &books, &imported, Duration::from_millis(20)).await;
    assert!(matches!(behind, Err(projections::QueryError::Behind { .. })));
}
