-- Orders and credit notes. What they were placed with never changes; only the columns after it do.
CREATE TABLE orders (
    id            text COLLATE "C" NOT NULL PRIMARY KEY,
    kind          text     NOT NULL,
    customer      text COLLATE "C",
    source_kind   text     NOT NULL,
    source_id     text COLLATE "C" NOT NULL,
    credits       text,
    placed_at_ms  bigint   NOT NULL,
    currency      text     NOT NULL,
    total         bigint   NOT NULL,
    units         bigint   NOT NULL,
    line_count    bigint   NOT NULL,
    lines         json     NOT NULL,
    charges       json     NOT NULL,
    payment       text COLLATE "C",
    country       text,
    delivery      json,
    status        text     NOT NULL,
    cancel_reason text,
    cancel_note   text,
    version       bigint   NOT NULL,
    position      bigint   NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX orders_history ON orders (customer, placed_at_ms DESC, id DESC) WHERE customer IS NOT NULL;
CREATE INDEX orders_payment ON orders (payment) WHERE payment IS NOT NULL;

-- Payments stand apart from the orders that they pay: each row follows from one stream alone, so that setting a stream
-- aside and taking it up again later gives the same rows.
CREATE TABLE payments (
    id        text COLLATE "C" NOT NULL PRIMARY KEY,
    order_id  text COLLATE "C" NOT NULL,
    method    text   NOT NULL,
    capture   text   NOT NULL,
    status    text   NOT NULL,
    currency  text   NOT NULL,
    amount    bigint NOT NULL,
    captured  bigint NOT NULL,
    refunded  bigint NOT NULL,
    opened_at bigint NOT NULL,
    version   bigint NOT NULL,
    position  bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX payments_order ON payments (order_id);
