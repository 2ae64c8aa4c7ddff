-- What tax, shipping and limits need to know of a SKU.
ALTER TABLE variants
    ADD COLUMN tax_category   text,
    ADD COLUMN weight_grams   bigint NOT NULL DEFAULT 0,
    ADD COLUMN purchase_limit bigint;
