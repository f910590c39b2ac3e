"""Live math monitoring: does what is played agree with the certified law? docs/live-math.md."""
