-- Messages that fail while others arrive, and requests that are never answered. Columns with constant defaults: PostgreSQL
-- rewrites no table for them, and each statement locks its table only for a moment. A replica of the version before goes on
-- working: it leaves the new columns as they are.

-- Requests in a row that left whole and were not answered.
ALTER TABLE destinations ADD COLUMN unanswered bigint NOT NULL DEFAULT 0;
-- The message that failed last, and those that are set aside, as JSON.
ALTER TABLE destinations ADD COLUMN failing_messages text NOT NULL DEFAULT '';
