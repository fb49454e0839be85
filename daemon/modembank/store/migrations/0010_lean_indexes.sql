-- Open messages but for those that simply wait for their turn, which messages_ready has: a usual message is accepted,
-- sent and delivered without ever being in it, and each page of an index that is written costs the card 4 kB.
DROP INDEX messages_open;
CREATE INDEX messages_waiting ON messages (state, id) WHERE state < 50 AND (state <> 30 OR ready IS NOT 1);

-- By state first, so that the few numbers that want messages again need not be looked for among all others.
DROP INDEX opt_outs_changed;
CREATE INDEX opt_outs_state ON opt_outs (state, changed_at, number);
