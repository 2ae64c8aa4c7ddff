"""What a retailer's file says of sales and stock, summed up from the file itself, and from what DuckDB finds in an export of
the log: to be compared with a report. It shares no code with the import."""

import csv
import gzip
import json
import re
import sys
from collections import defaultdict
from decimal import Decimal

import duckdb

FILE, FOLDER, FIRST, LAST = sys.argv[1:5]
PRODUCT = re.compile(r"(\d{5}[A-Za-z]*|DCGS[A-Za-z0-9]+)")


def invoices():
    opened = gzip.open if open(FILE, "rb").read(2) == b"\x1f\x8b" else open
    found = {}
    with opened(FILE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["InvoiceNo"], []).append(row)
    return found


def classified(lines):
    """Whether it credits, and of each line: code, quantity, pence, and whether it is goods, a charge or a correction."""
    pence = [Decimal(line["UnitPrice"]) * 100 for line in lines]
    quantity = [int(line["Quantity"]) for line in lines]
    whole = [int(price) if price == int(price) else 0 for price in pence]
    credits = lines[0]["InvoiceNo"].startswith("C") or sum(p * q for p, q in zip(whole, quantity)) < 0
    told = []
    for line, price, units in zip(lines, whole, quantity):
        code = line["StockCode"].strip()
        product = PRODUCT.fullmatch(code) is not None
        if units == 0 or price == 0 and not (units < 0 and not credits and product):
            continue
        what = "correction" if price == 0 else "goods" if product and price > 0 else "charge"
        told.append((code, units, price, what))
    return credits, told


def from_file():
    days, countries, products = ({}, {}, {})
    balance, lowest, changes = defaultdict(int), defaultdict(int), defaultdict(int)

    def move(sku, units, day):
        balance[sku] += units
        lowest[sku] = min(lowest[sku], balance[sku])
        if day <= LAST:
            changes[sku] += units

    def there(sku):
        return lowest[sku] < 0 or sku in changes

    for lines in invoices().values():
        day, country = lines[0]["InvoiceDate"][:10], lines[0]["Country"].strip() or "not told"
        credits, told = classified(lines)
        valued = [line for line in told if line[3] != "correction"]
        if valued and FIRST <= day <= LAST:
            worth = sum(units * price for _, units, price, _ in valued)
            for sums in (days.setdefault(day, [0] * 5), countries.setdefault(country, [0] * 5)):
                if credits:
                    sums[3], sums[4] = sums[3] + 1, sums[4] - worth
                else:
                    sums[0] += 1
                    sums[1] += sum(abs(units) for _, units, _, _ in valued)
                    sums[2] += worth
            for code, units, price, what in valued:
                if what == "goods" and units > 0 and not credits:
                    product = products.setdefault(code, [0, 0])
                    product[0], product[1] = product[0] + units, product[1] + units * price
        moves = [defaultdict(int), defaultdict(int), defaultdict(int)]
        for code, units, _, what in told:
            if what == "goods":
                moves[0 if units < 0 else 2 if credits else 1][code] += -units
        for way in moves:
            for sku, units in way.items():
                move(sku, units, day)
        for code, units, _, what in told:
            if what == "correction":
                move(code, units, day)
    top = sorted(products.items(), key=lambda product: (-product[1][1], product[0]))[:20]
    return {
        "per_day": {day: sums for day, sums in sorted(days.items())},
        "per_country": countries,
        "top_products": [[sku, units, minor] for sku, (units, minor) in top],
        "stock": {sku: changes.get(sku, 0) - lowest[sku] for sku in balance if there(sku)},
    }


def ask(sql):
    return [list(row) for row in duckdb.sql(sql).fetchall()]


def from_parquet():
    duckdb.sql("SET TimeZone = 'UTC'")
    placed, credited = f"'{FOLDER}/order.Placed.parquet'", f"'{FOLDER}/order.CreditNoteIssued.parquet'"
    within = f"occurred_at::DATE BETWEEN '{FIRST}' AND '{LAST}'"

    def by(key):
        sold = ask(f"SELECT {key}, count(*), sum(total_minor)::BIGINT FROM {placed} WHERE {within} GROUP BY 1")
        units = ask(f"SELECT key, sum((line->>'quantity')::BIGINT)::BIGINT FROM (SELECT {key} AS key, "
                    f"unnest(lines::JSON[] || charges::JSON[]) AS line FROM {placed} WHERE {within}) GROUP BY 1")
        back = ask(f"SELECT {key}, count(*), sum(total_minor)::BIGINT FROM {credited} WHERE {within} GROUP BY 1")
        sums = {}
        for name, orders, minor in sold:
            sums[name] = [orders, 0, minor, 0, 0]
        for name, count in units:
            sums[name][1] = count
        for name, notes, minor in back:
            sums.setdefault(name, [0] * 5)[3:] = [notes, minor]
        return sums

    top = ask(f"SELECT line->>'sku' AS sku, sum((line->>'quantity')::BIGINT)::BIGINT, "
              f"sum((line->>'quantity')::BIGINT * (line->>'$.unit_price.amount')::BIGINT)::BIGINT AS minor "
              f"FROM (SELECT unnest(lines::JSON[]) AS line FROM {placed} WHERE {within}) "
              f"GROUP BY 1 ORDER BY minor DESC, sku LIMIT 20")
    until = f"occurred_at::DATE <= '{LAST}'"
    stock = ask(f"SELECT sku, sum(units)::BIGINT FROM ("
                f"SELECT aggregate_id AS sku, delta AS units FROM '{FOLDER}/inventory_item.Adjusted.parquet' WHERE {until} "
                f"UNION ALL SELECT aggregate_id, -quantity FROM '{FOLDER}/inventory_item.Allocated.parquet' WHERE {until}"
                f") GROUP BY 1")
    return {"per_day": dict(sorted(by("occurred_at::DATE::VARCHAR").items())),
            "per_country": by("COALESCE(country, 'not told')"), "top_products": top, "stock": dict(stock)}


print(json.dumps({"file": from_file(), "parquet": from_parquet()}))
