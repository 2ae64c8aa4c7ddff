-- Entries of the catalogue. `price` is that of the cheapest variant: filters and sorting compare it.
CREATE TABLE products (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    title       text     NOT NULL,
    description text,
    brand       text COLLATE "C",
    category    text[]   NOT NULL,
    images      json     NOT NULL,
    search      tsvector NOT NULL,
    listed_at   bigint   NOT NULL,
    variants    json     NOT NULL,
    price       bigint   NOT NULL,
    version     bigint   NOT NULL,
    position    bigint   NOT NULL
);
CREATE UNIQUE INDEX products_newest ON products (listed_at);
CREATE INDEX products_price ON products (price, listed_at);
CREATE INDEX products_brand ON products (brand, listed_at);
CREATE INDEX products_category ON products USING gin (category);
CREATE INDEX products_search ON products USING gin (search);

-- What a cart needs to know of a SKU. Nothing forbids two products to list the same one.
CREATE TABLE variants (
    sku       text COLLATE "C" NOT NULL,
    product   text COLLATE "C" NOT NULL,
    title     text   NOT NULL,
    price     bigint NOT NULL,
    currency  text   NOT NULL,
    listed_at bigint NOT NULL,
    PRIMARY KEY (sku, product)
);
