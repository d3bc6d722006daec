-- One row in each table of the schema after migration 0027. Later migrations must keep these
-- rows. Times are around noon of 2026-03-01 UTC.
INSERT INTO users (id, subject, email, email_canonical, name, roles, upstream_groups, always_ask_at, lesser_role, created_at, updated_at)
    VALUES ('usr_seed', 'auth0|seed', 'Seed@Example.com', 'seed@example.com', 'Seed', '["dev"]', '["staff"]', 1772366400000, 'auditor', 1772366400000, 1772366400000);
INSERT INTO credentials (id, user_id, kind, secret, created_at, updated_at)
    VALUES ('crd_seed', 'usr_seed', 'password', 'hash', 1772366400000, 1772366400000);
INSERT INTO identities (connector, issuer, subject, user_id, email, groups, created_at)
    VALUES ('google', 'https://accounts.google.com', '1234', 'usr_seed', 'seed@example.com', '["staff"]', 1772366400000);
INSERT INTO clients (id, name, type, metadata, federations, created_at, updated_at)
    VALUES ('seed', 'Seed client', 'web', '{"redirect_uris":["https://seed.example.com/cb"]}',
        '[{"name":"github","kind":"github","issuer":"https://token.actions.githubusercontent.com","subject":"repo:octo-org/octo-repo:ref:refs/heads/main"}]', 1772366400000, 1772366400000);
INSERT INTO consents (user_id, client_id, scopes, granted_at, expires_at)
    VALUES ('usr_seed', 'seed', '["openid"]', 1772366400000, 1803902400000);
INSERT INTO sessions (id, handle_hash, user_id, auth_time, amr, facts, idle_for, created_at, seen_at, admin_seen_at, idle_expires_at, expires_at)
    VALUES ('ses_seed', 'handle', 'usr_seed', 1772366400000, '["pwd"]', '[{"k":"authenticated","t":1772366400000,"r":"req"}]', 43200000, 1772366400000, 1772366400000, 1772366400000, 1772409600000, 1774958400000);
INSERT INTO grants (id, user_id, subject, client_id, session_id, scopes, auth_time, generation, rotated_at, idle_for, idle_expires_at, expires_at, created_at)
    VALUES ('gid_seed', 'usr_seed', 'auth0|seed', 'seed', 'ses_seed', '["openid"]', 1772366400000, 3, 1772366400000, 604800000, 1772971200000, 1774958400000, 1772366400000);
INSERT INTO spent (kind, id, code_id, grant_id, expires_at)
    VALUES ('request', 'req', 'code', 'gid_seed', 1772452800000);
INSERT INTO keys (id, line, state, sealed, created_at, activated_at, longest_life)
    VALUES ('kid_seed', 'ES256', 'active', 'sealed', 1772366400000, 1772366400000, 900000);
INSERT INTO throttles (bucket, attempts, expires_at)
    VALUES ('net:192.0.2.1', 3, 1772367300000);
INSERT INTO events (id, at, type, outcome, user_id, detail)
    VALUES ('evt_seed', 1772366400000, 'user.created', 'success', 'usr_seed', '{"n":1}');
INSERT INTO outbox (id, kind, subject, client_id, session_id, recipient, due_at, created_at)
    VALUES ('out_seed', 'logout', 'auth0|seed', 'seed', 'ses_seed', 'https://seed.example.com/logout', 1772366400000, 1772366400000);
INSERT INTO pushed_requests (id, client_id, message, created_at, expires_at)
    VALUES ('par_seed', 'seed', 'sealed', 1772366400000, 1772366490000);
INSERT INTO device_codes (id, user_code, client_id, created_at, expires_at)
    VALUES ('dev_seed', 'BCDF-GHJK', 'seed', 1772366400000, 1772367000000);
INSERT INTO leases (name, holder, expires_at)
    VALUES ('sweep', 'node-1', 1772366460000);
INSERT INTO connector_health (connector, succeeded_at, failed_at, failure_code, failure_reason)
    VALUES ('google', 1772366400000, 1772366300000, 'upstream_unreachable', 'fetch keys: connection refused');
INSERT INTO jwks_readers (family, fetches, seen_at)
    VALUES ('jose', 7, 1772366400000);
INSERT INTO setup_links (hash, expires_at)
    VALUES ('hash of a token', 1772368200000);
INSERT INTO served_connectors (connector, node, expires_at)
    VALUES ('google', 'node-1', 1772366520000);
INSERT INTO emergency_links (id, hash, user_id, host_user, opened_at, expires_at)
    VALUES ('eml_seed', 'hash of another token', 'usr_seed', 'root', 1772366400000, 1772368200000);
INSERT INTO unfinished (kind, user_id, client_id, bound, at)
    VALUES ('consent', 'usr_seed', 'seed', 1772366300000, 1772366300000);
INSERT INTO registration_tokens (id, hash, name, redirect_hosts, uses_left, created_at, expires_at)
    VALUES ('reg_seed', 'hash of a third token', 'CI', '["seed.example.com"]', 3, 1772366400000, 1772452800000);
INSERT INTO mail_links (kind, holder, id, user_id, address, created_at, expires_at)
    VALUES ('reset', 'usr_seed', 'link_seed', 'usr_seed', 'Seed@Example.com', 1772366400000, 1772368200000);
INSERT INTO subject_secret (id, sealed)
    VALUES (1, 'sealed');
INSERT INTO address_changes (id, user_id, email, email_canonical, changed_at, expires_at, always_ask_at)
    VALUES ('chg_seed', 'usr_seed', 'Former@Example.com', 'former@example.com', 1772366400000, 1772971200000, 1772366400000);
INSERT INTO credentials (id, user_id, kind, name, secret, handle, detail, number, proven_at, created_at, updated_at)
    VALUES ('crd_key', 'usr_seed', 'security_key', 'Key', 'public key', 'aGFuZGxl', '{"transports":["usb"]}', 4, 1772366400000, 1772366400000, 1772366400000);
INSERT INTO former_credentials (change_id, id, user_id, kind, secret, created_at, updated_at)
    VALUES ('chg_seed', 'crd_former', 'usr_seed', 'password', 'former hash', 1772366300000, 1772366300000);
INSERT INTO former_identities (change_id, connector, issuer, subject, user_id, email, groups, created_at)
    VALUES ('chg_seed', 'google', 'https://accounts.google.com', '1234', 'usr_seed', 'seed@example.com', '["staff"]', 1772366300000);
INSERT INTO trusted_browsers (id, user_id, device_hash, secret_hash, created_at, expires_at)
    VALUES ('trb_seed', 'usr_seed', 'device', 'secret', 1772366400000, 1774958400000);
INSERT INTO api_calls (id, body, attempt, started_at, acted_at, answer, expires_at, user_id)
    VALUES ('hash of a call', 'keyed hash', 'attempt', 1772366400000, 1772366400000, 'sealed', 1772452800000, 'usr_seed');
INSERT INTO event_deliveries (event_id, tries, due_at, given_up_at, last_error, created_at)
    VALUES ('evt_seed', 11, 1772366400000, 1772452800000, 'status_500', 1772366400000);
