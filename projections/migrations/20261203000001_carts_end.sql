-- When a cart ends unless it is touched, and the cart that it went into.
ALTER TABLE carts ADD COLUMN expires_at_ms bigint, ADD COLUMN merged_into text;
