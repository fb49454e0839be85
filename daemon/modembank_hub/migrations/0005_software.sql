-- A roll-out may be of a version of the boxes' software: each box that it reaches is given a command.
ALTER TABLE rollouts ADD COLUMN software TEXT NOT NULL DEFAULT '';   -- JSON: version and files; '': it is of a document
ALTER TABLE rollout_boxes ADD COLUMN command TEXT;                   -- that the box was given; NULL: none
