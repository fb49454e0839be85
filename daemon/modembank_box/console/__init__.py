"""What the screen and the serial console show: gathered in ``facts``, drawn in ``screen``."""
