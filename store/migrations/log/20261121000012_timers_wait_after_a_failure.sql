-- A timer that could not fire lets the others pass; one that has fired is gone.
ALTER TABLE timers ADD COLUMN retry_at timestamptz, ADD COLUMN tries int NOT NULL DEFAULT 0;
DELETE FROM timers WHERE fired_at IS NOT NULL;
