-- What was sold of each SKU, and the lines of each order that say so. Sums are added to, so each line counts once.
CREATE TABLE sold (
    order_id text COLLATE "C" NOT NULL PRIMARY KEY,
    skus     text[]   NOT NULL,
    units    bigint[] NOT NULL
);
CREATE TABLE sales (
    sku   text COLLATE "C" NOT NULL PRIMARY KEY,
    units bigint NOT NULL
) WITH (fillfactor = 70);

-- What buyers think of products: the sum of the stars that they gave, how many gave any, and the event that said so last.
CREATE TABLE ratings (
    product      text COLLATE "C" NOT NULL PRIMARY KEY,
    rating_sum   bigint NOT NULL,
    rating_count bigint NOT NULL,
    position     bigint NOT NULL
);
CREATE INDEX ratings_newest ON ratings (position);

-- The variants of a product; the position of its listing is the product's own.
CREATE INDEX variants_listed ON variants (listed_at);
