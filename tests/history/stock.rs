//! `daybook stock`.

use serde_json::{Value as Json, json};

use crate::shop::{Buyer, Shop, analyst, daybook, now, said, told};

fn row(told: &Json, sku: &str) -> Json {
    let rows = told["stock"].as_array().unwrap().iter();
    rows.into_iter().find(|row| row["sku"] == sku).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_of_any_moment_is_printed_in_any_form() {
    let shop = Shop::open().await;
    shop.receive("MUG 1", 5).await;
    shop.receive("a,\"b\"", 7).await;
    let buyer = Buyer { name: "ada", customer: None, lines: &[("MUG 1", 2)], limit: None, ago: 0 };
    assert!(shop.buy(buyer).await);
    let head = shop.rest().await;
    let (status, whole) = told(&shop.ground, &["stock"]);
    assert_eq!((status, &whole["head"], &whole["events"]), (Some(0), &json!(head), &json!(3)));
    let mug = row(&whole, "MUG 1");
    assert_eq!((&mug["on_hand"], &mug["reserved"], &mug["available"]), (&json!(5), &json!(2), &json!(3)));
    let (_, then) = told(&shop.ground, &["stock", "--at-position", "1"]);
    assert_eq!((row(&then, "MUG 1")["available"].clone(), row(&then, "a,\"b\"")), (json!(5), Json::Null));
    let (status, csv, about) = said(&shop.ground, &["stock", "--format", "csv"]);
    let expected = "sku,on_hand,reserved,backordered,available\nMUG 1,5,2,0,3\n\"a,\"\"b\"\"\",7,0,0,7\n";
    assert_eq!((status, csv.as_str()), (Some(0), expected));
    assert!(about.contains("2 SKUs at ") && about.contains("from 3 events in "), "{about}");
    let (_, table, _) = said(&shop.ground, &["stock", "--sku", "MUG 1", "--location", "main"]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["sku", "on_hand", "reserved", "backordered", "available", "there"]);
    assert_eq!((lines[1].clone(), lines.len()), (vec!["MUG", "1", "5", "2", "0", "3", "5"], 2));
    let (status, elsewhere) = told(&shop.ground, &["stock", "--location", "attic"]);
    assert_eq!((status, &elsewhere["stock"]), (Some(1), &json!([])));
    let (_, _, about) = said(&shop.ground, &["stock", "--location", "main", "--sku", "MUG 1"]);
    assert!(about.contains("1 SKUs at "), "{about}");
    // Of today, what is known so far.
    let today = store::rfc3339::format(now())[..10].to_owned();
    let (status, so_far) = told(&shop.ground, &["stock", "--at", &today]);
    assert_eq!((status, row(&so_far, "MUG 1")["reserved"].clone()), (Some(0), json!(2)), "{so_far}");
    for (args, status, word) in [
        (&["stock", "--at", "2010-12-24"][..], 0, "0 SKUs"),
        (&["stock", "--location", "attic"], 1, "no unit lay in attic then"),
        (&["stock", "--location", "attic"], 1, "0 SKUs at "),
        (&["stock", "--json", "--format", "csv"], 2, "--json is the same as --format json"),
        (&["stock", "--sku", "nothing"], 1, "nothing had happened to the stock of nothing"),
        (&["stock", "--at-position", "999999"], 2, "beyond the log's end"),
        (&["stock", "--at", "24.12.2010"], 2, "a time is written as"),
        (&["stock", "--verify", "--at", "2010-12-24"], 2, "cannot be used with"),
        (&["stock", "--format", "xml"], 2, "table, csv, json"),
    ] {
        let (found, out, err) = said(&shop.ground, args);
        assert_eq!(found, Some(status), "{args:?}: {out}{err}");
        assert!(err.contains(word), "{args:?}: {err}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_is_held_against_the_log_by_whoever_may_read_both() {
    let shop = Shop::open().await;
    for sku in ["A", "B"] {
        shop.receive(sku, 5).await;
    }
    let head = shop.rest().await;
    let url = analyst(&shop.ground).await;
    let verify = || {
        let output = daybook(&url, &shop.ground.prefix, &["stock", "--verify", "--json"]).output().unwrap();
        let told: Json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), told)
    };
    store::testing::eventually("the read model has come to the end", || async {
        (verify().1["position"] == head).then_some(())
    })
    .await;
    let (status, told) = verify();
    assert_eq!((status, &told["ok"], &told["skus"]), (Some(0), &json!(true), &json!(2)), "{told}");
    let schema = format!("{}_read", shop.ground.prefix);
    shop.ground.as_owner(&format!("UPDATE {schema}.stock SET reserved = 4 WHERE sku = 'B'")).await;
    let (status, told) = verify();
    assert_eq!((status, told["differing"].as_array().unwrap().len()), (Some(1), 1), "{told}");
    assert_eq!(
        (&told["differing"][0]["sku"], &told["differing"][0]["row"]["reserved"]),
        (&json!("B"), &json!(4))
    );
    let (status, text, _) = said(&shop.ground, &["stock", "--verify"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("B: the read model says 5 on hand, 4 reserved"), "{text}");
    shop.stop().await;
}
