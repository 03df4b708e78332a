-- The sign of life of a replica: the advisory lock that it holds in a session, on the database server that started at this time. Where
-- the server is another or was started anew, the absence of the lock says nothing.
ALTER TABLE replicas ADD COLUMN life_lock bigint, ADD COLUMN life_server timestamptz;
