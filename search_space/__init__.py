"""What can be built: architectures, their layer graphs, their exact cost, the space to search."""
