-- A user has at most one authenticator app. The number of this migration is also that of the
-- first program that asks for second factors at a sign-in.
CREATE UNIQUE INDEX credentials_one_totp ON credentials (user_id) WHERE kind = 'totp';
