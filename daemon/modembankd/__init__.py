"""The process: command line, composition root, task tree, logging, systemd."""
