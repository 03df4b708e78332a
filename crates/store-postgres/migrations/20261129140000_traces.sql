-- The trace that a delivery is part of, and the span of the request that queued it, where that is recorded: 24 bytes. Nothing is
-- rewritten; the table is locked for a moment, once nobody reads it in a long transaction. A replica of the previous version goes on working.
ALTER TABLE deliveries ADD COLUMN trace bytea;
