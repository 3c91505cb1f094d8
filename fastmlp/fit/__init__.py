"""`Model.fit`: its options, its loop, and what watches it."""
