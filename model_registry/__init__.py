"""Which models exist: submissions, versions, and the store that keeps them."""
