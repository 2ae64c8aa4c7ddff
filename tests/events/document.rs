//! The questions and reports in docs/ANALYTICS.md, run on the sample: the answers stand there as they come.

use std::{fs, path::Path};

use sqlx::{Row as _, ValueRef as _, postgres::PgRow};
use store::schema;

use crate::ground::{Ground, said};

/// A row as the document has it.
fn line(row: &PgRow) -> String {
    let cell = |nth: usize| {
        let value = row.try_get_raw(nth).unwrap();
        if value.is_null() { String::new() } else { value.as_str().unwrap().to_owned() }
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join(" | ").trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_questions_are_answered_as_it_says() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ANALYTICS.md");
    let document = fs::read_to_string(document).unwrap();
    let ground = Ground::traded().await;
    let views = schema::connect(&ground.analyst_url, &ground.store.prefix, "_analysis", 1).await.unwrap();
    let parts: Vec<&str> = document.split("\n```").collect();
    let (mut questions, mut reports, mut replays) = (0, 0, 0);
    for (nth, part) in parts.iter().enumerate().skip(1).step_by(2) {
        let (language, block) = part.split_once('\n').unwrap_or((part, ""));
        if language == "sql" && document.contains(&format!("\n```sql\n{block}\n```\n```\n")) {
            let answer = parts[nth + 2].trim_matches('\n');
            let rows = sqlx::raw_sql(block)
                .fetch_all(&views)
                .await
                .unwrap_or_else(|error| panic!("{block}: {error}"));
            let rows: Vec<String> = rows.iter().map(line).collect();
            assert_eq!(rows.join("\n"), answer, "{block}");
            questions += 1;
        }
        for (command, count) in [("report", &mut reports), ("replay", &mut replays)] {
            let Some(run) = block.strip_prefix(&format!("$ daybook {command} ")) else { continue };
            let (arguments, expected) = run.split_once('\n').unwrap();
            if arguments.ends_with('&') {
                // It goes at its own pace, beside others.
                continue;
            }
            let output = ground.daybook().arg(command).args(arguments.split(' ')).output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
            let printed = String::from_utf8_lossy(&output.stdout);
            // Positions are those of an import whose lines race each other, and how long files are hangs on them.
            let lines = |text: &str| {
                text.trim_end()
                    .lines()
                    .filter(|line| !line.ends_with(" bytes"))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            assert_eq!(lines(&printed), lines(expected), "{arguments}");
            *count += 1;
        }
    }
    assert_eq!((questions, reports, replays), (7, 1, 1), "the test knows of every question in the document");
}
