-- The sign of life of a replica: the advisory lock that it holds in a session, on the database server that started at this time. On
-- another server, or after a restart, a missing lock means nothing.
ALTER TABLE replicas ADD COLUMN life_lock bigint, ADD COLUMN life_server timestamptz;
