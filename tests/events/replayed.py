"""What an analyst finds in replayed folders, with DuckDB."""

import json
import sys

import duckdb


def ask(sql):
    return [list(row) for row in duckdb.sql(sql.format(d=sys.argv[1])).fetchall()]


print(json.dumps({
    "orders": ask("SELECT count(*), sum(total)::BIGINT, sum(units)::BIGINT, max(position) FROM '{d}/orders/orders.parquet'"),
    "lines": ask("SELECT sum((line->>'quantity')::BIGINT)::BIGINT FROM (SELECT unnest(lines::JSON[]) AS line "
                 "FROM '{d}/orders/orders.parquet')"),
    "payments": ask("SELECT count(*) FROM '{d}/orders/payments.parquet'"),
    "stock": ask("SELECT count(*), sum(on_hand)::BIGINT, sum(available)::BIGINT, max(version) "
                 "FROM '{d}/stock/stock.parquet'"),
    "held": ask("SELECT sku, quantity, committed FROM '{d}/stock/reservations.parquet' ORDER BY sku"),
    "sold": ask("SELECT count(*), (SELECT sum(units)::BIGINT FROM '{d}/sales/sales.parquet') FROM '{d}/sales/sold.parquet'"),
    "products": ask("SELECT count(*), sum(price)::BIGINT, sum(json_array_length(category))::BIGINT "
                    "FROM '{d}/products/products.parquet'"),
    "carts": ask("SELECT count(*) FROM '{d}/carts/carts.parquet'"),
    "then": ask("SELECT sku, on_hand, reserved, backordered FROM '{d}/then/stock.parquet' ORDER BY sku"),
    "types": dict(ask("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{d}/orders/orders.parquet')")),
}))
