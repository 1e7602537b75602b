"""What the machine and the process allow."""
