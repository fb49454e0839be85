"""PostgreSQL as the hub's store, for a hub that several processes are: the same store, over another database."""
