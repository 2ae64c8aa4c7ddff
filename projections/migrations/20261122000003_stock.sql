CREATE TABLE stock (
    sku       text COLLATE "C" NOT NULL PRIMARY KEY,
    on_hand   bigint NOT NULL,
    reserved  bigint NOT NULL,
    available bigint NOT NULL GENERATED ALWAYS AS (on_hand - reserved) STORED,
    version   bigint NOT NULL,
    position  bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE reservations (
    sku           text COLLATE "C" NOT NULL,
    reservation   text COLLATE "C" NOT NULL,
    quantity      bigint NOT NULL,
    expires_at_ms bigint,
    position      bigint NOT NULL,
    PRIMARY KEY (sku, reservation)
);
