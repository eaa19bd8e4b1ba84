"""Tables of trials, epochs and events that people keep beside their recordings."""
