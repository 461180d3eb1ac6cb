"""Questions put to every model, one file each, and the finding that answers them."""
