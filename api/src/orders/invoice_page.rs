//! An invoice or credit note as a page to print: one file, no scripts, nothing loaded from elsewhere.

use serde_json::Value;
use store::rfc3339;

use super::{
    Personal,
    invoice::{Document, Kind, Row},
};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:48rem;margin:3rem auto;padding:0 1.5rem}\
h1{font-size:1.6rem;margin:0 0 .25rem}header{display:flex;justify-content:space-between;gap:2rem;margin-bottom:2rem}\
p{margin:0}.meta{color:#555}table{width:100%;border-collapse:collapse;margin-top:1rem}\
th,td{padding:.45rem .5rem;text-align:right;vertical-align:top}th:first-child,td:first-child{text-align:left}\
th{font-weight:600;border-bottom:2px solid #1a1a1a}tbody td{border-bottom:1px solid #ddd}\
tfoot td{padding-top:.6rem}tfoot tr:last-child td{font-weight:700;font-size:1.1rem}\
.sku{color:#555;font-size:.85em;display:block}@media print{body{margin:0;max-width:none}}";

/// The page.
pub(super) fn render(document: &Document) -> String {
    let kind = match document.kind {
        Kind::Invoice => "Invoice",
        Kind::CreditNote => "Credit note",
    };
    let name = document.name();
    let rows: String = document.rows.iter().map(row).collect();
    let currency = document.total.currency;
    let tax = if document.prices_include_tax { "Tax, included" } else { "Tax" };
    let of = document.order.as_ref().map(|order| format!("<p>for order {}</p>", escaped(order.as_str())));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{kind} {name}</title>\
         <style>{STYLE}</style></head><body>\n\
         <header><div><h1>{kind} {name}</h1><p class=\"meta\">{issued}</p>\
         <p class=\"meta\">{id}</p>{of}</div><div>{buyer}</div></header>\n\
         <table><thead><tr><th>Item</th><th>Quantity</th><th>Price</th><th>Tax</th><th>Amount, {currency}</th></tr>\
         </thead>\n<tbody>{rows}</tbody>\n\
         <tfoot><tr><td colspan=\"4\">{tax}</td><td>{tax_total}</td></tr>\
         <tr><td colspan=\"4\">Total</td><td>{total}</td></tr></tfoot></table>\n</body></html>\n",
        issued = escaped(rfc3339::format(document.issued_at).split('T').next().unwrap_or_default()),
        id = escaped(document.id.as_str()),
        of = of.unwrap_or_default(),
        buyer = buyer(document),
        tax_total = document.tax.decimal(),
        total = document.total.decimal(),
    )
}

fn row(row: &Row) -> String {
    let sku = row.sku.as_ref().map(|sku| format!("<span class=\"sku\">{}</span>", escaped(sku.as_str())));
    format!(
        "<tr><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(&row.description),
        sku.unwrap_or_default(),
        row.quantity.map(|quantity| quantity.to_string()).unwrap_or_default(),
        row.unit_price.map(|price| price.decimal()).unwrap_or_default(),
        row.tax.map(|tax| tax.decimal()).unwrap_or_default(),
        row.amount.decimal(),
    )
}

/// Name and address, as far as they are known and not forgotten.
fn buyer(document: &Document) -> String {
    let Some(delivery) = &document.delivery else {
        return String::new();
    };
    let contact = known(&delivery.contact);
    let name = contact.as_ref().and_then(|contact| contact.get("name"));
    let address = known(&delivery.address);
    let lines = address.as_ref().and_then(|address| address.get("lines")).and_then(Value::as_array);
    let city = address.as_ref().map(|address| {
        let part = |name: &str| address.get(name).and_then(Value::as_str).unwrap_or_default();
        Value::from(format!("{} {}", part("city"), part("postcode")).trim())
    });
    let country = document.country().map(|country| Value::from(country.as_str()));
    let parts = name.into_iter().chain(lines.into_iter().flatten()).chain(&city).chain(&country);
    parts.filter_map(Value::as_str).map(|line| format!("<p>{}</p>", escaped(line))).collect()
}

fn known(personal: &Personal) -> Option<Value> {
    match personal {
        // Raw JSON is JSON.
        Personal::Known(json) => serde_json::from_str(json.get()).ok(),
        Personal::Forgotten(_) => None,
    }
}

/// Text that means nothing to a browser but itself.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_become_markup() {
        assert_eq!(escaped("<b>\"R&D's\"</b>"), "&lt;b&gt;&quot;R&amp;D&#39;s&quot;&lt;/b&gt;");
    }
}
