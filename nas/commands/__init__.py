"""What the commands do, and what they read and show."""
