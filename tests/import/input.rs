//! Files that are not as they must be: the place is named, and nothing is applied.

use std::io::Write as _;

use daybook::import::{ImportError, InputError, Problem};
use flate2::{Compression, write::GzEncoder};

use super::ground::{Ground, HEADER, sample};

const GOOD: &str = "1,22423,CAKE STAND,2,2010-12-01 08:26:00,12.75,17850.0,United Kingdom";

/// Imports a file that is wrong, and returns what is said of it.
async fn wrong(bytes: impl AsRef<[u8]>) -> InputError {
    let ground = Ground::new().await;
    let error = ground.import(&ground.file("wrong", bytes)).await.unwrap_err();
    assert_eq!((error.exit_code(), ground.head().await), (2, 0), "{error}");
    assert!(!ground.options().rejects.unwrap().exists());
    match error {
        ImportError::Input(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_named_by_line_and_column() {
    let records = [
        ("1 2,22423,X,2,2010-12-01 08:26:00,1.25,,France", "InvoiceNo"),
        ("1,,X,2,2010-12-01 08:26:00,1.25,,France", "StockCode"),
        ("1,22423,X\0,2,2010-12-01 08:26:00,1.25,,France", "Description"),
        ("1,22423,X,2.5,2010-12-01 08:26:00,1.25,,France", "Quantity"),
        ("1,22423,X,3000000000,2010-12-01 08:26:00,1.25,,France", "Quantity"),
        ("1,22423,X,2,2010-12-32 08:26:00,1.25,,France", "InvoiceDate"),
        ("1,22423,X,2,12/1/2010 8:26,1.25,,France", "InvoiceDate"),
        ("1,22423,X,2,2010-12-01 08:26:00,\"1,25\",,France", "UnitPrice"),
        ("1,22423,X,2,2010-12-01 08:26:00,NaN,,France", "UnitPrice"),
        ("1,22423,X,2,2010-12-01 08:26:00,0.255,,France", "UnitPrice"),
        ("1,22423,X,2,2010-12-01 08:26:00,1.25,17850.5,France", "CustomerID"),
        ("1,22423,X,2,2010-12-01 08:26:00,1.25,,\"France\nand all the rest", "Country"),
    ];
    for (record, column) in records {
        let error = wrong(format!("{HEADER}\r\n{GOOD}\r\n{record}\r\n")).await;
        assert_eq!((error.line, error.column), (3, Some(column)), "{record}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_utf_8_are_named_by_line_and_column() {
    let mut bytes = format!("{HEADER}\n{GOOD}\n1,22423,").into_bytes();
    bytes.extend_from_slice(b"\xa320 VOUCHER,2,2010-12-01 08:26:00,1.25,,France\n");
    let error = wrong(bytes).await;
    assert_eq!((error.line, error.column), (3, Some("Description")));
    assert!(matches!(error.problem, Problem::NotUtf8(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_header_is_refused() {
    let error = wrong(format!("{}\n{GOOD}\n", HEADER.replace("UnitPrice", "Price"))).await;
    assert_eq!((error.line, error.column), (1, Some("UnitPrice")), "{error}");
    for bytes in ["", "InvoiceNo;StockCode\n"] {
        assert_eq!(wrong(bytes).await.line, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_line_that_is_cut_short_is_refused() {
    let error = wrong(format!("{HEADER}\n{GOOD}\n2,22423,CAKE ST")).await;
    assert_eq!(error.line, 3);
    assert!(matches!(error.problem, Problem::Fields { found: 3, wanted: 8 }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_file_that_is_cut_short_or_damaged_is_refused() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&std::fs::read(sample()).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    let mut damaged = packed.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    for bytes in [&packed[..packed.len() / 2], &packed[..packed.len() - 3], &packed[..2], &damaged] {
        let error = wrong(bytes).await;
        assert!(matches!(error.problem, Problem::Compressed(_)), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_longer_than_an_order_may_be_is_refused_at_the_line_too_many() {
    let lines = format!("{GOOD}\n").repeat(2_001);
    let error = wrong(format!("{HEADER}\n{lines}")).await;
    assert_eq!(error.line, 2_002);
    assert!(matches!(error.problem, Problem::TooLong { max: 2_000, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_do_not_add_up_are_refused() {
    let line = "1,22423,X,2147483647,2010-12-01 08:26:00,999999999999,,France\n";
    let error = wrong(format!("{HEADER}\n{line}")).await;
    assert_eq!(error.line, 2, "{error}");
    let many = "1,22423,X,2147483647,2010-12-01 08:26:00,0.01,,France\n".repeat(3);
    let error = wrong(format!("{HEADER}\n{many}")).await;
    assert!(matches!(error.problem, Problem::TooMuch), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_charges_the_buyer_is_refused() {
    let error = wrong(format!("{HEADER}\n{}\n", GOOD.replacen('1', "C1", 1))).await;
    assert!(matches!(error.problem, Problem::Bill(_)) && error.line == 2, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_is_told_apart_from_a_wrong_one() {
    let ground = Ground::new().await;
    let missing = ground.import(std::path::Path::new("/nowhere/at/all.csv")).await.unwrap_err();
    assert!(matches!(missing, ImportError::File { .. }) && missing.exit_code() == 2);
    let directory = ground.import(&std::env::temp_dir()).await.unwrap_err();
    assert!(matches!(directory, ImportError::File { .. }));
}
