-- The user in the answer of a call; '': none. The answer is deleted with the user.
ALTER TABLE api_calls ADD COLUMN user_id {{text}} NOT NULL DEFAULT '';
CREATE INDEX api_calls_user ON api_calls (user_id) WHERE user_id <> '';
