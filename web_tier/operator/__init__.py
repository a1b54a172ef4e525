"""Commands for operators: dead letters, keys, audit record and doctor."""
