//! Personal data in an export: sealed as a rule, opened for whoever may, and gone where it was forgotten.

use domain::{cart, value::Sku};
use serde_json::{Value as Json, json};
use store::{
    log::PostgresLog,
    testing::{Row, master_key, request, write},
};

use crate::ground::{Ground, said};

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_sealed_opened_or_forgotten() {
    let ground = Ground::empty().await;
    let engine = ground.store.engine().await;
    let log = PostgresLog::new(ground.store.pool("").await);
    let golden = include_str!("../../store/tests/golden/cart.CheckedOut.v2.json");
    let golden: Json = serde_json::from_str(golden).unwrap();
    for subject in ["customer:c1", "customer:c2"] {
        let mut fields = golden["CheckedOut"].clone();
        for (part, said) in [("contact", json!({"name": "Ada"})), ("address", json!({"city": "London"}))] {
            let sealed = engine.vault.seal(subject, said.to_string().as_bytes()).await.unwrap();
            fields["delivery"][part] = serde_json::to_value(sealed).unwrap();
        }
        let row: Row = ("CheckedOut", "2", fields);
        let id = subject.replace(':', "-");
        write(&log, &request(&id, cart::Command::RemoveLine { sku: Sku::new("A").unwrap() }), &[row]).await;
    }
    engine.vault.forget(&["customer:c2"]).await.unwrap();
    engine.stop().await;

    let read = |text: String| -> Vec<Json> {
        text.lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["payload"]["delivery"].clone())
            .collect()
    };
    let sealed = read(ground.fine(&["export", "--format", "ndjson"]));
    assert!(sealed.iter().all(|delivery| delivery["contact"]["sealed"].is_string()), "{sealed:?}");

    let open = ["export", "--format", "ndjson", "--open"];
    let keys = |command: &mut std::process::Command| {
        command
            .env("DAYBOOK_VAULT_DATABASE_URL", &ground.store.app_url)
            .env("DAYBOOK_MASTER_KEY", master_key().to_text());
    };
    let mut command = ground.events(&open);
    keys(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let opened = read(String::from_utf8(output.stdout).unwrap());
    assert_eq!(opened[0]["contact"], json!({"name": "Ada"}));
    assert_eq!((&opened[1]["contact"], &opened[1]["address"]), (&Json::Null, &Json::Null));
    assert_eq!(opened[1]["country"], "GB");

    let mut command = ground.events(&["export", "--format", "csv", "--open", "--by-type", "--into", "typed"]);
    keys(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let csv = String::from_utf8(ground.read("typed/cart.CheckedOut.csv")).unwrap();
    assert!(csv.contains("{\"\"name\"\":\"\"Ada\"\"}") && !csv.contains("sealed"), "{csv}");

    // The analyst's own role may not, even with the master key; and another master key opens nothing.
    let output = ground.events(&open).env("DAYBOOK_MASTER_KEY", master_key().to_text()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("DAYBOOK_VAULT_DATABASE_URL"), "{}", said(&output));
    assert!(output.stdout.is_empty());
    let other = store::secrets::MasterKey::new([8; 32]);
    let mut command = ground.events(&open);
    keys(&mut command);
    let output = command.env("DAYBOOK_MASTER_KEY", other.to_text()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("master key"), "{}", said(&output));
}
