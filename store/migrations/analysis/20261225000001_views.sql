-- What happened, as tables that analysts ask: views of the log beside it, with the rights of whoever asks. Every version that
-- an event was ever stored in is read as what it means today. What was put away into the archive's files is not in them.

-- Every event, with its fields and its business time. A day is one in UTC.
CREATE VIEW happened WITH (security_invoker = true) AS
SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
       (metadata ->> 'occurred_at')::timestamptz AS occurred_at,
       ((metadata ->> 'occurred_at')::timestamptz AT TIME ZONE 'UTC')::date AS day,
       payload -> event_type AS event
FROM events;

-- Orders and credit notes as they stand. What was called off before an edit is no part of the lines that the edit made.
CREATE VIEW documents WITH (security_invoker = true) AS
WITH edited AS (
    SELECT DISTINCT ON (aggregate_id) aggregate_id, sequence, event
    FROM happened WHERE aggregate_type = 'order' AND event_type = 'EditApplied'
    ORDER BY aggregate_id, sequence DESC
), fewer AS (
    SELECT h.aggregate_id, sum((h.event #>> '{value,amount}')::bigint)::bigint AS minor
    FROM happened h LEFT JOIN edited e USING (aggregate_id)
    WHERE h.aggregate_type = 'order' AND h.event_type = 'LinesCancelled' AND h.sequence > COALESCE(e.sequence, 0)
    GROUP BY h.aggregate_id
), off AS (
    SELECT aggregate_id, min(occurred_at) AS occurred_at
    FROM happened WHERE aggregate_type = 'order' AND event_type = 'Cancelled'
    GROUP BY aggregate_id
)
SELECT d.aggregate_id AS order_id,
       CASE d.event_type WHEN 'Placed' THEN 'sale' ELSE 'credit_note' END AS kind,
       timestamptz 'epoch' + COALESCE(d.event ->> 'placed_at', d.event ->> 'issued_at')::bigint * interval '1 millisecond' AS at,
       ((timestamptz 'epoch' + COALESCE(d.event ->> 'placed_at', d.event ->> 'issued_at')::bigint * interval '1 millisecond')
           AT TIME ZONE 'UTC')::date AS day,
       d.event ->> 'customer' AS customer,
       d.event ->> 'country' AS country,
       d.event #>> '{source,cart}' AS cart_id,
       d.event #>> '{source,import}' AS import,
       d.event ->> 'order' AS credits,
       d.event #>> '{total,currency}' AS currency,
       COALESCE(e.event #>> '{total,amount}', d.event #>> '{total,amount}')::bigint AS total_minor,
       CASE WHEN off.aggregate_id IS NOT NULL THEN COALESCE(e.event #>> '{total,amount}', d.event #>> '{total,amount}')::bigint
            ELSE COALESCE(fewer.minor, 0) END AS called_off_minor,
       off.occurred_at AS called_off_at,
       d.position
FROM happened d
     LEFT JOIN edited e USING (aggregate_id)
     LEFT JOIN fewer USING (aggregate_id)
     LEFT JOIN off USING (aggregate_id)
WHERE d.aggregate_type = 'order' AND d.event_type IN ('Placed', 'CreditNoteIssued');

-- Their lines and charges: what was bought, what of it was called off, and what came back. What a document says once is taken
-- out of its json once, not again for every line.
CREATE VIEW order_lines WITH (security_invoker = true) AS
WITH edited AS (
    SELECT DISTINCT ON (aggregate_id) aggregate_id, sequence, event
    FROM happened WHERE aggregate_type = 'order' AND event_type = 'EditApplied'
    ORDER BY aggregate_id, sequence DESC
), units AS (
    SELECT h.aggregate_id, (u ->> 'line')::int AS line,
           COALESCE(sum((u ->> 'quantity')::bigint) FILTER (WHERE h.event_type = 'LinesCancelled'), 0)::bigint AS called_off,
           COALESCE(sum((u ->> 'quantity')::bigint) FILTER (WHERE h.event_type = 'ReturnReceived'), 0)::bigint AS returned
    FROM happened h LEFT JOIN edited e USING (aggregate_id) CROSS JOIN json_array_elements(h.event -> 'lines') u
    WHERE h.aggregate_type = 'order' AND h.event_type IN ('LinesCancelled', 'ReturnReceived')
      AND h.sequence > COALESCE(e.sequence, 0)
    GROUP BY h.aggregate_id, (u ->> 'line')::int
), off AS (
    SELECT DISTINCT aggregate_id FROM happened WHERE aggregate_type = 'order' AND event_type = 'Cancelled'
), told AS MATERIALIZED (
    SELECT d.aggregate_id,
           CASE d.event_type WHEN 'Placed' THEN 'sale' ELSE 'credit_note' END AS kind,
           timestamptz 'epoch' + COALESCE(d.event ->> 'placed_at', d.event ->> 'issued_at')::bigint * interval '1 millisecond' AS at,
           d.event ->> 'country' AS country,
           COALESCE((d.event ->> 'prices_include_tax')::boolean, true) AS include_tax,
           COALESCE(e.event -> 'lines', d.event -> 'lines') AS lines,
           d.event -> 'charges' AS charges,
           d.position
    FROM happened d LEFT JOIN edited e USING (aggregate_id)
    WHERE d.aggregate_type = 'order' AND d.event_type IN ('Placed', 'CreditNoteIssued')
), lines AS (
    SELECT t.aggregate_id, t.kind, t.at, t.country, t.include_tax, t.position,
           'goods' AS what, l.line, l.value AS of_line, l.value -> 'unit_price' AS price
    FROM told t CROSS JOIN json_array_elements(t.lines) WITH ORDINALITY l (value, line)
    UNION ALL
    SELECT t.aggregate_id, t.kind, t.at, t.country, t.include_tax, t.position,
           'charge', l.line, l.value, l.value -> 'unit_amount'
    FROM told t CROSS JOIN json_array_elements(t.charges) WITH ORDINALITY l (value, line)
)
SELECT l.aggregate_id AS order_id,
       l.kind,
       l.what,
       (l.line - 1)::int AS line,
       l.at,
       (l.at AT TIME ZONE 'UTC')::date AS day,
       l.country,
       l.of_line ->> 'sku' AS sku,
       l.of_line ->> 'code' AS code,
       l.of_line ->> 'title' AS title,
       (l.of_line ->> 'quantity')::bigint AS quantity,
       CASE WHEN off.aggregate_id IS NOT NULL THEN (l.of_line ->> 'quantity')::bigint
            WHEN l.what = 'goods' THEN COALESCE(units.called_off, 0) ELSE 0 END AS called_off,
       CASE WHEN l.what = 'goods' THEN COALESCE(units.returned, 0) ELSE 0 END AS returned,
       (l.price ->> 'amount')::bigint AS unit_minor,
       (l.of_line #>> '{tax,amount}')::bigint AS tax_minor,
       (l.of_line ->> 'quantity')::bigint * (l.price ->> 'amount')::bigint
           + CASE WHEN l.include_tax THEN 0 ELSE COALESCE((l.of_line #>> '{tax,amount}')::bigint, 0) END AS amount_minor,
       l.price ->> 'currency' AS currency,
       l.position
FROM lines l
     LEFT JOIN units ON units.aggregate_id = l.aggregate_id AND units.line = l.line - 1
     LEFT JOIN off ON off.aggregate_id = l.aggregate_id;

-- What each event of stock changed: units in the house, held, and promised but not there.
CREATE VIEW stock_movements WITH (security_invoker = true) AS
SELECT aggregate_id AS sku, sequence, occurred_at AS at, day, event_type AS movement,
       event ->> 'reason' AS reason,
       event ->> 'reference' AS reference,
       event ->> 'reservation' AS reservation,
       timestamptz 'epoch' + (event ->> 'expires_at')::bigint * interval '1 millisecond' AS expires_at,
       CASE event_type
           WHEN 'Received' THEN (event ->> 'quantity')::bigint
           WHEN 'Adjusted' THEN (event ->> 'delta')::bigint
           WHEN 'Counted' THEN (event ->> 'counted')::bigint - (event ->> 'was')::bigint
           WHEN 'Allocated' THEN -(event ->> 'quantity')::bigint
           ELSE 0 END AS on_hand,
       CASE event_type
           WHEN 'Reserved' THEN (event ->> 'quantity')::bigint
           WHEN 'Backordered' THEN (event ->> 'quantity')::bigint - (event ->> 'short')::bigint
           WHEN 'BackorderFilled' THEN (event ->> 'quantity')::bigint
           WHEN 'Released' THEN COALESCE((event ->> 'short')::bigint, 0) - (event ->> 'quantity')::bigint
           WHEN 'Expired' THEN COALESCE((event ->> 'short')::bigint, 0) - (event ->> 'quantity')::bigint
           WHEN 'Allocated' THEN -(event ->> 'quantity')::bigint
           ELSE 0 END AS reserved,
       CASE event_type
           WHEN 'Backordered' THEN (event ->> 'short')::bigint
           WHEN 'BackorderFilled' THEN -(event ->> 'quantity')::bigint
           WHEN 'Released' THEN -COALESCE((event ->> 'short')::bigint, 0)
           WHEN 'Expired' THEN -COALESCE((event ->> 'short')::bigint, 0)
           ELSE 0 END AS backordered,
       CASE event_type
           WHEN 'Received' THEN json_build_array(json_build_object(
               'location', COALESCE(event ->> 'location', 'main'), 'units', (event ->> 'quantity')::bigint))
           WHEN 'Adjusted' THEN json_build_array(json_build_object(
               'location', COALESCE(event ->> 'location', 'main'), 'units', (event ->> 'delta')::bigint))
           WHEN 'Counted' THEN json_build_array(json_build_object(
               'location', event ->> 'location', 'units', (event ->> 'counted')::bigint - (event ->> 'was')::bigint))
           WHEN 'Transferred' THEN json_build_array(
               json_build_object('location', event ->> 'from', 'units', -(event ->> 'quantity')::bigint),
               json_build_object('location', event ->> 'to', 'units', (event ->> 'quantity')::bigint))
           WHEN 'Allocated' THEN COALESCE(
               (SELECT json_agg(json_build_object('location', taken ->> 'location', 'units', -(taken ->> 'quantity')::bigint))
                FROM json_array_elements(event -> 'from') taken),
               json_build_array(json_build_object('location', 'main', 'units', -(event ->> 'quantity')::bigint)))
           ELSE '[]' END AS places,
       position
FROM happened
WHERE aggregate_type = 'inventory_item'
  AND event_type IN ('Received', 'Adjusted', 'Counted', 'Transferred', 'Reserved', 'Backordered', 'BackorderFilled',
                     'Extended', 'Committed', 'Released', 'Expired', 'Allocated');

-- What was asked for, held, taken and given back.
CREATE VIEW payments WITH (security_invoker = true) AS
SELECT aggregate_id AS payment_id,
       min(event ->> 'order') FILTER (WHERE event_type = 'IntentOpened') AS order_id,
       min(event ->> 'method') FILTER (WHERE event_type = 'IntentOpened') AS method,
       min(event ->> 'capture') FILTER (WHERE event_type = 'IntentOpened') AS capture,
       min(event #>> '{amount,currency}') FILTER (WHERE event_type = 'IntentOpened') AS currency,
       min((event #>> '{amount,amount}')::bigint) FILTER (WHERE event_type = 'IntentOpened') AS amount_minor,
       min(occurred_at) FILTER (WHERE event_type = 'IntentOpened') AS opened_at,
       count(*) FILTER (WHERE event_type = 'AuthorizationRequested') AS attempts,
       count(*) FILTER (WHERE event_type = 'Declined') AS declined,
       min(occurred_at) FILTER (WHERE event_type = 'Authorized') AS authorized_at,
       (array_agg((event #>> '{amount,amount}')::bigint ORDER BY sequence)
           FILTER (WHERE event_type = 'Authorized'))[1] AS authorized_minor,
       COALESCE(sum((event #>> '{amount,amount}')::bigint) FILTER (WHERE event_type = 'Captured'), 0)::bigint
           AS captured_minor,
       COALESCE(sum((event #>> '{amount,amount}')::bigint) FILTER (WHERE event_type = 'Refunded'), 0)::bigint
           AS refunded_minor,
       COALESCE(sum((event #>> '{amount,amount}')::bigint) FILTER (WHERE event_type = 'DisputeLost'), 0)::bigint
           AS lost_minor,
       min(occurred_at) FILTER (WHERE event_type = 'Voided') AS voided_at,
       max(position) AS position
FROM happened WHERE aggregate_type = 'payment'
GROUP BY aggregate_id;

-- How far each cart and each order came, and when. Orders without a cart begin when they are placed.
CREATE VIEW journeys WITH (security_invoker = true) AS
WITH carts AS (
    SELECT aggregate_id AS cart_id,
           min(occurred_at) FILTER (WHERE event_type = 'Opened') AS opened_at,
           min(occurred_at) FILTER (WHERE event_type IN ('LineAdded', 'LinesTaken')) AS line_added_at,
           min(occurred_at) FILTER (WHERE event_type = 'CheckedOut') AS checked_out_at,
           min(event ->> 'order') FILTER (WHERE event_type = 'CheckedOut') AS order_id
    FROM happened
    WHERE aggregate_type = 'cart' AND event_type IN ('Opened', 'LineAdded', 'LinesTaken', 'CheckedOut')
    GROUP BY aggregate_id
), orders AS (
    SELECT aggregate_id AS order_id,
           min(occurred_at) FILTER (WHERE event_type = 'Placed') AS placed_at,
           min(occurred_at) FILTER (WHERE event_type = 'Confirmed') AS confirmed_at,
           min(occurred_at) FILTER (WHERE event_type = 'Shipped') AS shipped_at,
           min(occurred_at) FILTER (WHERE event_type = 'ReturnReceived') AS returned_at,
           min(occurred_at) FILTER (WHERE event_type = 'Cancelled') AS called_off_at
    FROM happened
    WHERE aggregate_type = 'order' AND event_type IN ('Placed', 'Confirmed', 'Shipped', 'ReturnReceived', 'Cancelled')
    GROUP BY aggregate_id
), paid AS (
    SELECT event ->> 'order' AS order_id, min(occurred_at) AS authorized_at
    FROM happened WHERE aggregate_type = 'payment' AND event_type = 'Authorized'
    GROUP BY event ->> 'order'
)
SELECT c.cart_id, COALESCE(o.order_id, c.order_id) AS order_id,
       (COALESCE(c.opened_at, o.placed_at) AT TIME ZONE 'UTC')::date AS day,
       c.opened_at, c.line_added_at, c.checked_out_at, o.placed_at, p.authorized_at, o.confirmed_at, o.shipped_at,
       o.returned_at, o.called_off_at
FROM carts c
     FULL JOIN orders o ON o.order_id = c.order_id
     LEFT JOIN paid p ON p.order_id = COALESCE(o.order_id, c.order_id);

-- The same, a row for each step of each: when it was reached, if it was, and how long after the one before it.
CREATE VIEW steps WITH (security_invoker = true) AS
SELECT j.day, j.cart_id, j.order_id, s.nth, s.step, s.at,
       (extract(epoch FROM s.at - s.before) * 1000)::bigint AS took_ms
FROM journeys j CROSS JOIN LATERAL (VALUES
    (1, 'cart opened', j.opened_at, NULL),
    (2, 'line added', j.line_added_at, j.opened_at),
    (3, 'checked out', j.checked_out_at, COALESCE(j.line_added_at, j.opened_at)),
    (4, 'placed', j.placed_at, j.checked_out_at),
    (5, 'authorized', j.authorized_at, COALESCE(j.placed_at, j.checked_out_at)),
    (6, 'confirmed', j.confirmed_at, COALESCE(j.authorized_at, j.placed_at)),
    (7, 'shipped', j.shipped_at, j.confirmed_at),
    (8, 'returned', j.returned_at, j.shipped_at)
) s (nth, step, at, before);

-- How many came how far, by the day on which they began, and how long each step took after the one before it.
CREATE VIEW funnel WITH (security_invoker = true) AS
SELECT day, nth, step, count(at) AS reached,
       round(avg(took_ms))::bigint AS took_ms_mean,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY took_ms) AS took_ms_median,
       max(took_ms) AS took_ms_max
FROM steps
GROUP BY day, nth, step;
