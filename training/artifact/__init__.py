"""What training leaves behind: versions in the store, their files, their report."""
