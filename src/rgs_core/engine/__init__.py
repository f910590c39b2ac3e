"""The way to the compiled engine and back: flat tables, what plays a build, records from its log."""
