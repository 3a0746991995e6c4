"""What people and tools call: the command line, and the comparisons and studies behind the tools."""
