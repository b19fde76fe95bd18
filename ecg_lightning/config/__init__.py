"""A configuration: composed of files and overrides, checked against the constructors' signatures."""
