"""The PAR sheet as data."""
