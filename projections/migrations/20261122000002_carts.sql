CREATE TABLE carts (
    id       text COLLATE "C" NOT NULL PRIMARY KEY,
    customer text,
    status   text   NOT NULL,
    currency text   NOT NULL,
    lines    json   NOT NULL,
    total    bigint NOT NULL,
    order_id text,
    version  bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 70);
