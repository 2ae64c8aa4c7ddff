-- A read model of the tests, with a column that came later.
CREATE TABLE incoming (sku text NOT NULL PRIMARY KEY, units bigint NOT NULL);
ALTER TABLE incoming ADD COLUMN often bigint NOT NULL DEFAULT 0;
