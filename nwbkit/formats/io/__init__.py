"""What many formats need, safely: flat binaries and the like."""
