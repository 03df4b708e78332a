-- What lets a user set a password once: at most one each. A new table: nothing is rewritten.

CREATE TABLE invitations (
    hash       BLOB PRIMARY KEY,
    user_no    INTEGER NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
);
