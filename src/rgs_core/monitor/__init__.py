"""Live math monitoring: does what was played agree with the certified law? No sockets, no SQL, no clock."""
