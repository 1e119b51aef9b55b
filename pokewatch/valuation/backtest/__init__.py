"""What following the signals would have earned."""
