-- What buyers wanted back from their banks: `[{id, status, amount, reason}]`, oldest first.
ALTER TABLE payments ADD COLUMN disputes json NOT NULL DEFAULT '[]';
