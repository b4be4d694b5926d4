"""What can be built: architectures, their layer graphs, their exact cost, and the space to search."""
