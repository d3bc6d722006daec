-- Nothing looks for grants by session alone: those of a session are found among
-- its user's (grants_user), the first-party one by grants_one_first_party. The
-- index cost each new grant a page of its own, since session ids are random.
DROP INDEX grants_session;
