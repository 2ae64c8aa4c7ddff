-- What has expired is swept by its time.
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);
