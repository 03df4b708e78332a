-- The trace that a delivery is part of, and the span of the request that queued it, where that is recorded: 24 bytes. Nothing is
-- rewritten.
ALTER TABLE deliveries ADD COLUMN trace BLOB;
