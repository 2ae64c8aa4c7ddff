"""What an analyst finds in the exported files, with DuckDB and with pandas."""

import json
import sys

import duckdb
import pandas

duckdb.sql("SET TimeZone = 'UTC'")
folder = sys.argv[1]


def ask(sql):
    return [list(row) for row in duckdb.sql(sql.format(d=folder)).fetchall()]


PAYLOAD = "sum((payload->>'$.total.amount')::BIGINT)::BIGINT"
NDJSON = "read_json('{d}/log.ndjson', columns={{position: 'BIGINT', event_type: 'VARCHAR', payload: 'JSON'}})"
orders = {
    "parquet": ask(f"SELECT count(*), {PAYLOAD} FROM '{{d}}/all.parquet' WHERE event_type = 'Placed'"),
    "csv": ask(f"SELECT count(*), {PAYLOAD} FROM read_csv('{{d}}/all.csv') WHERE event_type = 'Placed'"),
    "ndjson": ask(f"SELECT count(*), {PAYLOAD} FROM {NDJSON} WHERE event_type = 'Placed'"),
    "parquet by type": ask("SELECT count(*), sum(total_minor)::BIGINT FROM '{d}/parquet/order.Placed.parquet'"),
    "csv by type": ask("SELECT count(*), sum(total_minor)::BIGINT FROM read_csv('{d}/csv/order.Placed.csv')"),
    "parquet by day": ask("SELECT count(*), sum(total_minor)::BIGINT FROM '{d}/days/*/order.Placed.parquet'"),
}
frames = {
    "parquet": pandas.read_parquet(f"{folder}/parquet/order.Placed.parquet"),
    "csv": pandas.read_csv(f"{folder}/csv/order.Placed.csv", parse_dates=["occurred_at", "recorded_at"]),
}
for name, frame in frames.items():
    orders[f"pandas {name}"] = [[len(frame), int(frame["total_minor"].sum())]]
lines = pandas.read_json(f"{folder}/log.ndjson", lines=True)
placed = lines[lines.event_type == "Placed"]
orders["pandas ndjson"] = [[len(placed), int(sum(row["total"]["amount"] for row in placed.payload))]]

print(json.dumps({
    "orders": orders,
    "all": ask("SELECT count(*), min(position), max(position) FROM '{d}/all.parquet'")
    + ask("SELECT count(*), min(position), max(position) FROM read_csv('{d}/all.csv')")
    + ask(f"SELECT count(*), min(position), max(position) FROM {NDJSON}")
    + ask("SELECT count(*), min(position), max(position) FROM read_parquet('{d}/parquet/*.parquet', union_by_name=true)"),
    "units": ask("SELECT sum((line->>'quantity')::BIGINT)::BIGINT FROM (SELECT unnest(lines::JSON[] || charges::JSON[]) AS line "
                 "FROM '{d}/parquet/order.Placed.parquet')"),
    "types": dict(ask("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{d}/parquet/order.Placed.parquet')")),
    "days": ask("SELECT day::VARCHAR, count(*), bool_and(occurred_at::DATE = day) FROM read_parquet("
                "'{d}/days/*/*.parquet', hive_partitioning=true, union_by_name=true) GROUP BY day ORDER BY day"),
    "dtypes": {name: {column: str(frame[column].dtype) for column in ["occurred_at", "total_minor", "prices_include_tax"]}
               for name, frame in frames.items()},
    "same": ask("SELECT count(*) FROM '{d}/all.parquet' p JOIN read_csv('{d}/all.csv') c USING (position, part) "
                "WHERE p.event_id = c.event_id::UUID AND p.payload::VARCHAR = c.payload AND p.occurred_at = c.occurred_at "
                "AND p.recorded_at = c.recorded_at AND p.actor = c.actor AND p.correlation_id = c.correlation_id::UUID "
                "AND p.aggregate_id = c.aggregate_id::VARCHAR"),
}))
