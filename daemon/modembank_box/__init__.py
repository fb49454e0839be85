"""The appliance's side of root: what the box does to the machine it is, never to messages; imports no modembank."""
