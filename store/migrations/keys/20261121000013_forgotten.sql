-- Who is forgotten has a row without a key, so that none is ever made again.
ALTER TABLE subject_keys ALTER COLUMN wrapped DROP NOT NULL, ADD COLUMN forgotten_at timestamptz;
ALTER TABLE subject_keys ADD CONSTRAINT subject_keys_forgotten CHECK ((wrapped IS NULL) = (forgotten_at IS NOT NULL));
