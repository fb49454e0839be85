"""The owner's file on the boot partition: found, read, judged field by field, and made into the machine's own files."""
