"""How the space is searched: data, short runs, samplers, the driver, the command line."""
