-- What lets a user set a password once: at most one each. A new table: nothing is rewritten.

CREATE TABLE invitations (
    hash       bytea PRIMARY KEY,
    user_no    bigint NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    expires_at bigint NOT NULL,
    -- An admin of this space made it: it is good while the user is a member of this space alone.
    space_no   bigint REFERENCES spaces ON DELETE CASCADE
);
