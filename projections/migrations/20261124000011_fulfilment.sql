-- What becomes of an order after it was placed. `ordered` counts the units of its lines alone; an applied edit changes
-- `lines`, `total`, `units` and `line_count` with it.
ALTER TABLE orders
    ADD COLUMN ordered   bigint NOT NULL DEFAULT 0,
    ADD COLUMN progress  json   NOT NULL DEFAULT '{}',
    ADD COLUMN shipments json   NOT NULL DEFAULT '[]',
    ADD COLUMN returns   json   NOT NULL DEFAULT '[]';
UPDATE orders SET ordered = (
    SELECT COALESCE(sum((line ->> 'quantity')::bigint), 0) FROM json_array_elements(lines) AS line
);
