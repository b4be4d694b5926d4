"""How the space is searched: data, short training runs, samplers, the driver and the command line."""
