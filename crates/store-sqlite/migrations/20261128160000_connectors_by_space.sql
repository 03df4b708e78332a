-- Lists of deliveries and pauses ask for a space's deleted connectors, too, and walked the connectors of all spaces for them.

DROP INDEX connectors_by_space;
CREATE INDEX connectors_by_space ON connectors (space_no, no);
