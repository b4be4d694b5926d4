"""What a network costs, how it sees, how long it takes on a piece of hardware, in figures."""
