//! The ledger on files small enough to add up by hand.

use super::*;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn summed(records: &str) -> Vec<Day> {
    let text = format!("{HEADER}{records}");
    let books = book(&mut text.as_bytes(), &|source| LedgerError::File { path: PathBuf::new(), source });
    books.unwrap().days
}

fn day(day: u8, orders: i64, units: i64, sale_value: i64, returned_value: i64) -> Day {
    Day {
        date: Date::from_calendar_date(2010, Month::December, day).unwrap(),
        sums: Sums { orders, units, sale_value, returned_value },
    }
}

#[test]
fn an_invoice_belongs_to_the_day_of_its_first_line() {
    let days = summed(
        "1,22423,CAKE STAND,2,2010-12-01 23:59:00,12.75,1.0,France\n\
         1,22424,TIN,1,2010-12-02 00:01:00,0.5,1.0,France\n",
    );
    assert_eq!(days, [day(1, 1, 3, 2_600, 0)]);
}

#[test]
fn cancellations_and_bills_below_zero_are_returns() {
    let days = summed(
        "C1,22423,STAND,-2,2010-12-01 10:00:00,12.75,,France\n\
         A2,B,Adjust bad debt,1,2010-12-01 10:00:00,-100.0,,France\n",
    );
    assert_eq!(days, [day(1, 0, 0, 0, 12_550)]);
}

#[test]
fn lines_without_value_count_for_nothing() {
    let days = summed(
        "1,22423,,-10,2010-12-01 10:00:00,0.0,,France\n\
         2,PADS,PADS,1,2010-12-01 10:00:00,0.001,,France\n\
         3,22423,,0,2010-12-01 10:00:00,5.0,,France\n",
    );
    assert_eq!(days, [day(1, 0, 0, 0, 0)]);
}

#[test]
fn quotes_commas_line_breaks_and_windows_line_ends_are_understood() {
    let days = summed(
        "1,22423,\"A, \"\"B\"\"\r\nC\",2,2010-12-01 10:00:00,1.25,,France\r\n\
         \r\n\
         1,22424,5\" PLATE,1,2010-12-01 10:00:00,1,,France",
    );
    assert_eq!(days, [day(1, 1, 3, 350, 0)]);
}

#[test]
fn amounts_round_to_the_nearest_penny_on_both_sides_of_zero() {
    let rounded = [49, 50, 149, 150, -49, -50, -150].map(pennies);
    assert_eq!(rounded, [0, 1, 1, 2, 0, -1, -2]);
    assert_eq!(decimal(b"-12.5"), Some(-125_000));
    assert_eq!((decimal(b"1.23456"), decimal(b""), decimal(b"1.2e3")), (None, None, None));
}

#[test]
fn a_record_that_cannot_be_summed_is_named_by_its_line() {
    let text = format!("{HEADER}1,22423,X,2,2010-12-01 10:00:00,1.25,,France\n1,22423,X,2\n");
    let error =
        book(&mut text.as_bytes(), &|source| LedgerError::File { path: PathBuf::new(), source }).unwrap_err();
    assert!(matches!(error, LedgerError::Record { line: 3, .. }), "{error:?}");
}
