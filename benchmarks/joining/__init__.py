"""What joining trace and retrace gains: on the virtual AFM, and on scans that were repeated."""
