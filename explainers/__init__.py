"""Why a number came out: exact attributions where exactness exists, honest error bars elsewhere."""
