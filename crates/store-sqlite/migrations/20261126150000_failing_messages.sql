-- Messages that fail while others arrive, and requests that are never answered. Two columns with defaults: no row is written,
-- and nothing waits.

-- Requests in a row that left whole and were not answered.
ALTER TABLE destinations ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;
-- The message that failed last, and those that are set aside, as JSON.
ALTER TABLE destinations ADD COLUMN failing_messages TEXT NOT NULL DEFAULT '';
